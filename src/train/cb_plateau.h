/* What ReduceLROnPlateau knows after an epoch: all that a checkpoint needs of it. */
#ifndef FMD_TRAIN_CB_PLATEAU_H
#define FMD_TRAIN_CB_PLATEAU_H

#include "fmd/callback.h"

typedef struct fmd_plateau_state {
    double best;      /* value of the metric; meaningless unless has_best */
    int64_t wait;     /* epochs since the last progress or reduction */
    int64_t cooldown; /* epochs in which nothing is counted */
    bool has_best;
} fmd_plateau_state;

/* Local. `c` must come from fmd_cb_plateau_create. */
const fmd_plateau_state *fmd_cb_plateau_state(const fmd_callback *c);

#endif
