/* Matrix products. The only user of BLAS. */
#ifndef FMD_MATH_GEMM_H
#define FMD_MATH_GEMM_H

#include <stddef.h>

/* Local. Prepares this process for the arithmetic of the program: `threads` BLAS threads, and
 * subnormal results and operands flushed to zero (Adam's moments of rarely lit pixels decay into
 * subnormals, which cost five to ten times as much). */
void fmd_math_open(int threads);

/* Local. The BLAS kernel family in use ("SkylakeX"): with it, results may change in the last bit. */
const char *fmd_math_core(void);

/* Local. The BLAS library and its configuration, one line. */
const char *fmd_math_library(void);

/* Local. How many of the m rows of C one call of fmd_gemm_at should compute, for n columns and an
 * inner dimension of k: small products take a path of OpenBLAS that is up to twice as fast, and the
 * panel stays in the caches. Depends on nothing else, so that equal shapes give equal bits. */
size_t fmd_gemm_panel(size_t m, size_t n, size_t k);

/* Local. C = A B; A: m x k, B: k x n, C: m x n, all row-major and dense. */
void fmd_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Local. C = A B^T; A: m x k, B: n x k, C: m x n. */
void fmd_gemm_bt(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Local. C = A^T B for m columns of A from its column 0 on; A: k x lda, B: k x n, C: m x n. One
 * call, no panels. */
void fmd_gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 float *c);

#endif
