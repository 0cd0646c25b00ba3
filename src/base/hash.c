#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

/* The size of the streaming state is private to the dynamic library. */
#define XXH_INLINE_ALL
#include <xxhash.h>

fmd_hash fmd_hash_bytes(const void *data, size_t bytes)
{
    XXH128_hash_t h = XXH3_128bits(data, bytes);
    return (fmd_hash){h.high64, h.low64};
}

fmd_hash fmd_hash_parts(const void *head, size_t head_bytes, const void *body, size_t body_bytes)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    XXH3_128bits_update(&state, head, head_bytes);
    XXH3_128bits_update(&state, body, body_bytes);
    XXH128_hash_t h = XXH3_128bits_digest(&state);
    return (fmd_hash){h.high64, h.low64};
}

const char *fmd_hash_text(fmd_hash h, char text[FMD_HASH_TEXT])
{
    snprintf(text, FMD_HASH_TEXT, "%016" PRIx64 "%016" PRIx64, h.high, h.low);
    return text;
}
