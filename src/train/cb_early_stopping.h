/* What EarlyStopping knows after an epoch: with a copy of the best weights, all that a checkpoint
 * needs of it. */
#ifndef FMD_TRAIN_CB_EARLY_STOPPING_H
#define FMD_TRAIN_CB_EARLY_STOPPING_H

#include "fmd/callback.h"

typedef struct fmd_early_stopping_state {
    double best;       /* value of the metric; meaningless unless has_best */
    int64_t wait;      /* epochs since the last progress */
    int best_epoch;    /* from 0 */
    int stopped_epoch; /* meaningless unless stopped */
    bool has_best, stopped;
} fmd_early_stopping_state;

/* Local. `c` must come from fmd_cb_early_stopping_create. */
fmd_early_stopping_state *fmd_cb_early_stopping_state(fmd_callback *c);

#endif
