/* Our own matrix products, one table for each instruction set.
 *
 * Each element of a product is one chain of fused multiply-adds over the inner dimension, in
 * ascending order. Its bits depend neither on other rows and columns nor on the instruction set: the
 * tables differ in speed only. */
#ifndef FMD_MATH_KERNELS_H
#define FMD_MATH_KERNELS_H

#include "base/fixed.h"
#include "math/bf16/product.h"
#include "math/conv/conv_kernels.h"

#include <stdbool.h>
#include <stddef.h>

/* With more columns, C is computed in one call: the kernels pack their operands. */
enum { FMD_PACK_COLUMNS = 384 };

typedef struct fmd_kernels {
    const char *name; /* "AVX-512" */

    /* C = A B, plus a row `bias` unless it is NULL. A: m x k, B: k x n, C: m x n, row-major. */
    void (*gemm)(size_t m, size_t n, size_t k, const float *a, const float *b, const float *bias,
                 float *c);

    /* C = A B^T. A: m x k, B: n x k, C: m x n. */
    void (*gemm_bt)(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

    /* C = A^T B for m columns of A from its column 0 on. A: k x lda, B: k x n, C: m x n. */
    void (*gemm_at)(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                    float *c);

    /* gemm_at for each microbatch, a block of k rows of A and B; adds the m x n products to the
     * fixed-point sums from `offset` on. */
    void (*gemm_at_fixed)(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                          size_t lda, const float *b, fmd_fixed *fixed, size_t offset);

    fmd_bf16_kernel *bf16;
    const fmd_conv_kernels *conv;
} fmd_kernels;

extern const fmd_kernels fmd_kernels_plain;
#if defined(__x86_64__)
extern const fmd_kernels fmd_kernels_avx512, fmd_kernels_avx2;
#endif

/* Local. The fastest table for this CPU; plain C if no other fits. */
const fmd_kernels *fmd_kernels_best(void);

#endif
