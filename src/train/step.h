/* One training step: the part of one rank in a global batch. */
#ifndef FMD_TRAIN_STEP_H
#define FMD_TRAIN_STEP_H

#include "data/dataset.h"
#include "dist/comm.h"
#include "dist/reduce/reduction.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"
#include "train/fit_args.h"

typedef struct fmd_stepper fmd_stepper;

/* Collective, as is destroy. Allocates everything that a step needs. Borrows all pointers. */
FMD_CHECKED fmd_status fmd_stepper_create(fmd_stepper **out, fmd_comm *c, fmd_model *m,
                                          fmd_optimizer *o, const fmd_fit_args *args);
void fmd_stepper_destroy(fmd_stepper *s);

/* Requests of this rank for the time after the step. */
typedef struct fmd_step_requests {
    bool stop, save;
} fmd_step_requests;

/* The result of a step over all ranks. */
typedef struct fmd_step_sums {
    double loss; /* sum over the samples */
    int64_t correct, samples;
    const int64_t *metrics; /* counters of the metrics, until the next step */
    int64_t stop, save;     /* ranks that ask to stop after this step, or for a checkpoint */
} fmd_step_sums;

/* Collective. The first half of a step: sums the gradients of the `count` samples of `order`, the
 * global batch, after `step` earlier steps. A request of one rank reaches all ranks. A failure ends
 * the step: FMD_EDIVERGED; or the status of a stream of images, if some rank could not read its
 * images. */
FMD_CHECKED fmd_status fmd_stepper_sum(fmd_stepper *s, const uint32_t *order, size_t count,
                                       uint64_t step, fmd_step_requests requests,
                                       fmd_step_sums *sums);

/* Collective. The second half: updates the parameters. From here on the step counts as done, so the
 * caller counts it before: if a rank dies, the others complete the update. */
void fmd_stepper_update(fmd_stepper *s, double learning_rate);

/* Local. For the watchdog, which holds the state: completes an update that has begun, and keeps the
 * parameters from changing until thaw. False: impossible at the moment; try again later. */
bool fmd_stepper_freeze(fmd_stepper *s);
void fmd_stepper_thaw(fmd_stepper *s);

/* Local. Whether the ranks of a node share parameters, slots and the weights that callbacks keep. */
bool fmd_stepper_shares(const fmd_stepper *s);

/* Local. The end of training: fmd_optimizer_finish, once for each copy of the parameters; true where it
 * replaced them. */
bool fmd_stepper_end(fmd_stepper *s);

/* Local. Asks for this rank's images of the next batch, `count` samples of `order`, before they are
 * needed. Only for images in a stream. */
void fmd_stepper_read_ahead(const fmd_stepper *s, const uint32_t *order, size_t count);

/* Local. The time of this rank, by phase. */
fmd_phase_seconds fmd_stepper_seconds(const fmd_stepper *s);

/* Local, on all ranks. Restarts the clocks at zero. From now on the reduction is split into the wait
 * for the last rank, the message, and the rest, which costs a barrier in each step. */
void fmd_stepper_breakdown(fmd_stepper *s);

/* Local. The size of the message of a step, in bytes. */
size_t fmd_stepper_message_bytes(const fmd_stepper *s);

/* Local. This rank's samples of a batch of `count`, and the rows of its matrix products. */
void fmd_stepper_share(const fmd_stepper *s, size_t count, size_t *samples, size_t *product_rows);

/* Local. The scales of the reduction after the last complete step, an exponent for each tensor, which
 * checkpoints hold; set_scales makes the reduction continue from them. */
int32_t *fmd_stepper_scales(fmd_stepper *s);
void fmd_stepper_set_scales(fmd_stepper *s);

/* Local. The number of steps that were computed again. */
int64_t fmd_stepper_repeats(const fmd_stepper *s);

#endif
