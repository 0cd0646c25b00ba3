/* Keras' EarlyStopping (keras/src/callbacks/early_stopping.py, 3.15), rule for rule. */
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The state after an epoch, which a checkpoint holds, with a copy of the best weights. */
typedef struct early_stopping_state {
    double best;       /* value of the metric; meaningless unless has_best */
    int64_t wait;      /* epochs since the last progress */
    int best_epoch;    /* from 0 */
    int stopped_epoch; /* meaningless unless stopped */
    bool has_best, stopped;
} early_stopping_state;

typedef struct early_stopping {
    fmd_callback base;
    fmd_early_stopping_args args;
    const char *monitor;
    early_stopping_state state;
    fmd_kept_weights kept; /* the best ones; NULL unless they are to be restored */
    size_t n_params;
} early_stopping;

static bool is_better(const early_stopping *s, double value, double than)
{
    return fmd_metric_better(s->monitor, s->args.mode, s->args.min_delta, value, than);
}

typedef enum verdict { NO_BETTER, BEST_SO_FAR, STOP } verdict;

/* Advances the state by one epoch. */
static verdict judge(const early_stopping *s, early_stopping_state *t, int epoch, double value)
{
    if (epoch < s->args.start_from_epoch)
        return NO_BETTER;
    t->wait++;
    /* The first value is the best so far even if it is NaN; nothing is better than NaN. */
    if (t->has_best && !is_better(s, value, t->best)) {
        if (t->wait < s->args.patience)
            return NO_BETTER;
        t->stopped = true;
        t->stopped_epoch = epoch;
        return STOP;
    }
    t->has_best = true;
    t->best = value;
    t->best_epoch = epoch;
    /* Until the baseline is reached the wait continues, but this epoch improved: do not stop
     * now. */
    if (isnan(s->args.baseline) || is_better(s, value, s->args.baseline))
        t->wait = 0;
    return BEST_SO_FAR;
}

static void keep_weights(early_stopping *s, const fmd_model *m)
{
    if (s->kept.params != NULL && !s->kept.by_other)
        memcpy(s->kept.params, fmd_model_params(m), s->n_params * sizeof(float));
}

static void stop(const early_stopping *s, fmd_control *control)
{
    char baseline[48] = "";
    if (!isnan(s->args.baseline))
        snprintf(baseline, sizeof baseline, ", baseline %g", s->args.baseline);
    fmd_control_stop(
        control, "Early stopping: patience of %" PRId64 " used up, best %s %.6g in epoch %d%s",
        s->args.patience, s->monitor, s->state.best, s->state.best_epoch + 1, baseline);
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    early_stopping *s = (early_stopping *)c;
    const double value = *fmd_metric_find(&e->metrics, s->monitor);
    const verdict v = judge(s, &s->state, e->epoch, value);
    if (v == BEST_SO_FAR)
        keep_weights(s, e->model);
    if (v == STOP)
        stop(s, control);
    return FMD_OK;
}

/* All ranks have the weights of rank 0. */
static void shared(fmd_callback *c, const fmd_event *e)
{
    early_stopping *s = (early_stopping *)c;
    if (s->state.has_best && s->state.best_epoch == e->epoch)
        keep_weights(s, e->model);
}

/* For the epochs before the last, only the weights in the checkpoint are known. */
static fmd_status restored(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    early_stopping *s = (early_stopping *)c;
    early_stopping_state t = {.has_best = false};
    verdict last = NO_BETTER;
    for (int i = 0; i < e->epoch; i++)
        last = judge(s, &t, i, *fmd_metric_find(&e->history[i], s->monitor));
    const bool known = s->state.has_best && s->state.best_epoch == t.best_epoch;
    if (t.has_best && !known && t.best_epoch == e->epoch - 1 && e->step == 0)
        keep_weights(s, e->model);
    else if (t.has_best && !known && s->kept.params != NULL)
        return FMD_FAIL(FMD_EUSAGE,
                        "--restore-best: the checkpoint does not hold the weights of epoch %d, the "
                        "best so far by %s: continue with the options that the run began with",
                        t.best_epoch + 1, s->monitor);
    s->state = t;
    if (last == STOP && e->step == 0)
        stop(s, control);
    return FMD_OK;
}

/* Restores the best weights even if training was not stopped early. */
static fmd_status train_end(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights)
{
    (void)e;
    const early_stopping *s = (const early_stopping *)c;
    if (s->kept.params == NULL || !s->state.has_best)
        return FMD_OK;
    memcpy(weights->params, s->kept.params, s->n_params * sizeof(float));
    weights->epoch = s->state.best_epoch;
    return FMD_OK;
}

static size_t entries(fmd_callback *c, fmd_state_entry *out)
{
    early_stopping *s = (early_stopping *)c;
    early_stopping_state *t = &s->state;
    size_t n = 0;
    out[n++] =
        (fmd_state_entry){"early_stopping_has_best", FMD_STATE_U8, 1, &t->has_best, 0, 1, false};
    out[n++] = (fmd_state_entry){
        "early_stopping_best", FMD_STATE_F64, 1, &t->best, -DBL_MAX, DBL_MAX, true};
    out[n++] = (fmd_state_entry){
        "early_stopping_best_epoch", FMD_STATE_I32, 1, &t->best_epoch, 0, INT32_MAX - 1, false};
    out[n++] =
        (fmd_state_entry){"early_stopping_wait", FMD_STATE_I64, 1, &t->wait, 0, INT32_MAX, false};
    out[n++] =
        (fmd_state_entry){"early_stopping_stopped", FMD_STATE_U8, 1, &t->stopped, 0, 1, false};
    out[n++] = (fmd_state_entry){"early_stopping_stopped_epoch",
                                 FMD_STATE_I32,
                                 1,
                                 &t->stopped_epoch,
                                 0,
                                 INT32_MAX - 1,
                                 false};
    if (s->kept.params != NULL)
        out[n++] =
            (fmd_state_entry){"early_stopping_params", FMD_STATE_F32,   s->n_params, s->kept.params,
                              -(double)FLT_MAX,        (double)FLT_MAX, false};
    return n;
}

static fmd_kept_weights *kept(fmd_callback *c)
{
    return &((early_stopping *)c)->kept;
}

static void destroy(fmd_callback *c)
{
    early_stopping *s = (early_stopping *)c;
    free(s->kept.params);
    free(s);
}

static const fmd_callback_ops ops = {
    .name = "early_stopping",
    .epoch_end = epoch_end,
    .train_end = train_end,
    .destroy = destroy,
    .entries = entries,
    .shared = shared,
    .kept = kept,
    .restored = restored,
};

fmd_status fmd_cb_early_stopping_create(fmd_callback **out, const fmd_early_stopping_args *args,
                                        const fmd_metric_list *metrics, bool validation)
{
    FMD_TRY(fmd_metric_check(metrics, args->monitor, validation, "--monitor"));
    if (args->patience < 0)
        return FMD_FAIL(FMD_EUSAGE, "--patience: '%" PRId64 "' is not an integer from 0 on",
                        args->patience);
    early_stopping *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "early stopping"));
    s->base.ops = &ops;
    s->args = *args;
    s->args.min_delta = fabs(args->min_delta);
    s->monitor = fmd_metric_name(metrics, args->monitor);
    if (args->restore_best) {
        s->n_params = args->n_params;
        fmd_status st = fmd_alloc(&s->kept.params, s->n_params, sizeof(float), "the best weights");
        if (st != FMD_OK) {
            free(s);
            return st;
        }
    }
    *out = &s->base;
    return FMD_OK;
}
