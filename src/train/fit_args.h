/* How to train: the arguments of fmd_fit, for the loop and for a step. */
#ifndef FMD_TRAIN_FIT_ARGS_H
#define FMD_TRAIN_FIT_ARGS_H

#include "data/dataset.h"
#include "dist/reduce/reduction.h"
#include "nn/metrics/metric.h"
#include "nn/schedule.h"
#include "train/callbacks/callback.h"
#include "train/checkpoints/checkpointer.h"
#include "train/mixing/mixing.h"
#include "train/watchdog.h"

/* Where parameters and optimizer state are: `none`: on each rank; `node`: once a node, and each rank
 * updates a slice; `auto`: node for large models. */
#define FMD_SHARDING_NAMES "auto|node|none"
typedef enum fmd_sharding { FMD_SHARDING_AUTO, FMD_SHARDING_NODE, FMD_SHARDING_NONE } fmd_sharding;

typedef struct fmd_fit_args {
    fmd_split train, validation; /* validation.n may be 0 */
    float divisor;               /* of pixels */
    fmd_objective objective;
    fmd_mixing mixing;         /* of training images */
    const float *class_weight; /* in training, factor of the loss for each class; NULL: 1 */
    int epochs;
    size_t batch_size;      /* over all ranks */
    size_t microbatch_size; /* fmd_microbatch_size's */
    fmd_schedule schedule;
    fmd_reduction_mode reduce;
    fmd_allreduce allreduce;
    size_t bucket_bytes; /* fmd_reduction_create's */
    fmd_sharding sharding;
    uint64_t seed;
    bool shuffle;
    size_t shuffle_window;    /* samples that are shuffled together; 0: all */
    fmd_callback **callbacks; /* called on rank 0, in this order */
    int n_callbacks;
    fmd_checkpointer *checkpointer; /* NULL: no checkpoints */
    bool resume;                    /* from the newest checkpoint of the run folder, if any */
    const char *resume_from;        /* otherwise from this file; NULL: start anew */
    const fmd_fingerprint_entry *fingerprint; /* must agree with the checkpoint to resume from */
    size_t n_fingerprint;
    fmd_watchdog *watchdog; /* NULL: signals are not handled */
} fmd_fit_args;

#endif
