/* Matrix products. The only user of BLAS.
 *
 * Our own kernels are the default: they give the same bits whatever the CPU, and a row of a product
 * does not depend on how many others there are. OpenBLAS has neither, but threads. */
#ifndef FMD_MATH_GEMM_H
#define FMD_MATH_GEMM_H

#include "base/fixed.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Names for option tables, and their order. */
#define FMD_GEMM_NAMES "auto|own|openblas"
typedef enum fmd_gemm_kind { FMD_GEMM_AUTO, FMD_GEMM_OWN, FMD_GEMM_OPENBLAS } fmd_gemm_kind;

/* Local. Prepares this process for the arithmetic of the program: who multiplies (auto: OpenBLAS for
 * more than one thread or on a CPU without fused multiply-add, else our own), `threads` BLAS threads,
 * and subnormal results and operands flushed to zero (Adam's moments of rarely lit pixels decay into
 * subnormals, which cost five to ten times as much). FMD_EINTERNAL: there is no OpenBLAS. */
FMD_CHECKED fmd_status fmd_math_open(fmd_gemm_kind kind, int threads);

/* Local. What the bits of a product depend on: "own", or OpenBLAS and its kernel family, "OpenBLAS
 * SkylakeX". Results of equal names are equal. */
const char *fmd_math_core(void);

/* Local. Whether our own kernels multiply. */
bool fmd_math_is_own(void);

/* Local. The instructions that our own kernels use here: "AVX-512"; those of OpenBLAS, by the name of
 * its kernel family. */
const char *fmd_math_instructions(void);

/* Local. The BLAS library that multiplies and its configuration, one line; or that none does. */
const char *fmd_math_library(void);

/* Local. Loads OpenBLAS, whoever multiplies, and tells its configuration, one line. FMD_EINTERNAL. */
FMD_CHECKED fmd_status fmd_math_blas(const char **config);

/* Local. C = A B in one plain call of OpenBLAS, the reference speed for our own kernels. Call
 * fmd_math_blas first. A: m x k, B: k x n, C: m x n, all row-major and dense. */
void fmd_plain_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Local. C = A B for each of `blocks` blocks of m rows of A and C, plus a row `bias` unless it is
 * NULL; A: blocks m x k, B: k x n, C: blocks m x n, all row-major and dense. A row's bits depend on
 * m, n and k at most. */
void fmd_gemm(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
              const float *bias, float *c);

/* Local. C = A B^T for each of `blocks` blocks; A: blocks m x k, B: n x k, C: blocks m x n. */
void fmd_gemm_bt(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
                 float *c);

/* Local. C = A^T B for m columns of A from its column 0 on; A: k x lda, B: k x n, C: m x n. */
void fmd_gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 float *c);

/* Local. The same of each microbatch, a block of k rows of A and of B, added to the m n fixed from `offset`. */
void fmd_gemm_at_fixed(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                       size_t lda, const float *b, fmd_fixed *fixed, size_t offset);

/* Local. How many of the m rows of A^T B should be made at a time, when so many such products are
 * added up, for their sums to stay in the first cache. With BLAS it does not depend on how many. */
size_t fmd_gemm_panel(size_t products, size_t m, size_t n, size_t k);

#endif
