/* The learning rate on plateaus, held against the traces of Keras' own callback. */
#include "support/fmd_test.h"
#include "support/keras_trace.h"
#include "train/callbacks/callbacks.h"

#include <inttypes.h>
#include <string.h>

typedef struct trace {
    char name[64];
    fmd_plateau_args args;
    double rate;
    int n;
    double values[TRACE_EPOCHS], wait[TRACE_EPOCHS], cooldown[TRACE_EPOCHS], best[TRACE_EPOCHS];
    double rates[TRACE_EPOCHS];
} trace;

/* False at the end of the file. */
static bool read_trace(FILE *file, trace *t)
{
    memset(t, 0, sizeof *t);
    if (!trace_begins(file, t->name))
        return false;
    char mode[8];
    fmd_plateau_args *a = &t->args;
    assert_int_equal(fscanf(file,
                            " monitor %31s mode %7s patience %" SCNd64
                            " min_delta %lf factor %lf cooldown %" SCNd64 " min_lr %lf rate %lf",
                            a->monitor, mode, &a->patience, &a->min_delta, &a->factor, &a->cooldown,
                            &a->min_lr, &t->rate),
                     8);
    a->mode = trace_mode(mode);
    t->n = trace_row(file, "values", t->values);
    assert_int_equal(trace_row(file, "wait", t->wait), t->n);
    assert_int_equal(trace_row(file, "cooldown_counter", t->cooldown), t->n);
    assert_int_equal(trace_row(file, "best", t->best), t->n);
    assert_int_equal(trace_row(file, "lr_after", t->rates), t->n);
    return true;
}

/* Before the epoch `resumed` another process takes over; -1: none. Returns epochs that differ. */
static int replay(const trace *t, const fmd_plateau_args *args, int resumed)
{
    fmd_callback *c;
    assert_ok(fmd_cb_plateau_create(&c, args, NULL, true));
    fmd_event e = {.epochs = t->n, .base_rate = t->rate};
    int differing = 0;
    for (e.epoch = 0; e.epoch < t->n; e.epoch++) {
        if (e.epoch == resumed) {
            fmd_callback *before = c;
            assert_ok(fmd_cb_plateau_create(&c, args, NULL, true));
            callback_hand_over(before, c);
        }
        fmd_control control = {.stop = false};
        e.metrics = trace_metrics(args->monitor, t->values[e.epoch]);
        assert_ok(c->ops->epoch_end(c, &e, &control));
        assert_false(control.stop);
        if (control.base_rate > 0)
            e.base_rate = control.base_rate;
        differing += callback_entry(c, "plateau_wait") != t->wait[e.epoch] ||
                     callback_entry(c, "plateau_cooldown") != t->cooldown[e.epoch] ||
                     !trace_same(callback_entry(c, "plateau_best"), t->best[e.epoch]) ||
                     e.base_rate != t->rates[e.epoch];
    }
    c->ops->destroy(c);
    return differing;
}

static void every_trace_of_keras_is_reproduced_by_any_number_of_processes(void **state)
{
    (void)state;
    trace t;
    int n = 0;
    FILE *file = trace_open("plateau.txt");
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
    FILE *file = trace_open("plateau.txt");
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
    assert_fails(fmd_cb_plateau_create(&c, &args, NULL, false), FMD_EUSAGE,
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
