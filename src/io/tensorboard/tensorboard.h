/* Event files that TensorBoard reads: scalars by tag and step.
 *
 * Every process begins a file of its own; TensorBoard reads all files of a folder as one log, in
 * the order of their names, which begin with the time. */
#ifndef FMD_IO_TENSORBOARD_TENSORBOARD_H
#define FMD_IO_TENSORBOARD_TENSORBOARD_H

#include "fmd/error.h"

#include <stdint.h>

typedef struct fmd_tensorboard fmd_tensorboard;

/* Local. A new file in RUN_FOLDER/tensorboard/`log`, with the folders that it takes. What an
 * earlier file has of `step` and later ones is void from now on; FMD_TENSORBOARD_ADD: nothing is.
 * FMD_EIO. */
enum { FMD_TENSORBOARD_ADD = -1 };
FMD_CHECKED fmd_status fmd_tensorboard_open(fmd_tensorboard **out, const char *run_folder,
                                            const char *log, int64_t step);

/* Local. Adds a value, as a float. What fails is told by fmd_tensorboard_flush. */
void fmd_tensorboard_scalar(fmd_tensorboard *t, const char *tag, int64_t step, double value);

/* Local. Whatever was added is in the file. FMD_EIO. */
FMD_CHECKED fmd_status fmd_tensorboard_flush(fmd_tensorboard *t);

/* Local. NULL is allowed. */
void fmd_tensorboard_close(fmd_tensorboard *t);

#endif
