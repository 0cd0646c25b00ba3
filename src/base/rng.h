/* Random numbers as pure functions: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC11), through Random123.
 *
 * There is no generator state. A number depends on the seed, its purpose and its place in the
 * job (epoch or step, sample or parameter), never on the rank or on earlier numbers. */
#ifndef FMD_BASE_RNG_H
#define FMD_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* The purpose of a stream; part of the counter, so streams never overlap. */
typedef enum fmd_rng_purpose {
    FMD_RNG_INIT = 1,    /* stream: parameter tensor, time: redraw, index: element */
    FMD_RNG_SHUFFLE = 2, /* stream: 0, time: epoch, index: position */
    FMD_RNG_DROPOUT = 3, /* stream: layer, time: step, index: position in the global batch, unit */
    FMD_RNG_SYNTHETIC = 4,    /* stream and time: 0, index: byte of the data set */
    FMD_RNG_MIXING = 7,       /* stream: 0 step, 1 sample; time: step; index: place in the global
                                 batch and attempt */
    FMD_RNG_DIVISION = 8,     /* stream and time: 0, index: position */
    FMD_RNG_AUGMENTATION = 5, /* stream: layer, time: step, index: position in the global batch */
    FMD_RNG_NOISE = 6,        /* the same, then value of the image and attempt */
    FMD_RNG_SWEEP = 15,       /* stream: option, time: attempt, index: setting */
} fmd_rng_purpose;

typedef struct fmd_rng {
    uint64_t seed;
    fmd_rng_purpose purpose;
    uint32_t stream; /* < 2^24 */
    uint32_t time;
} fmd_rng;

/* Local. Four independent 32-bit numbers, those with index 4 * block to 4 * block + 3. */
void fmd_rng_block(const fmd_rng *r, uint64_t block, uint32_t out[4]);

/* Local. n such blocks, from `block` on: 4 n numbers. Faster than one by one. */
void fmd_rng_blocks(const fmd_rng *r, uint64_t block, size_t n, uint32_t *out);

/* Local. A float in [0, 1) from the upper 24 bits of `x`; every value is exact. */
static inline float fmd_rng_unit(uint32_t x)
{
    return (float)(x >> 8) * 0x1p-24f;
}

#endif
