/* Early stopping, held against the traces of Keras' own. */
#include "support/fmd_test.h"
#include "train/cb_early_stopping.h"

#include "fmd/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small model: after an epoch all of its parameters are the epoch's number. */
enum { N_PARAMS = 5 };
static fmd_model *model;
static float *params;

static int create_model(void **state)
{
    (void)state;
    const fmd_shape in = {.rank = 2, .dim = {2, 2}};
    if (fmd_model_create(&model, "flatten,dense:1:softmax", in, 1) != FMD_OK)
        return -1;
    params = fmd_model_params(model);
    return fmd_model_n_params(model) == N_PARAMS ? 0 : -1;
}

static int destroy_model(void **state)
{
    (void)state;
    fmd_model_destroy(model);
    return 0;
}

static void set_params(float value)
{
    for (int i = 0; i < N_PARAMS; i++)
        params[i] = value;
}

enum { MAX_EPOCHS = 64 };

typedef struct trace {
    char name[64];
    fmd_early_stopping_args args;
    int n_values, epochs_run;
    double values[MAX_EPOCHS], wait[MAX_EPOCHS], best[MAX_EPOCHS];
    int stopped, stopped_epoch, best_epoch, weights_from;
} trace;

static int read_row(FILE *file, const char *name, double *values)
{
    char found[16];
    int n;
    assert_int_equal(fscanf(file, "%15s %d", found, &n), 2);
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
    int c = 0;
    if (fscanf(file, " trace %63s", t->name) != 1) {
        assert_true(feof(file));
        return false;
    }
    char mode[8];
    fmd_early_stopping_args *a = &t->args;
    assert_int_equal(fscanf(file,
                            " monitor %31s mode %7s patience %" SCNd64
                            " min_delta %lf baseline %lf restore_best %d start_from %" SCNd64,
                            a->monitor, mode, &a->patience, &a->min_delta, &a->baseline, &c,
                            &a->start_from_epoch),
                     7);
    a->restore_best = c != 0;
    a->n_params = N_PARAMS;
    a->mode = strcmp(mode, "min") == 0   ? FMD_MODE_MIN
              : strcmp(mode, "max") == 0 ? FMD_MODE_MAX
                                         : FMD_MODE_AUTO;
    t->n_values = read_row(file, "values", t->values);
    t->epochs_run = read_row(file, "wait", t->wait);
    assert_int_equal(read_row(file, "best", t->best), t->epochs_run);
    assert_int_equal(fscanf(file, " stopped %d stopped_epoch %d best_epoch %d weights_from %d",
                            &t->stopped, &t->stopped_epoch, &t->best_epoch, &t->weights_from),
                     4);
    return true;
}

static FILE *open_traces(void)
{
    const char *source = getenv("FMD_SOURCE_DIR");
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/early_stopping.txt", source ? source : ".");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read '%s'", path);
    char comment[256];
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
    double *to = strcmp(monitor, "accuracy") == 0       ? &m.accuracy
                 : strcmp(monitor, "loss") == 0         ? &m.loss
                 : strcmp(monitor, "val_accuracy") == 0 ? &m.val_accuracy
                                                        : &m.val_loss;
    *to = value;
    return m;
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* Another one that knows what this one knew, as after a checkpoint; this one is gone. */
static fmd_callback *go_on_with_another(fmd_callback *before, const fmd_early_stopping_args *args)
{
    fmd_callback *c;
    fmd_item from[FMD_CALLBACK_ITEMS], to[FMD_CALLBACK_ITEMS];
    assert_ok(fmd_cb_early_stopping_create(&c, args, true));
    const size_t n = before->ops->items(before, from);
    assert_int_equal(c->ops->items(c, to), n);
    assert_in_range(n, 1, FMD_CALLBACK_ITEMS);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(from[i].name, to[i].name);
        assert_int_equal(fmd_item_bytes(&from[i]), fmd_item_bytes(&to[i]));
        memcpy(to[i].data, from[i].data, fmd_item_bytes(&from[i]));
    }
    before->ops->destroy(before);
    return c;
}

/* Before the epoch `resumed` another process takes over; -1: none. */
static void replay(const trace *t, int resumed)
{
    fmd_callback *c;
    assert_ok(fmd_cb_early_stopping_create(&c, &t->args, true));
    const fmd_early_stopping_state *s = fmd_cb_early_stopping_state(c);
    fmd_event e = {.epochs = t->n_values, .model = model};
    fmd_control control = {.stop = false};
    for (e.epoch = 0; e.epoch < t->n_values && !control.stop; e.epoch++) {
        if (e.epoch == resumed) {
            c = go_on_with_another(c, &t->args);
            s = fmd_cb_early_stopping_state(c);
        }
        set_params((float)e.epoch);
        e.metrics = metrics_of(t->args.monitor, t->values[e.epoch]);
        assert_ok(c->ops->epoch_end(c, &e, &control));
        if (e.epoch >= t->epochs_run)
            fail_msg("%s: epoch %d should not have run", t->name, e.epoch);
        double best = s->has_best ? s->best : (double)NAN;
        if (s->wait != (int64_t)t->wait[e.epoch] || !same(best, t->best[e.epoch]))
            fail_msg("%s, epoch %d: wait %" PRId64 " best %.17g; Keras: wait %g best %.17g",
                     t->name, e.epoch, s->wait, best, t->wait[e.epoch], t->best[e.epoch]);
    }
    assert_ok(c->ops->train_end(c, &e, params));
    if (e.epoch != t->epochs_run || s->stopped != t->stopped ||
        s->stopped_epoch != t->stopped_epoch || s->best_epoch != t->best_epoch)
        fail_msg("%s: ran %d, stopped %d in %d, best %d; Keras: ran %d, stopped %d in %d, best %d",
                 t->name, e.epoch, s->stopped, s->stopped_epoch, s->best_epoch, t->epochs_run,
                 t->stopped, t->stopped_epoch, t->best_epoch);
    for (int i = 0; i < N_PARAMS; i++)
        if (params[i] != (float)t->weights_from)
            fail_msg("%s: weights of epoch %g, Keras: of %d", t->name, (double)params[i],
                     t->weights_from);
    c->ops->destroy(c);
}

static void every_trace_of_keras_is_reproduced(void **state)
{
    (void)state;
    trace t;
    int n = 0;
    FILE *file = open_traces();
    for (; read_trace(file, &t); n++)
        replay(&t, -1);
    fclose(file);
    assert_int_equal(n, 29);
}

static void every_trace_is_the_same_with_another_process_after_any_epoch(void **state)
{
    (void)state;
    trace t;
    FILE *file = open_traces();
    while (read_trace(file, &t))
        for (int i = 0; i < t.epochs_run; i++)
            replay(&t, i);
    fclose(file);
}

/* Runs epochs with these accuracies and leaves the reason in `control`. */
static void run(const fmd_early_stopping_args *args, const double *accuracies, int n,
                fmd_control *control)
{
    fmd_callback *c;
    assert_ok(fmd_cb_early_stopping_create(&c, args, false));
    fmd_event e = {.epochs = n};
    memset(control, 0, sizeof *control);
    for (e.epoch = 0; e.epoch < n && !control->stop; e.epoch++) {
        e.metrics = metrics_of("accuracy", accuracies[e.epoch]);
        assert_ok(c->ops->epoch_end(c, &e, control));
    }
    c->ops->destroy(c);
}

static void the_reason_names_the_best_epoch(void **state)
{
    (void)state;
    fmd_early_stopping_args args = {.monitor = "acc", .patience = 2, .baseline = (double)NAN};
    fmd_control control;
    run(&args, (double[]){0.8, 0.85, 0.84, 0.83}, 4, &control);
    assert_true(control.stop);
    assert_string_equal(control.reason,
                        "Early stopping: patience of 2 used up, best accuracy 0.85 in epoch 2");
    args.baseline = 0.9;
    run(&args, (double[]){0.8, 0.85, 0.84, 0.83}, 4, &control);
    assert_string_equal(
        control.reason,
        "Early stopping: patience of 2 used up, best accuracy 0.85 in epoch 2, baseline 0.9");
}

static void a_difference_that_float32_cannot_hold_is_no_progress(void **state)
{
    (void)state;
    fmd_early_stopping_args args = {.monitor = "accuracy", .patience = 1, .baseline = (double)NAN};
    fmd_control control;
    run(&args, (double[]){0.5, 0.5 + 1e-9}, 2, &control);
    assert_true(control.stop);
    run(&args, (double[]){0.5, 0.5 + 1e-6}, 2, &control);
    assert_false(control.stop);
}

static void a_metric_that_the_run_lacks_is_refused(void **state)
{
    (void)state;
    fmd_callback *c = NULL;
    fmd_early_stopping_args args = {.monitor = "val_loss", .baseline = (double)NAN};
    assert_fails(fmd_cb_early_stopping_create(&c, &args, false), FMD_EUSAGE,
                 "--monitor: there is no val_loss without validation data: give "
                 "--validation-split or --validation-data test");
    memcpy(args.monitor, "vall_loss", sizeof "vall_loss");
    assert_fails(fmd_cb_early_stopping_create(&c, &args, true), FMD_EUSAGE,
                 "--monitor: 'vall_loss' is not one of accuracy|loss|val_accuracy|val_loss "
                 "(did you mean 'val_loss'?)");
    assert_null(c);
}

static void negative_patience_is_refused(void **state)
{
    (void)state;
    fmd_callback *c = NULL;
    fmd_early_stopping_args args = {.monitor = "loss", .patience = -1, .baseline = (double)NAN};
    assert_fails(fmd_cb_early_stopping_create(&c, &args, false), FMD_EUSAGE,
                 "--patience: '-1' is not an integer from 0 on");
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_trace_of_keras_is_reproduced),
        cmocka_unit_test(every_trace_is_the_same_with_another_process_after_any_epoch),
        cmocka_unit_test(the_reason_names_the_best_epoch),
        cmocka_unit_test(a_difference_that_float32_cannot_hold_is_no_progress),
        cmocka_unit_test(a_metric_that_the_run_lacks_is_refused),
        cmocka_unit_test(negative_patience_is_refused),
    };
    return cmocka_run_group_tests(tests, create_model, destroy_model);
}
