/* Convolutions as products of bf16 values: a row of the first operand has the values that a pixel of
 * the output sees. */
#ifndef FMD_MATH_BF16_IM2COL_H
#define FMD_MATH_BF16_IM2COL_H

#include "math/conv/conv.h"

/* Local. Whether convolution `c` has products of bf16 values. Depthwise ones have none: their sums
 * are too short for it. */
bool fmd_bf16_has(const fmd_conv *c);

/* Local. Floats of scratch memory that the functions below need. */
size_t fmd_bf16_conv_scratch_floats(const fmd_conv *c);

/* Local. As fmd_conv_forward and its companions, with kernels that are not packed. Terms of the
 * output are in the kernel's order, those of the weights' gradient in the order of the pixels. The
 * input's gradient adds the taps of each pixel of dy in the kernel's order, one pixel of dy after the
 * other. */
void fmd_bf16_conv_forward(const fmd_conv *c, size_t n, const float *x, const float *kernel,
                           const float *bias, bool relu, float *scratch, float *y);
void fmd_bf16_conv_input_gradient(const fmd_conv *c, size_t n, const float *dy, const float *kernel,
                                  float *scratch, float *dx);
void fmd_bf16_conv_weight_gradient(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                   float *scratch, float *dkernel);

#endif
