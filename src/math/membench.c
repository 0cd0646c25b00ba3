#include "math/membench.h"

#include "base/simd.h"

FMD_SIMD static void axpy(size_t n, float s, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += s * x[i];
}

void fmd_axpy(size_t n, float s, const float *x, float *y)
{
    axpy(n, s, x, y);
}
