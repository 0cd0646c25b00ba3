/* Event files for TensorBoard: scalars by tag and step.
 *
 * Each process starts its own file. TensorBoard reads all files of a folder as one log, in the order
 * of their names, which begin with the time. */
#ifndef FMD_IO_TENSORBOARD_TENSORBOARD_H
#define FMD_IO_TENSORBOARD_TENSORBOARD_H

#include "fmd/error.h"

#include <stdint.h>

typedef struct fmd_tensorboard fmd_tensorboard;

/* Local. Creates a file in RUN_FOLDER/tensorboard/`log`, and the folders. It invalidates the entries
 * of earlier files from `step` on; FMD_TENSORBOARD_ADD: none. FMD_EIO. */
enum { FMD_TENSORBOARD_ADD = -1 };
FMD_CHECKED fmd_status fmd_tensorboard_open(fmd_tensorboard **out, const char *run_folder,
                                            const char *log, int64_t step);

/* Local. Adds a value as a float. fmd_tensorboard_flush reports failures. */
void fmd_tensorboard_scalar(fmd_tensorboard *t, const char *tag, int64_t step, double value);

/* Local. Writes all added values to the file. FMD_EIO. */
FMD_CHECKED fmd_status fmd_tensorboard_flush(fmd_tensorboard *t);

/* Local. NULL is allowed. */
void fmd_tensorboard_close(fmd_tensorboard *t);

#endif
