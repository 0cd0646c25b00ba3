/* How to train: the arguments of fmd_fit, for the loop and for a step. */
#ifndef FMD_TRAIN_FIT_ARGS_H
#define FMD_TRAIN_FIT_ARGS_H

#include "dist/reduce/reduction.h"
#include "fmd/callback.h"
#include "fmd/dataset.h"
#include "nn/schedule.h"
#include "train/checkpointer.h"
#include "train/watchdog.h"

typedef struct fmd_fit_args {
    fmd_split train, validation; /* validation.n may be 0 */
    float divisor;               /* what pixels are divided by */
    int epochs;
    size_t batch_size;      /* over all ranks */
    size_t microbatch_size; /* fmd_microbatch_size's */
    fmd_schedule schedule;
    fmd_reduction_mode reduce;
    fmd_allreduce allreduce;
    uint64_t seed;
    bool shuffle;
    fmd_callback **callbacks; /* hooks run on rank 0, in this order */
    int n_callbacks;
    fmd_checkpointer *checkpointer; /* NULL: no checkpoints */
    bool resume;             /* go on from the checkpointer's newest checkpoint, if there is one */
    const char *resume_from; /* if there is none, from this file; NULL: from the start */
    const fmd_fingerprint_entry
        *fingerprint; /* what a checkpoint to go on from must have in common */
    size_t n_fingerprint;
    fmd_watchdog *watchdog; /* NULL: signals are not handled */
} fmd_fit_args;

#endif
