/* A model as one C file that needs only the C library: weights and a function for predictions, whose
 * results have the bits of this program's. */
#ifndef FMD_IO_C_SOURCE_C_SOURCE_H
#define FMD_IO_C_SOURCE_C_SOURCE_H

#include "io/forward/forward.h"

/* Local. Writes the file; it is replaced whole. With `int8`, kernels are signed bytes with a scale for
 * each output channel, and the results differ. FMD_EUSAGE: the model is too large for int; FMD_EIO,
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_c_source_write(const char *path, const fmd_forward *f,
                                          const fmd_forward_about *about, bool int8);

#endif
