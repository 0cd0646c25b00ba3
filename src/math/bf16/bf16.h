/* Products of bf16 values, for --precision bf16.
 *
 * Operands are floats, rounded to bf16 (to nearest, ties to even) on their way into a product; results
 * and everything else are floats. The arithmetic is that of the instruction TDPBF16PS, with the same
 * bits on every CPU. Of 32 terms, the 16 even ones make one chain of fused multiply-adds from 0, the
 * 16 odd ones another; the sum of both chains is added to the element. Subnormal operands and results
 * are zero (fmd_math_open). Missing terms of the last 32 are zeros. */
#ifndef FMD_MATH_BF16_BF16_H
#define FMD_MATH_BF16_BF16_H

#include "math/bf16/product.h"

/* Names for option tables, and their order. */
#define FMD_PRECISION_NAMES "float32|bf16"
typedef enum fmd_precision { FMD_FLOAT32, FMD_BF16 } fmd_precision;

/* Local. Sets the precision of the products of dense layers and convolutions. */
void fmd_bf16_choose(fmd_precision precision);

/* Local. Whether products are of bf16 values. */
bool fmd_bf16_is_on(void);

/* Local. The instructions of the products, e.g. "AMX". */
const char *fmd_bf16_instructions(void);

/* Local. Computes a product, with parts of any length. */
void fmd_bf16_multiply(const fmd_bf16_product *p);

/* Local. The product by AMX instructions; NULL if this machine has none. */
fmd_bf16_kernel *fmd_bf16_amx(void);

#endif
