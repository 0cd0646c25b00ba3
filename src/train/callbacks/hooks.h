/* Calls the hooks of all callbacks, in their order. Ranks other than 0 have none. */
#ifndef FMD_TRAIN_CALLBACKS_HOOKS_H
#define FMD_TRAIN_CALLBACKS_HOOKS_H

#include "train/callbacks/callback.h"

typedef struct fmd_hooks {
    fmd_callback **callbacks;
    int n;
} fmd_hooks;

/* Local. Calls the hook of this name of each callback that has it, with these arguments; the first
 * failure ends the round. */
FMD_CHECKED fmd_status fmd_hooks_train_begin(const fmd_hooks *h, const fmd_event *e);
void fmd_hooks_epoch_begin(const fmd_hooks *h, const fmd_event *e);
void fmd_hooks_batch_end(const fmd_hooks *h, const fmd_event *e, fmd_control *control);
FMD_CHECKED fmd_status fmd_hooks_epoch_end(const fmd_hooks *h, const fmd_event *e,
                                           fmd_control *control);
void fmd_hooks_saved(const fmd_hooks *h, const char *file, uint64_t step, double seconds);
FMD_CHECKED fmd_status fmd_hooks_train_end(const fmd_hooks *h, const fmd_event *e,
                                           fmd_final_weights *weights);
void fmd_hooks_fit_end(const fmd_hooks *h);

#endif
