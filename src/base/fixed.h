/* Fixed-point sums of gradients: 32-bit integers for one parameter tensor, on the tensor's scale.
 *
 * A value g of a microbatch's gradient adds round(g * inverse), ties to even, modulo 2^32. The sum of
 * integers does not depend on their order; docs/exactness.md proves that the total is right. */
#ifndef FMD_BASE_FIXED_H
#define FMD_BASE_FIXED_H

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_fixed {
    uint32_t *at;
    float inverse; /* 1 / the unit of the scale: a power of two */
    uint32_t
        largest; /* bits of the largest |g * inverse| so far; a NaN has larger bits than any number */
} fmd_fixed;

/* Local. Adds the n values `g` to sums `offset` to `offset` + n - 1. */
void fmd_fixed_add(fmd_fixed *fixed, size_t offset, size_t n, const float *g);

#endif
