/* The header of a .npy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html),
 * versions 1 to 3, of an array of plain numbers. */
#ifndef FMD_IO_ARRAYS_NPY_H
#define FMD_IO_ARRAYS_NPY_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FMD_NPY_RANK = 8, FMD_NPY_PREFIX = 12, FMD_NPY_HEADER = 65535 };

typedef struct fmd_npy {
    char kind;   /* of NumPy: 'u', 'i', 'f', 'b' */
    size_t item; /* bytes of a value: 1, 2, 4, 8 */
    bool big_endian;
    bool fortran; /* the first dimension is the fastest */
    int rank;
    size_t dim[FMD_NPY_RANK];
} fmd_npy;

/* Local. From the first FMD_NPY_PREFIX bytes of a file: where its dictionary begins and how long it
 * is. `where` names the array in messages. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_npy_prefix(size_t *begin, size_t *bytes, const uint8_t *prefix,
                                      const char *where);

/* Local. Parses the dictionary, `bytes` long. FMD_EDATA: it is damaged, or its values are not numbers of
 * 8 to 64 bits. */
FMD_CHECKED fmd_status fmd_npy_parse(fmd_npy *out, const char *text, size_t bytes,
                                     const char *where);

/* Local. The value of an item in the file. */
double fmd_npy_value(const fmd_npy *a, const uint8_t *item);

#endif
