/* A product of bf16 values with float sums. */
#ifndef FMD_MATH_BF16_PRODUCT_H
#define FMD_MATH_BF16_PRODUCT_H

#include "base/fixed.h"

#include <stdbool.h>
#include <stddef.h>

/* Terms that are added at a time; longest microbatch that kernels round to fixed point. */
enum { FMD_BF16_TERMS = 32, FMD_BF16_LONGEST_PART = 256 };

/* C = A B, m x n over k terms. Row strides are given; `a_transposed`: A^T is stored, k x m, and
 * `b_transposed`: B^T, n x k. C begins with itself if `adds`, else with a row `bias` or zeros.
 *
 * With `fixed`, C is the sum over parts of `part` terms, each rounded to fixed point: the m x n sums
 * from `offset` on, without gaps. Otherwise `part` is k. */
typedef struct fmd_bf16_product {
    bool a_transposed, b_transposed, adds;
    size_t m, n, k, part;
    const float *a, *b, *bias;
    size_t lda, ldb, ldc;
    float *c;
    fmd_fixed *fixed;
    size_t offset;
} fmd_bf16_product;

typedef void fmd_bf16_kernel(const fmd_bf16_product *p);

#endif
