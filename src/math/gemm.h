/* Matrix products. The only user of BLAS.
 *
 * Our own kernels are the default: they give the same bits on every CPU, and a row of a product does
 * not depend on the number of rows. OpenBLAS guarantees neither, but has threads. */
#ifndef FMD_MATH_GEMM_H
#define FMD_MATH_GEMM_H

#include "base/fixed.h"
#include "fmd/error.h"
#include "math/bf16/bf16.h"

#include <stdbool.h>
#include <stddef.h>

/* Names for option tables, and their order. */
#define FMD_GEMM_NAMES "auto|own|openblas"
typedef enum fmd_gemm_kind { FMD_GEMM_AUTO, FMD_GEMM_OWN, FMD_GEMM_OPENBLAS } fmd_gemm_kind;

/* Local. Sets up the arithmetic of this process: selects the kernels (auto: OpenBLAS for several
 * threads or on a CPU without fused multiply-add, otherwise our own) and `threads` BLAS threads, and
 * flushes subnormal results and operands to zero. Adam's moments of rarely lit pixels decay into
 * subnormals, which are five to ten times slower. FMD_EINTERNAL: OpenBLAS is missing. */
FMD_CHECKED fmd_status fmd_math_open(fmd_gemm_kind kind, int threads);

/* Local. The arithmetic that determines the bits of a product: "own", or "OpenBLAS" and its kernel
 * family, e.g. "OpenBLAS SkylakeX". Equal names give equal results. */
const char *fmd_math_core(void);

/* Local. Whether our own kernels are in use. */
bool fmd_math_is_own(void);

/* Local. The instruction set of our own kernels, e.g. "AVX-512", or the kernel family of OpenBLAS. */
const char *fmd_math_instructions(void);

/* Local. One line with the BLAS library in use and its configuration, or "none: own kernels". */
const char *fmd_math_library(void);

/* Local. Loads OpenBLAS, even if our own kernels are in use. *config is its configuration, one line.
 * FMD_EINTERNAL. */
FMD_CHECKED fmd_status fmd_math_blas(const char **config);

/* Local. C = A B in one plain call of OpenBLAS, the reference speed for our own kernels. Call
 * fmd_math_blas first. A: m x k, B: k x n, C: m x n, all row-major and dense. */
void fmd_plain_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Local. C = A B for each of `blocks` blocks of m rows of A and C, plus a row `bias` unless it is
 * NULL; A: blocks m x k, B: k x n, C: blocks m x n, all row-major and dense. A row's bits depend on
 * nothing but m, n and k. */
void fmd_gemm(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
              const float *bias, float *c);

/* Local. C = A B^T for each of `blocks` blocks; A: blocks m x k, B: n x k, C: blocks m x n. */
void fmd_gemm_bt(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
                 float *c);

/* Local. C = A^T B for m columns of A from its column 0 on; A: k x lda, B: k x n, C: m x n. */
void fmd_gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 float *c);

/* Local. fmd_gemm_at for each microbatch, a block of k rows of A and B; adds the m x n products to the
 * fixed-point sums from `offset` on. */
void fmd_gemm_at_fixed(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                       size_t lda, const float *b, fmd_fixed *fixed, size_t offset);

/* Local. The number of rows of A^T B (m x n) to compute at a time, so that the sum of `products`
 * products stays in the cache: all rows where kernels see to that themselves. With BLAS it does not
 * depend on `products`. */
size_t fmd_gemm_panel(size_t products, size_t m, size_t n, size_t k);

#endif
