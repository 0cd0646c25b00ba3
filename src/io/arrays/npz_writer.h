/* The values of a model as an archive of NumPy. */
#ifndef FMD_IO_ARRAYS_NPZ_WRITER_H
#define FMD_IO_ARRAYS_NPZ_WRITER_H

#include "nn/model.h"

/* Local. Writes one array of float32 for each tensor, "dense_1/kernel" in Keras' layout; the file is
 * replaced whole. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_npz_write(const char *path, const fmd_model *m);

#endif
