/* Keras' ReduceLROnPlateau (keras/src/callbacks/reduce_lr_on_plateau.py, 3.15), rule for rule. */
#include "base/log.h"
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <float.h>
#include <stdlib.h>

/* The state after an epoch, which a checkpoint holds. */
typedef struct plateau_state {
    double best;      /* value of the metric; meaningless unless has_best */
    int64_t wait;     /* epochs since the last progress or reduction */
    int64_t cooldown; /* epochs left in which nothing is counted */
    bool has_best;
} plateau_state;

typedef struct plateau {
    fmd_callback base;
    fmd_plateau_args args;
    const char *monitor;
    plateau_state state;
} plateau;

/* Keras keeps the rate as a float and multiplies in double. */
static void reduce(plateau *p, const fmd_event *e, fmd_control *control)
{
    const double rate = (double)(float)e->base_rate;
    if (rate <= (double)(float)p->args.min_lr)
        return;
    control->base_rate = (double)(float)fmax(rate * p->args.factor, p->args.min_lr);
    p->state.cooldown = p->args.cooldown;
    p->state.wait = 0;
    fmd_info("epoch %d: %s has not improved, reducing the learning rate to %g", e->epoch + 1,
             p->monitor, control->base_rate);
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    plateau *p = (plateau *)c;
    plateau_state *s = &p->state;
    const double value = *fmd_metric_find(&e->metrics, p->monitor);
    if (s->cooldown > 0) {
        s->cooldown--;
        s->wait = 0;
    }
    /* The first value is the best so far even if it is NaN. */
    if (!s->has_best || fmd_metric_better(p->monitor, (fmd_monitor_mode)p->args.mode,
                                          p->args.min_delta, value, s->best)) {
        s->has_best = true;
        s->best = value;
        s->wait = 0;
    } else if (s->cooldown == 0 && ++s->wait >= p->args.patience) {
        reduce(p, e, control);
    }
    return FMD_OK;
}

static size_t entries(fmd_callback *c, fmd_state_entry *out)
{
    plateau_state *s = &((plateau *)c)->state;
    size_t n = 0;
    out[n++] = (fmd_state_entry){"plateau_has_best", FMD_STATE_U8, 1, &s->has_best, 0, 1, false};
    out[n++] =
        (fmd_state_entry){"plateau_best", FMD_STATE_F64, 1, &s->best, -DBL_MAX, DBL_MAX, true};
    out[n++] = (fmd_state_entry){"plateau_wait", FMD_STATE_I64, 1, &s->wait, 0, INT32_MAX, false};
    out[n++] =
        (fmd_state_entry){"plateau_cooldown", FMD_STATE_I64, 1, &s->cooldown, 0, INT32_MAX, false};
    return n;
}

static void destroy(fmd_callback *c)
{
    free(c);
}

static const fmd_callback_ops ops = {
    .name = "plateau", .epoch_end = epoch_end, .destroy = destroy, .entries = entries};

fmd_status fmd_cb_plateau_create(fmd_callback **out, const fmd_plateau_args *args,
                                 const fmd_metric_list *metrics, bool validation)
{
    FMD_TRY(fmd_metric_check(metrics, args->monitor, validation, "--lr-schedule plateau: monitor"));
    plateau *p;
    FMD_TRY(fmd_alloc(&p, 1, sizeof *p, "the learning rate on plateaus"));
    p->base.ops = &ops;
    p->args = *args;
    p->monitor = fmd_metric_name(metrics, args->monitor);
    *out = &p->base;
    return FMD_OK;
}
