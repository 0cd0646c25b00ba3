#include "base/rng.h"

#include "base/simd.h"

#include <Random123/philox.h>

void fmd_rng_block(const fmd_rng *r, uint64_t block, uint32_t out[4])
{
    philox4x32_key_t key = {{(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)(block >> 32), r->time,
                                 (uint32_t)r->purpose << 24 | r->stream}};
    philox4x32_ctr_t x = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        out[i] = x.v[i];
}

/* Blocks that are computed together, in vectors, and words of a block. */
enum { LANES = 16, WORDS = 4 };

/* philox4x32round on each lane. */
static inline __attribute__((always_inline)) void next_round(uint32_t x[WORDS][LANES],
                                                             uint32_t key0, uint32_t key1)
{
#pragma GCC unroll 1
    for (int i = 0; i < LANES; i++) {
        const uint64_t even = (uint64_t)PHILOX_M4x32_0 * x[0][i];
        const uint64_t odd = (uint64_t)PHILOX_M4x32_1 * x[2][i];
        x[0][i] = (uint32_t)(odd >> 32) ^ x[1][i] ^ key0;
        x[1][i] = (uint32_t)odd;
        x[2][i] = (uint32_t)(even >> 32) ^ x[3][i] ^ key1;
        x[3][i] = (uint32_t)even;
    }
}

FMD_SIMD void fmd_rng_blocks(const fmd_rng *r, uint64_t block, size_t n, uint32_t *out)
{
    uint32_t x[WORDS][LANES];
    for (; n >= LANES; n -= LANES, block += LANES, out += (size_t)LANES * WORDS) {
        for (uint64_t i = 0; i < LANES; i++) {
            x[0][i] = (uint32_t)(block + i);
            x[1][i] = (uint32_t)((block + i) >> 32);
            x[2][i] = r->time;
            x[3][i] = (uint32_t)r->purpose << 24 | r->stream;
        }
        uint32_t key0 = (uint32_t)r->seed, key1 = (uint32_t)(r->seed >> 32);
        for (int round = 0; round < PHILOX4x32_DEFAULT_ROUNDS; round++) {
            next_round(x, key0, key1);
            key0 += PHILOX_W32_0;
            key1 += PHILOX_W32_1;
        }
        for (int i = 0; i < LANES; i++)
            for (int k = 0; k < WORDS; k++)
                out[i * WORDS + k] = x[k][i];
    }
    for (; n > 0; n--, block++, out += WORDS)
        fmd_rng_block(r, block, out);
}
