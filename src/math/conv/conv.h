/* Convolutions of images: forward, and the gradients of input and weights.
 *
 * Each element of a result is one chain of fused multiply-adds, from its first term to its last,
 * with the same bits in AVX-512, AVX2 and plain C and for any other images in the call. The order of
 * the terms:
 *
 *   output             bias or 0, then the kernel's rows, columns, input channels of the group
 *   input's gradient   0, then dy's rows, columns, output channels of the group
 *   weights' gradient  0, then images, dy's rows, columns
 *
 * Of kernels three columns wide, with a stride and dilation of one column, the first two go over
 * channels before columns, if the result's group has at most FMD_CONV_FEW_RESULTS channels or
 * the other's at most FMD_CONV_FEW_CHANNELS. The input's gradient of a depthwise layer (groups =
 * in_c > 1) begins with the channels of the multiplier.
 *
 * Terms outside of an image are skipped or added as zeros. If most values of dy are zero, their terms
 * are skipped. The choice depends on the geometry and the dy of the image, for weights on the dy of the
 * microbatch. Skipping changes no bit of a finite sum except the sign of a zero, which affects no other
 * value (see kernels_zeros.h). The product of zero and an infinity or NaN may or may not be added.
 *
 * Layers of fmd_conv_is_winograd have other expressions (conv_winograd.c), but for gradients whose dy
 * is mostly zeros.
 *
 * Arrays are dense and row-major: images (n, h, w, channels), kernels (rows, columns, input
 * channels of a group, output channels). Groups are neighbouring channels, of the input and of
 * the output. */
#ifndef FMD_MATH_CONV_CONV_H
#define FMD_MATH_CONV_CONV_H

#include "math/conv/conv_kernels.h"
#include "math/conv/pool.h"
#include "math/conv/window.h"

#include <stdbool.h>
#include <stddef.h>

enum { FMD_CONV_FEW_RESULTS = 16, FMD_CONV_FEW_CHANNELS = 4 };

typedef struct fmd_conv {
    int in_h, in_w, in_c;
    int out_h, out_w, out_c;
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
    int pad_top, pad_left;           /* pixels of padding before the first pixel */
    int groups;                      /* divides in_c and out_c; in_c: depthwise */
    const fmd_conv_kernels *kernels; /* of this CPU */
} fmd_conv;

/* Local. Fills in output size, padding and kernels from the rest; out_h or out_w is 0 if no
 * window fits. */
void fmd_conv_plan(fmd_conv *c, fmd_padding padding);

/* Local. Whether the sums of the output go over channels before columns. */
bool fmd_conv_columns_last(const fmd_conv *c);

/* Local. Whether output and gradients have Winograd's form instead (conv_winograd.c): 3 x 3 kernels without
 * strides, dilation and groups, for many channels in and out. */
bool fmd_conv_is_winograd(const fmd_conv *c);

/* Local. The values G g G^T of a kernel that has this form, (16, in_c, out_c). */
void fmd_conv_winograd_kernel(const fmd_conv *c, const float *kernel, float *values);

/* Local. Floats of the weights of one layer, packed for the output or for the input's gradient. */
size_t fmd_conv_packed_floats(const fmd_conv *c);
size_t fmd_conv_input_packed_floats(const fmd_conv *c);

/* Local. Floats of scratch memory that any of the functions below needs. */
size_t fmd_conv_scratch_floats(const fmd_conv *c);

/* Local. Packs a kernel for the output; repeat after each change of the kernel. */
void fmd_conv_pack(const fmd_conv *c, const float *kernel, float *packed);

/* Local. Packs a kernel for the input's gradient; repeat after each change of the kernel. */
void fmd_conv_input_pack(const fmd_conv *c, const float *kernel, float *packed);

/* Local. y = x * kernel, plus out_c values `bias` unless it is NULL; `relu`: negative sums
 * become zero. x: (n, in_h, in_w, in_c), y: (n, out_h, out_w, out_c). */
void fmd_conv_forward(const fmd_conv *c, size_t n, const float *x, const float *packed,
                      const float *bias, bool relu, float *scratch, float *y);

/* Local. dx from dy; shapes as x and y. */
void fmd_conv_input_gradient(const fmd_conv *c, size_t n, const float *dy,
                             const float *input_packed, float *scratch, float *dx);

/* Local. The kernel's gradient, summed over the n images of one microbatch. The gradient of the bias
 * is fmd_sum_rows of dy. x: (n, in_h, in_w, in_c), dy: (n, out_h, out_w, out_c). */
void fmd_conv_weight_gradient(const fmd_conv *c, size_t n, const float *x, const float *dy,
                              float *scratch, float *dkernel);

/* Convolutions whose output nothing needs but a maximum pooling: the results are those of
 * fmd_conv_forward and fmd_max_pool, of fmd_max_pool_gradient and the gradients above. */

/* Local. Whether there is a form for both: windows that share no pixel, inside of the image. */
bool fmd_conv_fuses_pool(const fmd_conv *c, const fmd_pool *p);

/* Local. Floats of scratch memory that the functions below need. */
size_t fmd_conv_pool_scratch_floats(const fmd_conv *c, const fmd_pool *p);

/* Local. y: the maxima, (n, p->out_h, p->out_w, out_c), and the place of each in its window. */
void fmd_conv_forward_pooled(const fmd_conv *c, const fmd_pool *p, size_t n, const float *x,
                             const float *packed, const float *bias, bool relu, float *scratch,
                             float *y, uint8_t *places);

/* Local. The gradients of the kernel and of x from that of the maxima, for the n images of one
 * microbatch; dx may be NULL. */
void fmd_conv_gradients_pooled(const fmd_conv *c, const fmd_pool *p, size_t n, const float *x,
                               const float *dy, const uint8_t *places, const float *input_packed,
                               float *scratch, float *dkernel, float *dx);

#endif
