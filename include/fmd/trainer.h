/* Training: a model, a data set, and options by name.
 *
 * The weights have the same bits on any number of ranks. Nothing is printed or written; run folders,
 * checkpoints and resuming belong to the program fmnist-dist. */
#ifndef FMD_TRAINER_H
#define FMD_TRAINER_H

#include "fmd/callback.h"
#include "fmd/dataset.h"
#include "fmd/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fmd_trainer fmd_trainer;

/* Local. A trainer of `m` on `d`, which must outlive it. FMD_EUSAGE if they do not fit each other;
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_trainer_create(fmd_trainer **out, fmd_comm *c, fmd_model *m,
                                          const fmd_dataset *d);
void fmd_trainer_destroy(fmd_trainer *t);

/* Local. Sets an option of `fmnist-dist train` by its name without dashes, on every rank alike:
 * ("epochs", "5"), ("optimizer", "sgd:momentum=0.9"), ("validation-split", "0.1"). All options about
 * training, loss and metrics, stopping and distribution exist; those about files and output do not.
 * FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_trainer_set(fmd_trainer *t, const char *name, const char *value);

/* Local. Adds a callback; each kind is called in the order of addition, with `self` as its first
 * argument. Give it on every rank or on rank 0 only. FMD_EUSAGE: more than 16 of them. */
FMD_CHECKED fmd_status fmd_trainer_on_epoch_end(fmd_trainer *t, fmd_epoch_hook *hook, void *self);
FMD_CHECKED fmd_status fmd_trainer_on_batch_end(fmd_trainer *t, fmd_batch_hook *hook, void *self);

/* Collective. Trains from the present weights; every rank ends with the same ones. On failure the
 * weights are those from before. FMD_EUSAGE for options that contradict each other; FMD_ENOMEM;
 * FMD_EDIVERGED: the loss or a gradient is not finite; FMD_EDESYNC: the ranks differ; or the status of
 * a callback. */
FMD_CHECKED fmd_status fmd_trainer_fit(fmd_trainer *t);

/* Local. After fmd_trainer_fit: a value of the epoch that left the weights, named as in
 * fmd_event_metric; the number of completed epochs; and why training ended early, or "". */
double fmd_trainer_metric(const fmd_trainer *t, const char *name);
int fmd_trainer_epochs(const fmd_trainer *t);
const char *fmd_trainer_stop_reason(const fmd_trainer *t);

/* Collective. Mean loss and accuracy over a split; each pointer may be NULL. Every rank gets them.
 * FMD_EDIVERGED, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_trainer_evaluate(fmd_trainer *t, fmd_split_name split, double *loss,
                                            double *accuracy);

#ifdef __cplusplus
}
#endif

#endif
