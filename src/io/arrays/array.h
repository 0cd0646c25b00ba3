/* Arrays of numbers in archives of NumPy (.npz) and in HDF5 files, read from the first row on, some rows
 * at a time. The first dimension of an array counts its rows. Files are untrusted: sizes are checked
 * before memory is taken for them. */
#ifndef FMD_IO_ARRAYS_ARRAY_H
#define FMD_IO_ARRAYS_ARRAY_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { FMD_ARRAY_RANK = 8, FMD_ARRAY_WHERE = 1400 };

typedef enum fmd_array_kind {
    FMD_ARRAY_BOOL,
    FMD_ARRAY_BYTES, /* unsigned, 8 bits */
    FMD_ARRAY_INTEGERS,
    FMD_ARRAY_FLOATS,
} fmd_array_kind;

typedef struct fmd_array_info {
    fmd_array_kind kind;
    int rank;                    /* at least 1 */
    size_t dim[FMD_ARRAY_RANK];  /* at least 1 each */
    size_t row;                  /* values of a row: the product of all dimensions but the first */
    char where[FMD_ARRAY_WHERE]; /* "'mnist.npz': x_train", for messages */
} fmd_array_info;

typedef struct fmd_array_file fmd_array_file;
typedef struct fmd_array fmd_array;

/* Local. Opens a file; its kind is recognised by content. FMD_ENOINPUT, FMD_EDATA, FMD_EIO,
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_array_file_open(fmd_array_file **out, const char *path);
void fmd_array_file_close(fmd_array_file *f); /* NULL is allowed */

/* Local. Whether the file has an array of this name. */
bool fmd_array_file_has(const fmd_array_file *f, const char *name);

/* Local. Opens an array, which may be open several times. The file must stay open. FMD_EDATA: it is
 * damaged, empty, or not of numbers. */
FMD_CHECKED fmd_status fmd_array_open(fmd_array **out, const fmd_array_file *f, const char *name);
void fmd_array_close(fmd_array *a); /* NULL is allowed */

/* Local. Type and shape; as long as the array. */
const fmd_array_info *fmd_array_info_of(const fmd_array *a);

/* Local. The values of the next `n` rows, in the order of C; there are as many left. After the last row
 * the checksum of an archive is compared. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_array_next(fmd_array *a, size_t n, double *values);

#endif
