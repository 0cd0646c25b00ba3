/* Functions of fmd_shape. */
#ifndef FMD_BASE_SHAPE_H
#define FMD_BASE_SHAPE_H

#include "fmd/shape.h"

#include <stddef.h>

enum { FMD_SHAPE_TEXT = 64 };

/* Local. The number of values of a tensor of this shape. */
static inline size_t fmd_shape_count(fmd_shape s)
{
    size_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= (size_t)s.dim[i];
    return n;
}

/* Local. */
static inline int fmd_shape_equal(fmd_shape a, fmd_shape b)
{
    int equal = a.rank == b.rank;
    for (int i = 0; equal && i < a.rank; i++)
        equal = a.dim[i] == b.dim[i];
    return equal;
}

/* Local. Writes "(28, 28)" into `text` and returns it; with `batch`, "(batch, 28, 28)". */
const char *fmd_shape_text(fmd_shape s, int batch, char text[FMD_SHAPE_TEXT]);

#endif
