/* XXH3, 128 bits: identifies weights, data and files. Detects accidents, not attacks. */
#ifndef FMD_BASE_HASH_H
#define FMD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_hash {
    uint64_t high, low;
} fmd_hash;

enum { FMD_HASH_TEXT = 33 };

/* Local. The XXH3-128 hash, seed 0, of `bytes` bytes at `data`. */
fmd_hash fmd_hash_bytes(const void *data, size_t bytes);

/* Local. The hash of the concatenation of `head` and `body`. */
fmd_hash fmd_hash_parts(const void *head, size_t head_bytes, const void *body, size_t body_bytes);

/* Local. Writes the 32 hexadecimal digits of the canonical form into `text` and returns it. */
const char *fmd_hash_text(fmd_hash h, char text[FMD_HASH_TEXT]);

#endif
