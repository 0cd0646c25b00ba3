/* Loss and accuracy over the ranks: every sample counts once, the sums are exact. */
#ifndef FMD_TRAIN_EVALUATE_H
#define FMD_TRAIN_EVALUATE_H

#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "fmd/model.h"
#include "train/watchdog.h"

/* Rows that a model needs room for to be evaluated. */
enum { FMD_EVALUATE_SAMPLES = 256 };

typedef struct fmd_evaluation {
    double loss, accuracy; /* means over the samples; NAN for none */
    double seconds;
} fmd_evaluation;

/* Collective. Runs `split` through the model, which has room for FMD_EVALUATE_SAMPLES rows. `divisor` is
 * what pixels are divided by. The watchdog, or NULL, hears of every FMD_EVALUATE_SAMPLES rows. The result
 * is the same on every rank and for every number of ranks. FMD_EDIVERGED where a loss is not finite. */
FMD_CHECKED fmd_status fmd_evaluate(fmd_comm *c, fmd_model *m, const fmd_split *split,
                                    float divisor, fmd_watchdog *watchdog, fmd_evaluation *out);

#endif
