#include "nn/arena.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool meet(const fmd_span *a, const fmd_span *b)
{
    return a->from <= b->to && b->from <= a->to;
}

/* First fit: each array goes to the lowest offset that is free for its whole lifetime. `placed`
 * holds the arrays placed before, sorted by offset. */
fmd_status fmd_arena_place(fmd_span *spans, size_t n, size_t *bytes)
{
    fmd_span **placed;
    FMD_TRY(fmd_alloc(&placed, n + 1, sizeof *placed, "the plan of the model"));
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        fmd_span *s = &spans[i];
        s->offset = 0;
        for (size_t k = 0; k < i; k++) {
            const fmd_span *other = placed[k];
            if (!meet(s, other))
                continue;
            if (other->offset >= s->offset + s->bytes)
                break;
            if (other->offset + other->bytes > s->offset)
                s->offset = other->offset + other->bytes;
        }
        size_t at = i;
        for (; at > 0 && placed[at - 1]->offset > s->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = s;
        if (s->offset + s->bytes > *bytes)
            *bytes = s->offset + s->bytes;
    }
    free(placed);
    return FMD_OK;
}
