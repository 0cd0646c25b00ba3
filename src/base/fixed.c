#include "base/fixed.h"

#include "base/simd.h"

#include <math.h>
#include <string.h>

/* Returns the bits of the largest magnitude, or `largest` if larger; positive floats compare as their
 * bits do. Values beyond int32 add nothing; the step is repeated. */
FMD_SIMD static uint32_t add_rounded(size_t n, const float *restrict g, float inverse,
                                     uint32_t *restrict total, uint32_t largest)
{
    for (size_t i = 0; i < n; i++) {
        const float z = g[i] * inverse;
        uint32_t bits;
        memcpy(&bits, &z, sizeof bits);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
        const float inside = bits < 0x4f000000u ? z : 0; /* below 2^31 */
        total[i] += (uint32_t)(int32_t)rintf(inside);
    }
    return largest;
}

void fmd_fixed_add(fmd_fixed *fixed, size_t offset, size_t n, const float *g)
{
    fixed->largest = add_rounded(n, g, fixed->inverse, fixed->at + offset, fixed->largest);
}
