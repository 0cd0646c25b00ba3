/* A data set in a file of arrays, .npz or HDF5, as Keras' users keep it: x_train, y_train, x_test and
 * y_test. Images are read some at a time, as bytes.
 *
 * Arrays of images have the shape (n, height, width), (n, height, width, channels), (n, channels,
 * height, width), or (n, pixels) for square images. Bytes are taken as they are. Other integers and
 * floats must lie in 0 to 255; if no float is above 1, 1 becomes 255. */
#ifndef FMD_DATA_FORMATS_ARRAY_SET_H
#define FMD_DATA_FORMATS_ARRAY_SET_H

#include "data/dataset.h"

typedef struct fmd_array_set fmd_array_set;

/* Local. Opens the file and finds the arrays; sets image, n_train and n_test of *info. Without test
 * images n_test is 0. FMD_ENOINPUT, FMD_EDATA, FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_array_set_open(fmd_array_set **out, const char *path,
                                          fmd_dataset_info *info);
void fmd_array_set_close(fmd_array_set *s); /* NULL is allowed */

/* Local. The largest number of images that next reads at once. */
size_t fmd_array_set_block(const fmd_array_set *s);

/* Faults of one sample, in place of its label. */
enum { FMD_ARRAY_SET_LABEL = -1, FMD_ARRAY_SET_PIXELS = -2 };

/* Local. The next n images of a split and their labels, or the fault of a sample: a label that is not a
 * whole number from 0 to 255, or pixels that are not numbers. The first call looks at all values if
 * they are not bytes. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_array_set_next(fmd_array_set *s, bool test, size_t n, uint8_t *images,
                                          int *labels);

#endif
