/* Places arrays in one piece of memory by when they are in use: two that are never in use at the
 * same time may share bytes. */
#ifndef FMD_NN_ARENA_H
#define FMD_NN_ARENA_H

#include "fmd/error.h"

#include <stddef.h>

/* An array that is in use from moment `from` to moment `to`, both included. */
typedef struct fmd_span {
    size_t bytes;
    int from, to;
    size_t offset; /* in the piece of memory: set by fmd_arena_place */
} fmd_span;

/* Local. Places n arrays; *bytes is the size of the whole piece. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_arena_place(fmd_span *spans, size_t n, size_t *bytes);

#endif
