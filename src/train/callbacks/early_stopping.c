/* Keras' EarlyStopping (keras/src/callbacks/early_stopping.py, 3.15), rule for rule. */
#include "base/log.h"
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What it knows after an epoch: with a copy of the best weights, all that a checkpoint needs. */
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
    float *best_params; /* NULL unless they are to be restored */
    size_t n_params;
} early_stopping;

static bool is_better(const early_stopping *s, double value, double than)
{
    return fmd_metric_better(s->monitor, s->args.mode, s->args.min_delta, value, than);
}

static void stop(early_stopping *s, int epoch, fmd_control *control)
{
    s->state.stopped = true;
    s->state.stopped_epoch = epoch;
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
    if (e->epoch < s->args.start_from_epoch)
        return FMD_OK;
    double value = *fmd_metric_find(&e->metrics, s->monitor);
    s->state.wait++;
    /* The first value is the best so far even if it is NaN; nothing is better than NaN. */
    if (s->state.has_best && !is_better(s, value, s->state.best)) {
        if (s->state.wait >= s->args.patience)
            stop(s, e->epoch, control);
        return FMD_OK;
    }
    s->state.has_best = true;
    s->state.best = value;
    s->state.best_epoch = e->epoch;
    if (s->best_params != NULL)
        memcpy(s->best_params, fmd_model_params(e->model), s->n_params * sizeof(float));
    /* Short of the baseline the patience runs on, but this epoch was better: do not stop here. */
    if (isnan(s->args.baseline) || is_better(s, value, s->args.baseline))
        s->state.wait = 0;
    return FMD_OK;
}

/* Also where training ran to its end. */
static fmd_status train_end(fmd_callback *c, const fmd_event *e, float *params)
{
    (void)e;
    const early_stopping *s = (const early_stopping *)c;
    if (s->best_params == NULL || !s->state.has_best)
        return FMD_OK;
    memcpy(params, s->best_params, s->n_params * sizeof(float));
    fmd_info("the weights are those of epoch %d, the best by %s", s->state.best_epoch + 1,
             s->monitor);
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
    if (s->best_params != NULL)
        out[n++] = (fmd_state_entry){"early_stopping_params",
                                     FMD_STATE_F32,
                                     s->n_params,
                                     s->best_params,
                                     -FLT_MAX,
                                     FLT_MAX,
                                     false};
    return n;
}

static void destroy(fmd_callback *c)
{
    early_stopping *s = (early_stopping *)c;
    free(s->best_params);
    free(s);
}

static const fmd_callback_ops ops = {
    .name = "early_stopping",
    .epoch_end = epoch_end,
    .train_end = train_end,
    .destroy = destroy,
    .entries = entries,
};

fmd_status fmd_cb_early_stopping_create(fmd_callback **out, const fmd_early_stopping_args *args,
                                        bool validation)
{
    FMD_TRY(fmd_metric_check(args->monitor, validation, "--monitor"));
    if (args->patience < 0)
        return FMD_FAIL(FMD_EUSAGE, "--patience: '%" PRId64 "' is not an integer from 0 on",
                        args->patience);
    early_stopping *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "early stopping"));
    s->base.ops = &ops;
    s->args = *args;
    s->args.min_delta = fabs(args->min_delta);
    s->monitor = fmd_metric_name(args->monitor);
    if (args->restore_best) {
        s->n_params = args->n_params;
        fmd_status st = fmd_alloc(&s->best_params, s->n_params, sizeof(float), "the best weights");
        if (st != FMD_OK) {
            free(s);
            return st;
        }
    }
    *out = &s->base;
    return FMD_OK;
}
