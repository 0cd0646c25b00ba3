/* Places of the values of a forward pass in one array, which values share whose lives do not overlap.
 *
 * An operation that works value by value may write over its first input. */
#ifndef FMD_IO_C_SOURCE_BUFFERS_H
#define FMD_IO_C_SOURCE_BUFFERS_H

#include "io/forward/forward.h"

typedef struct fmd_buffers {
    size_t floats; /* of the whole array */
    size_t *place; /* of each value, in floats; the first one is the input's */
} fmd_buffers;

/* Local. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_buffers_create(fmd_buffers *b, const fmd_forward *f);
void fmd_buffers_free(fmd_buffers *b);

/* Local. The place of a value; FMD_FORWARD_INPUT is one. */
size_t fmd_buffers_place(const fmd_buffers *b, int value);

#endif
