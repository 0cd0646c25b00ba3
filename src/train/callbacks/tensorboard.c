/* TensorBoard's logs, with the names that Keras' callback gives: train and validation apart. */
#include "io/tensorboard/tensorboard.h"
#include "base/mem.h"
#include "train/callbacks/callbacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct board {
    fmd_callback base;
    fmd_tensorboard *train, *validation; /* the second from the first validation on */
    int64_t first_epoch;                 /* of this process */
    char run_folder[];
} board;

static fmd_status train_begin(fmd_callback *c, const fmd_event *e)
{
    board *s = (board *)c;
    s->first_epoch = e->epoch;
    return fmd_tensorboard_open(&s->train, s->run_folder, "train", e->epoch);
}

static void add_extra(fmd_tensorboard *t, int64_t epoch, const fmd_metrics *m, const double *values)
{
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++) {
        char name[FMD_METRIC_NAME_BYTES + 8];
        snprintf(name, sizeof name, "epoch_%s", fmd_metric_column(&m->list->of[i]));
        fmd_tensorboard_scalar(t, name, epoch, values[i]);
    }
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    board *s = (board *)c;
    const fmd_metrics *m = &e->metrics;
    fmd_tensorboard_scalar(s->train, "epoch_accuracy", e->epoch, m->accuracy);
    fmd_tensorboard_scalar(s->train, "epoch_loss", e->epoch, m->loss);
    fmd_tensorboard_scalar(s->train, "epoch_learning_rate", e->epoch, m->learning_rate);
    add_extra(s->train, e->epoch, m, m->extra);
    FMD_TRY(fmd_tensorboard_flush(s->train));
    if (isnan(m->val_loss))
        return FMD_OK;
    if (s->validation == NULL)
        FMD_TRY(fmd_tensorboard_open(&s->validation, s->run_folder, "validation", s->first_epoch));
    fmd_tensorboard_scalar(s->validation, "epoch_accuracy", e->epoch, m->val_accuracy);
    fmd_tensorboard_scalar(s->validation, "epoch_loss", e->epoch, m->val_loss);
    add_extra(s->validation, e->epoch, m, m->val_extra);
    return fmd_tensorboard_flush(s->validation);
}

static void destroy(fmd_callback *c)
{
    board *s = (board *)c;
    fmd_tensorboard_close(s->train);
    fmd_tensorboard_close(s->validation);
    free(s);
}

static const fmd_callback_ops ops = {
    .name = "tensorboard",
    .train_begin = train_begin,
    .epoch_end = epoch_end,
    .destroy = destroy,
};

fmd_status fmd_cb_tensorboard_create(fmd_callback **out, const char *run_folder)
{
    board *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s + strlen(run_folder) + 1, "the TensorBoard log"));
    s->base.ops = &ops;
    memcpy(s->run_folder, run_folder, strlen(run_folder) + 1);
    *out = &s->base;
    return FMD_OK;
}
