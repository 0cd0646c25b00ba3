/* The command train, for the tutorial too. */
#ifndef FMD_CLI_TRAIN_TRAIN_H
#define FMD_CLI_TRAIN_TRAIN_H

#include "run/job.h"

/* What comes out of a training. */
typedef struct fmd_outcome {
    fmd_fit_result result;
    fmd_evaluation test;
} fmd_outcome;

/* Collective. The command train; *out is set where it returns FMD_OK. */
FMD_CHECKED fmd_status fmd_train(fmd_comm *c, const fmd_config *config, fmd_outcome *out);

#endif
