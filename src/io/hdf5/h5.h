/* HDF5 files in memory, and texts for messages about them. */
#ifndef FMD_IO_HDF5_H5_H
#define FMD_IO_HDF5_H5_H

#include "base/shape.h"
#include "fmd/error.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* The name of every file in memory. HDF5 first looks whether the file exists: this one cannot. */
#define FMD_H5_MEMORY "/dev/null/memory"

/* Capacity of the texts below. */
enum { FMD_H5_TEXT = 160 };

/* Local. Access properties of a file in memory, to be closed by H5Pclose; negative on failure. Also
 * turns off HDF5's own error output. */
hid_t fmd_h5_memory_access(void);

/* Local. The cause of HDF5's last failure. */
const char *fmd_h5_why(char text[FMD_H5_TEXT]);

/* Local. "(784, 128)": the shape of a data space of any rank. */
const char *fmd_h5_space_text(hid_t space, char text[FMD_H5_TEXT]);

/* Local. Whether a data space is a plain array of this shape. */
bool fmd_h5_space_equals(hid_t space, fmd_shape shape);

/* Local. "8-byte floats". */
const char *fmd_h5_type_text(hid_t type, char text[FMD_H5_TEXT]);

#endif
