/* Sums of gradients as whole numbers: the fixed of one parameter tensor, on its scale.
 *
 * A value g of a microbatch's gradient adds round(g * inverse), ties to even, modulo 2^32. Whole numbers
 * add up to the same in any order; docs/exactness.md says why the total is right. */
#ifndef FMD_BASE_FIXED_H
#define FMD_BASE_FIXED_H

#include <stddef.h>
#include <stdint.h>

typedef struct fmd_fixed {
    uint32_t *at;
    float inverse;    /* 1 / the unit of the scale: a power of two */
    uint32_t largest; /* the bits of the largest |g * inverse| so far; NaN's are above all others */
} fmd_fixed;

/* Local. Adds the n values `g` to the fixed `offset` to `offset` + n - 1. */
void fmd_fixed_add(fmd_fixed *fixed, size_t offset, size_t n, const float *g);

#endif
