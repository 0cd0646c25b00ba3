/* Places arrays in one block of memory by lifetime: arrays that are never in use at the same time
 * may share bytes. */
#ifndef FMD_NN_ARENA_H
#define FMD_NN_ARENA_H

#include "fmd/error.h"

#include <stddef.h>

/* An array with a lifetime from moment `from` to moment `to`, inclusive. */
typedef struct fmd_span {
    size_t bytes;
    int from, to;
    size_t offset; /* in the block; set by fmd_arena_place */
} fmd_span;

/* Local. Places n arrays; *bytes is the size of the block. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_arena_place(fmd_span *spans, size_t n, size_t *bytes);

#endif
