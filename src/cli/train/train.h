/* The command train, for the tutorial too. */
#ifndef FMD_CLI_TRAIN_TRAIN_H
#define FMD_CLI_TRAIN_TRAIN_H

#include "run/job.h"

/* What comes out of a training. */
typedef struct fmd_outcome {
    fmd_fit_result result;
    fmd_evaluation test;
    fmd_metric_list metrics;
    size_t n_validation;
} fmd_outcome;

/* One training of several on the same data. */
typedef struct fmd_fold {
    int number; /* from 1 */
    const fmd_dataset *data;
} fmd_fold;

/* Collective. The command train without --k-fold; *out is set where it returns FMD_OK. `fold` NULL: on
 * all training images, which it loads. */
FMD_CHECKED fmd_status fmd_train(fmd_comm *c, const fmd_config *config, const fmd_fold *fold,
                                 fmd_outcome *out);

/* Collective. Trains each fold of --k-fold in a run folder of its own, and prints a table. */
FMD_CHECKED fmd_status fmd_train_folds(fmd_comm *c, const fmd_config *config);

#endif
