/* One step of training: a global batch, seen from one rank. */
#ifndef FMD_TRAIN_STEP_H
#define FMD_TRAIN_STEP_H

#include "dist/reduce/reduction.h"
#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "fmd/model.h"
#include "fmd/optimizer.h"
#include "train/fit_args.h"

typedef struct fmd_stepper fmd_stepper;

/* Collective, as is destroy. Everything that a step needs is allocated here. Borrows all pointers. */
FMD_CHECKED fmd_status fmd_stepper_create(fmd_stepper **out, fmd_comm *c, fmd_model *m,
                                          fmd_optimizer *o, const fmd_fit_args *args);
void fmd_stepper_destroy(fmd_stepper *s);

/* What this rank wants to happen after the step. */
typedef struct fmd_step_requests {
    bool stop, save;
} fmd_step_requests;

/* What a step was over all ranks. */
typedef struct fmd_step_sums {
    double loss; /* sum over the samples */
    int64_t correct, samples;
    int64_t stop, save; /* ranks that ask to stop after this step, or for a checkpoint */
} fmd_step_sums;

/* Collective. Trains on the `count` samples of `order`, the global batch; `step` steps have been
 * done before. What a rank asks for reaches all of them. FMD_EDIVERGED leaves the parameters as they were. */
FMD_CHECKED fmd_status fmd_stepper_run(fmd_stepper *s, const uint32_t *order, size_t count,
                                       uint64_t step, double learning_rate,
                                       fmd_step_requests requests, fmd_step_sums *sums);

/* Local. Where this rank's time went. */
fmd_phase_seconds fmd_stepper_seconds(const fmd_stepper *s);

/* Local. Counts the time from zero, and from now on tells the message, the wait for the last rank
 * and the rest of the reduction apart, which costs a barrier a step. On all ranks. */
void fmd_stepper_breakdown(fmd_stepper *s);

/* Local. The bytes of the one message of a step. */
size_t fmd_stepper_message_bytes(const fmd_stepper *s);

/* Local. How many samples of a batch of `count` are this rank's, and how many rows its matrix
 * products have. */
void fmd_stepper_share(const fmd_stepper *s, size_t count, size_t *samples, size_t *product_rows);

/* Local. The reduction's scale after the last whole step, an exponent for each parameter tensor, an
 * state entry of the state; and making the reduction go on from it. */
int32_t *fmd_stepper_scales(fmd_stepper *s);
void fmd_stepper_set_scales(fmd_stepper *s);

/* Local. Steps computed again. */
int64_t fmd_stepper_repeats(const fmd_stepper *s);

#endif
