/* The first 512 bytes of a checkpoint, before its HDF5 file. */
#ifndef FMD_IO_CHECKPOINT_USER_BLOCK_H
#define FMD_IO_CHECKPOINT_USER_BLOCK_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

enum { FMD_USER_BLOCK_BYTES = 512 };

/* Local. Fills the block of a file whose image, block included, is `bytes` long. */
void fmd_user_block_fill(void *image, size_t bytes, uint64_t step);

/* Local. Checks the block against the image. FMD_EDATA names `path` and the fault; FMD_EUSAGE: an
 * undamaged file of another version. */
FMD_CHECKED fmd_status fmd_user_block_check(const void *image, size_t bytes, const char *path,
                                            uint64_t *step);

#endif
