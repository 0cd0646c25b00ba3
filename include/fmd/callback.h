/* Callbacks observe a training and may stop it.
 *
 * They run on rank 0 and see values over all ranks; their decisions are broadcast. */
#ifndef FMD_CALLBACK_H
#define FMD_CALLBACK_H

#include "fmd/error.h"
#include "fmd/model.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A moment of a training, and the requests of a callback; both valid during the call only. */
typedef struct fmd_event fmd_event;
typedef struct fmd_control fmd_control;

/* Rank 0. Called after each epoch. A failure ends the training on every rank with the same status and
 * message. */
typedef fmd_status fmd_epoch_hook(void *self, const fmd_event *e, fmd_control *control);

/* Rank 0. Called after each step; keep it short, since all ranks wait for it. */
typedef void fmd_batch_hook(void *self, const fmd_event *e, fmd_control *control);

/* Local. The epoch, from 0; steps done in this epoch. */
int fmd_event_epoch(const fmd_event *e);
uint64_t fmd_event_step(const fmd_event *e);

/* Local. A value by Keras' name: "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", or a
 * column of --metrics, such as "val_f1". NAN if there is none. Within an epoch: the mean so far. */
double fmd_event_metric(const fmd_event *e, const char *name);

/* Local. The model in training, to save it, for instance. */
const fmd_model *fmd_event_model(const fmd_event *e);

/* Local. Ends the training: after this epoch, or, from a batch hook, after the next step. The first
 * reason is kept. */
void fmd_control_stop(fmd_control *control, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
