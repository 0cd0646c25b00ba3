/* Loss, accuracy and other metrics over the ranks: every sample counts once, the sums are exact. */
#ifndef FMD_TRAIN_EVALUATION_EVALUATE_H
#define FMD_TRAIN_EVALUATION_EVALUATE_H

#include "data/dataset.h"
#include "data/sampler.h"
#include "dist/comm.h"
#include "nn/metrics/metric.h"
#include "nn/model.h"
#include "train/watchdog.h"

/* The fixed size of a microbatch, so that no loss depends on the number of ranks; and the size of a
 * group of microbatches, large enough to be fast. */
enum { FMD_EVALUATE_MICROBATCH = 32, FMD_EVALUATE_SAMPLES = 128 };

/* Local. The range of n samples that `rank` evaluates: whole microbatches. */
fmd_range fmd_evaluate_share(size_t n, int rank, int size);

typedef struct fmd_evaluation {
    double loss, accuracy;         /* means over the samples; NAN for none */
    double extra[FMD_METRICS_MAX]; /* of the objective's metrics */
    double seconds;
} fmd_evaluation;

/* Collective. Runs `split` through the model, which has memory for FMD_EVALUATE_MICROBATCH samples at
 * least. `divisor` is the divisor of pixels. `objective` NULL: the default. The watchdog, or NULL, hears of every group. The result
 * is the same on every rank and for every number of ranks. FMD_EDIVERGED where a loss is not finite. */
FMD_CHECKED fmd_status fmd_evaluate(fmd_comm *c, fmd_model *m, const fmd_split *split,
                                    float divisor, const fmd_objective *objective,
                                    fmd_watchdog *watchdog, fmd_evaluation *out);

#endif
