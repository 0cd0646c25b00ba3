/* The learning rate on plateaus, held against the traces of Keras' own callback. */
#include "support/fmd_test.h"
#include "train/cb_plateau.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EPOCHS = 64 };

typedef struct trace {
    char name[64];
    fmd_plateau_args args;
    double rate;
    int n;
    double values[MAX_EPOCHS], wait[MAX_EPOCHS], cooldown[MAX_EPOCHS], best[MAX_EPOCHS];
    double rates[MAX_EPOCHS];
} trace;

static int read_row(FILE *file, const char *name, double *values)
{
    char found[32];
    int n;
    assert_int_equal(fscanf(file, "%31s %d", found, &n), 2);
    assert_string_equal(found, name);
    assert_in_range(n, 1, MAX_EPOCHS);
    for (int i = 0; i < n; i++)
        assert_int_equal(fscanf(file, "%lf", &values[i]), 1);
    return n;
}

/* False at the end of the file. */
static bool read_trace(FILE *file, trace *t)
{
    memset(t, 0, sizeof *t);
    if (fscanf(file, " trace %63s", t->name) != 1) {
        assert_true(feof(file));
        return false;
    }
    char mode[8];
    fmd_plateau_args *a = &t->args;
    assert_int_equal(fscanf(file,
                            " monitor %31s mode %7s patience %" SCNd64
                            " min_delta %lf factor %lf cooldown %" SCNd64 " min_lr %lf rate %lf",
                            a->monitor, mode, &a->patience, &a->min_delta, &a->factor, &a->cooldown,
                            &a->min_lr, &t->rate),
                     8);
    a->mode = strcmp(mode, "min") == 0   ? FMD_MODE_MIN
              : strcmp(mode, "max") == 0 ? FMD_MODE_MAX
                                         : FMD_MODE_AUTO;
    t->n = read_row(file, "values", t->values);
    assert_int_equal(read_row(file, "wait", t->wait), t->n);
    assert_int_equal(read_row(file, "cooldown_counter", t->cooldown), t->n);
    assert_int_equal(read_row(file, "best", t->best), t->n);
    assert_int_equal(read_row(file, "lr_after", t->rates), t->n);
    return true;
}

static FILE *open_traces(void)
{
    const char *source = getenv("FMD_SOURCE_DIR");
    char path[1024], comment[256];
    snprintf(path, sizeof path, "%s/tests/golden/plateau.txt", source ? source : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read '%s'", path);
    int c;
    while ((c = getc(file)) == '#')
        assert_non_null(fgets(comment, sizeof comment, file));
    ungetc(c, file);
    return file;
}

/* The other metrics stand still, as if nothing got better. */
static fmd_metrics metrics_of(const char *monitor, double value)
{
    fmd_metrics m = {0.1, 9, 0.1, 9, 0.01};
    *(double *)((char *)&m + ((const char *)fmd_metric_find(&m, monitor) - (const char *)&m)) =
        value;
    return m;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* Another one that knows what this one knew, as after a checkpoint; this one is gone. */
static fmd_callback *go_on_with_another(fmd_callback *before, const fmd_plateau_args *args)
{
    fmd_callback *c;
    fmd_item from[FMD_CALLBACK_ITEMS], to[FMD_CALLBACK_ITEMS];
    assert_ok(fmd_cb_plateau_create(&c, args, true));
    const size_t n = before->ops->items(before, from);
    assert_int_equal(c->ops->items(c, to), n);
    assert_in_range(n, 1, FMD_CALLBACK_ITEMS);
    for (size_t i = 0; i < n; i++)
        memcpy(to[i].data, from[i].data, fmd_item_bytes(&from[i]));
    before->ops->destroy(before);
    return c;
}

/* Before the epoch `resumed` another process takes over; -1: none. Returns epochs that differ. */
static int replay(const trace *t, const fmd_plateau_args *args, int resumed)
{
    fmd_callback *c;
    assert_ok(fmd_cb_plateau_create(&c, args, true));
    fmd_event e = {.epochs = t->n, .base_rate = t->rate};
    int differing = 0;
    for (e.epoch = 0; e.epoch < t->n; e.epoch++) {
        if (e.epoch == resumed)
            c = go_on_with_another(c, args);
        fmd_control control = {.stop = false};
        e.metrics = metrics_of(args->monitor, t->values[e.epoch]);
        assert_ok(c->ops->epoch_end(c, &e, &control));
        assert_false(control.stop);
        if (control.base_rate > 0)
            e.base_rate = control.base_rate;
        const fmd_plateau_state *s = fmd_cb_plateau_state(c);
        differing += s->wait != (int64_t)t->wait[e.epoch] ||
                     s->cooldown != (int64_t)t->cooldown[e.epoch] ||
                     !same(s->best, t->best[e.epoch]) || e.base_rate != t->rates[e.epoch];
    }
    c->ops->destroy(c);
    return differing;
}

static void every_trace_of_keras_is_reproduced_by_any_number_of_processes(void **state)
{
    (void)state;
    trace t;
    int n = 0;
    FILE *file = open_traces();
    for (; read_trace(file, &t); n++)
        for (int resumed = -1; resumed < t.n; resumed++)
            if (replay(&t, &t.args, resumed) > 0)
                fail_msg("%s, resumed before epoch %d, is not as Keras has it", t.name, resumed);
    fclose(file);
    assert_int_equal(n, 15);
}

/* The control: with one epoch more of patience most traces are others. */
static void another_patience_is_seen(void **state)
{
    (void)state;
    trace t;
    int differing = 0;
    FILE *file = open_traces();
    while (read_trace(file, &t)) {
        fmd_plateau_args args = t.args;
        args.patience++;
        differing += replay(&t, &args, -1) > 0;
    }
    fclose(file);
    assert_true(differing >= 10);
}

static void a_metric_that_the_run_lacks_is_refused(void **state)
{
    (void)state;
    fmd_callback *c = NULL;
    const fmd_plateau_args args = {.monitor = "val_loss", .factor = 0.1};
    assert_fails(fmd_cb_plateau_create(&c, &args, false), FMD_EUSAGE,
                 "--lr-schedule plateau: monitor: there is no val_loss without validation data: "
                 "give --validation-split or --validation-data test");
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_trace_of_keras_is_reproduced_by_any_number_of_processes),
        cmocka_unit_test(another_patience_is_seen),
        cmocka_unit_test(a_metric_that_the_run_lacks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
