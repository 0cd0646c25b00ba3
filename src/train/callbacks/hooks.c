#include "train/callbacks/hooks.h"

fmd_status fmd_hooks_train_begin(const fmd_hooks *h, const fmd_event *e)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->train_begin != NULL)
            FMD_TRY(c->ops->train_begin(c, e));
    }
    return FMD_OK;
}

void fmd_hooks_epoch_begin(const fmd_hooks *h, const fmd_event *e)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->epoch_begin != NULL)
            c->ops->epoch_begin(c, e);
    }
}

void fmd_hooks_batch_end(const fmd_hooks *h, const fmd_event *e, fmd_control *control)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->batch_end != NULL)
            c->ops->batch_end(c, e, control);
    }
}

fmd_status fmd_hooks_epoch_end(const fmd_hooks *h, const fmd_event *e, fmd_control *control)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->epoch_end != NULL)
            FMD_TRY(c->ops->epoch_end(c, e, control));
    }
    return FMD_OK;
}

void fmd_hooks_saved(const fmd_hooks *h, const char *file, uint64_t step, double seconds)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->saved != NULL)
            c->ops->saved(c, file, step, seconds);
    }
}

fmd_status fmd_hooks_train_end(const fmd_hooks *h, const fmd_event *e, fmd_final_weights *weights)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->train_end != NULL)
            FMD_TRY(c->ops->train_end(c, e, weights));
    }
    return FMD_OK;
}

void fmd_hooks_fit_end(const fmd_hooks *h)
{
    for (int i = 0; i < h->n; i++) {
        fmd_callback *c = h->callbacks[i];
        if (c->ops->fit_end != NULL)
            c->ops->fit_end(c);
    }
}
