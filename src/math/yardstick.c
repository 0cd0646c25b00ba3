#include "math/yardstick.h"

#include "fmd/simd.h"

#include <cblas.h>

void fmd_plain_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
                (blasint)k, b, (blasint)n, 0, c, (blasint)n);
}

FMD_SIMD static void axpy(size_t n, float s, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += s * x[i];
}

void fmd_axpy(size_t n, float s, const float *x, float *y)
{
    axpy(n, s, x, y);
}
