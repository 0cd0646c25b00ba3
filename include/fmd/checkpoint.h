/* Checkpoint files. fmd/model.h loads and saves them. */
#ifndef FMD_CHECKPOINT_H
#define FMD_CHECKPOINT_H

#include "fmd/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Local. Checks that `path` is a complete, undamaged checkpoint: a regular file, its sizes and its
 * hash. *step: steps of training done when it was written. FMD_ENOINPUT, FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_checkpoint_verify(const char *path, uint64_t *step);

#ifdef __cplusplus
}
#endif

#endif
