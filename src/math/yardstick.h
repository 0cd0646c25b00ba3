/* What the machine does when nothing is in the way: what our own arithmetic is compared with. */
#ifndef FMD_MATH_YARDSTICK_H
#define FMD_MATH_YARDSTICK_H

#include <stddef.h>

/* Local. C = A B in one plain call of BLAS; A: m x k, B: k x n, C: m x n, all row-major and dense. */
void fmd_plain_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Local. y = y + s x: reads two arrays and writes one of them, as the simplest optimizer does. */
void fmd_axpy(size_t n, float s, const float *x, float *y);

#endif
