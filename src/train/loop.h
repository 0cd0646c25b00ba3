/* The training loop. */
#ifndef FMD_TRAIN_LOOP_H
#define FMD_TRAIN_LOOP_H

#include "dist/comm.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"
#include "train/fit_args.h"

typedef struct fmd_fit_result {
    int epochs;              /* completed */
    uint64_t steps, samples; /* over all ranks */
    double seconds;          /* of training, without validation */
    int64_t repeats;         /* steps computed again on a wider scale */
    fmd_phase_spread phases; /* over the ranks */
    fmd_metrics first;       /* of the first epoch */
    fmd_metrics metrics;     /* of the last completed epoch */
    fmd_metrics kept;        /* of the epoch of the final weights */
    int weights_epoch;       /* epoch of the final weights, from 0; -1: no epoch was completed */
    char reason[160];        /* why training ended early; "" if it did not */
    bool interrupted;        /* by a signal or the clock: it can be resumed */
    uint64_t resumed_step;   /* steps done by earlier processes */
    double save_seconds;     /* rank 0: spent on checkpoints */
    int saves;
    int best_epoch; /* rank 0: of best.weights.h5, from 1; 0: there is none */
} fmd_fit_result;

/* Collective. Trains the model from its present parameters. On return every rank holds the same
 * parameters and the same result. The slots of the optimizer may be reset. FMD_EDIVERGED: the loss or a gradient is not finite. FMD_EDESYNC:
 * the ranks' parameters differ. Otherwise the status of a callback that failed. */
FMD_CHECKED fmd_status fmd_fit(fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                               const fmd_fit_args *args, fmd_fit_result *result);

#endif
