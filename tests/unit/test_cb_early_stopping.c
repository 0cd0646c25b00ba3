/* Early stopping, held against the traces of Keras' own. */
#include "support/fmd_test.h"
#include "support/keras_trace.h"
#include "train/callbacks/callbacks.h"

#include "nn/model.h"

#include <inttypes.h>
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

typedef struct trace {
    char name[64];
    fmd_early_stopping_args args;
    int n_values, epochs_run;
    double values[TRACE_EPOCHS], wait[TRACE_EPOCHS], best[TRACE_EPOCHS];
    int stopped, stopped_epoch, best_epoch, weights_from;
} trace;

/* False at the end of the file. */
static bool read_trace(FILE *file, trace *t)
{
    memset(t, 0, sizeof *t);
    int c = 0;
    if (!trace_begins(file, t->name))
        return false;
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
    a->mode = trace_mode(mode);
    t->n_values = trace_row(file, "values", t->values);
    t->epochs_run = trace_row(file, "wait", t->wait);
    assert_int_equal(trace_row(file, "best", t->best), t->epochs_run);
    assert_int_equal(fscanf(file, " stopped %d stopped_epoch %d best_epoch %d weights_from %d",
                            &t->stopped, &t->stopped_epoch, &t->best_epoch, &t->weights_from),
                     4);
    return true;
}

static double known(fmd_callback *c, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "early_stopping_%s", name);
    return callback_entry(c, full);
}

/* Before the epoch `resumed` another process takes over; -1: none. */
static void replay(const trace *t, int resumed)
{
    fmd_callback *c;
    assert_ok(fmd_cb_early_stopping_create(&c, &t->args, NULL, true));
    fmd_event e = {.epochs = t->n_values, .model = model};
    fmd_control control = {.stop = false};
    for (e.epoch = 0; e.epoch < t->n_values && !control.stop; e.epoch++) {
        if (e.epoch == resumed) {
            fmd_callback *before = c;
            assert_ok(fmd_cb_early_stopping_create(&c, &t->args, NULL, true));
            callback_hand_over(before, c);
        }
        set_params((float)e.epoch);
        e.metrics = trace_metrics(t->args.monitor, t->values[e.epoch]);
        assert_ok(c->ops->epoch_end(c, &e, &control));
        if (e.epoch >= t->epochs_run)
            fail_msg("%s: epoch %d should not have run", t->name, e.epoch);
        const double wait = known(c, "wait");
        const double best = known(c, "has_best") != 0 ? known(c, "best") : (double)NAN;
        if (wait != t->wait[e.epoch] || !trace_same(best, t->best[e.epoch]))
            fail_msg("%s, epoch %d: wait %g best %.17g; Keras: wait %g best %.17g", t->name,
                     e.epoch, wait, best, t->wait[e.epoch], t->best[e.epoch]);
    }
    fmd_final_weights weights = {.params = params, .epoch = t->n_values - 1};
    assert_ok(c->ops->train_end(c, &e, &weights));
    if (t->args.restore_best && weights.epoch != t->weights_from)
        fail_msg("%s: says epoch %d, Keras: %d", t->name, weights.epoch, t->weights_from);
    const int stopped = (int)known(c, "stopped"), stopped_epoch = (int)known(c, "stopped_epoch");
    const int best_epoch = (int)known(c, "best_epoch");
    if (e.epoch != t->epochs_run || stopped != control.stop || stopped != t->stopped ||
        stopped_epoch != t->stopped_epoch || best_epoch != t->best_epoch)
        fail_msg("%s: ran %d, stopped %d in %d, best %d; Keras: ran %d, stopped %d in %d, best %d",
                 t->name, e.epoch, stopped, stopped_epoch, best_epoch, t->epochs_run, t->stopped,
                 t->stopped_epoch, t->best_epoch);
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
    FILE *file = trace_open("early_stopping.txt");
    for (; read_trace(file, &t); n++)
        replay(&t, -1);
    fclose(file);
    assert_int_equal(n, 29);
}

static void every_trace_is_the_same_with_another_process_after_any_epoch(void **state)
{
    (void)state;
    trace t;
    FILE *file = trace_open("early_stopping.txt");
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
    assert_ok(fmd_cb_early_stopping_create(&c, args, NULL, false));
    fmd_event e = {.epochs = n};
    memset(control, 0, sizeof *control);
    for (e.epoch = 0; e.epoch < n && !control->stop; e.epoch++) {
        e.metrics = trace_metrics("accuracy", accuracies[e.epoch]);
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
    assert_fails(fmd_cb_early_stopping_create(&c, &args, NULL, false), FMD_EUSAGE,
                 "--monitor: there is no val_loss without validation data: give "
                 "--validation-split or --validation-data test");
    memcpy(args.monitor, "vall_loss", sizeof "vall_loss");
    assert_fails(fmd_cb_early_stopping_create(&c, &args, NULL, true), FMD_EUSAGE,
                 "--monitor: 'vall_loss' is not one of accuracy|loss|val_accuracy|val_loss "
                 "(did you mean 'val_loss'?)");
    assert_null(c);
}

static void negative_patience_is_refused(void **state)
{
    (void)state;
    fmd_callback *c = NULL;
    fmd_early_stopping_args args = {.monitor = "loss", .patience = -1, .baseline = (double)NAN};
    assert_fails(fmd_cb_early_stopping_create(&c, &args, NULL, false), FMD_EUSAGE,
                 "--patience: '-1' is not an integer from 0 on");
    assert_null(c);
}

/* Losses of six epochs; the second is the best. */
static const double losses[] = {0.9, 0.5, 0.7, 0.6, 0.8, 0.7};
enum { LOSSES = sizeof losses / sizeof *losses };

static fmd_callback *create(int64_t patience, bool restore_best)
{
    fmd_callback *c;
    const fmd_early_stopping_args args = {.monitor = "loss",
                                          .patience = patience,
                                          .baseline = (double)NAN,
                                          .restore_best = restore_best,
                                          .n_params = N_PARAMS};
    assert_ok(fmd_cb_early_stopping_create(&c, &args, NULL, false));
    return c;
}

/* What a callback that knows nothing makes of a run of these epochs. */
static fmd_status restore(fmd_callback *c, int epochs, fmd_control *control)
{
    fmd_metrics history[LOSSES];
    for (int i = 0; i < epochs; i++)
        history[i] = trace_metrics("loss", losses[i]);
    const fmd_event e = {
        .epoch = epochs, .epochs = LOSSES, .steps = 1, .model = model, .history = history};
    *control = (fmd_control){.stop = false};
    return c->ops->restored(c, &e, control);
}

static void another_patience_counts_the_epochs_that_are_done(void **state)
{
    (void)state;
    fmd_control control;
    fmd_callback *c = create(5, false);
    assert_ok(restore(c, 5, &control));
    assert_false(control.stop);
    assert_int_equal((int)known(c, "wait"), 3);
    assert_int_equal((int)known(c, "best_epoch"), 1);
    c->ops->destroy(c);
    c = create(2, false);
    assert_ok(restore(c, 5, &control));
    assert_true(control.stop);
    c->ops->destroy(c);
}

static void weights_of_the_best_epoch_that_are_nowhere_cannot_be_restored(void **state)
{
    (void)state;
    fmd_control control;
    fmd_callback *c = create(5, true);
    assert_fails(restore(c, 5, &control), FMD_EUSAGE,
                 "--restore-best: the checkpoint does not hold the weights of epoch 2, the best so "
                 "far by loss: continue with the options that the run began with");
    c->ops->destroy(c);
    /* Those of the last epoch are the model's. */
    c = create(5, true);
    set_params(2);
    assert_ok(restore(c, 2, &control));
    set_params(3);
    fmd_final_weights weights = {.params = params, .epoch = 2};
    assert_ok(c->ops->train_end(c, &(fmd_event){.epoch = 2}, &weights));
    assert_true(params[0] == 2.0F && weights.epoch == 1);
    c->ops->destroy(c);
}

/* A rank that is not the first hears of rank 0's state, and makes its copy itself. */
static void each_rank_keeps_the_best_weights_itself(void **state)
{
    (void)state;
    fmd_control control = {.stop = false};
    fmd_callback *root = create(5, true), *other = create(5, true);
    for (int i = 0; i < LOSSES; i++) {
        const fmd_event e = {.epoch = i,
                             .epochs = LOSSES,
                             .model = model,
                             .metrics = trace_metrics("loss", losses[i])};
        fmd_state_entry from[FMD_CALLBACK_ENTRIES], to[FMD_CALLBACK_ENTRIES];
        set_params((float)i);
        assert_ok(root->ops->epoch_end(root, &e, &control));
        const size_t n = root->ops->entries(root, from);
        other->ops->entries(other, to);
        for (size_t k = 0; k < n; k++)
            if (from[k].kind != FMD_STATE_F32)
                memcpy(to[k].data, from[k].data, fmd_state_entry_bytes(&from[k]));
        other->ops->shared(other, &e);
    }
    fmd_final_weights weights = {.params = params, .epoch = LOSSES - 1};
    assert_ok(other->ops->train_end(other, &(fmd_event){.epoch = LOSSES - 1}, &weights));
    assert_true(params[0] == 1.0F && weights.epoch == 1);
    root->ops->destroy(root);
    other->ops->destroy(other);
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
        cmocka_unit_test(another_patience_counts_the_epochs_that_are_done),
        cmocka_unit_test(weights_of_the_best_epoch_that_are_nowhere_cannot_be_restored),
        cmocka_unit_test(each_rank_keeps_the_best_weights_itself),
    };
    return cmocka_run_group_tests(tests, create_model, destroy_model);
}
