/* Geometry shared by the parts of a convolution. */
#ifndef FMD_MATH_CONV_CONV_PRIVATE_H
#define FMD_MATH_CONV_CONV_PRIVATE_H

#include "math/conv/conv.h"

static inline bool is_depthwise(const fmd_conv *c)
{
    return c->groups == c->in_c && c->groups > 1;
}

/* A kernel as sums go over it: the taps and channels of a term, and its columns, floats from one
 * to the next. */
typedef struct fmd_conv_kernel_view {
    const float *at;
    int taps_h, taps_w, terms, columns;
    ptrdiff_t row, tap, term, column;
} fmd_conv_kernel_view;

/* A 1 x 1 kernel without strides: all images can be treated as one line of pixels. */
static inline bool is_pointwise(const fmd_conv *c)
{
    return c->kernel_h * c->kernel_w * c->stride_h * c->stride_w == 1 && c->out_h == c->in_h &&
           c->out_w == c->in_w;
}

/* Rounds columns up to a multiple of FMD_CHANNEL_BLOCK, itself a multiple of every vector width. */
static inline size_t filled_up(int columns)
{
    return ((size_t)columns + FMD_CHANNEL_BLOCK - 1) / FMD_CHANNEL_BLOCK * FMD_CHANNEL_BLOCK;
}

static inline size_t taps(const fmd_conv *c)
{
    return (size_t)c->kernel_h * (size_t)c->kernel_w;
}

static inline size_t in_pixels(const fmd_conv *c)
{
    return (size_t)c->in_h * (size_t)c->in_w;
}

static inline size_t out_pixels(const fmd_conv *c)
{
    return (size_t)c->out_h * (size_t)c->out_w;
}

static inline size_t in_floats(const fmd_conv *c)
{
    return in_pixels(c) * (size_t)c->in_c;
}

static inline size_t out_floats(const fmd_conv *c)
{
    return out_pixels(c) * (size_t)c->out_c;
}

/* Values of an image with a frame of zeros that covers all windows. */
static inline int framed_h(const fmd_conv *c)
{
    return (c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1;
}

static inline int framed_w(const fmd_conv *c)
{
    return (c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1;
}

/* Local. x as the image, y as the grid; of depthwise layers x with as many channels as y. */
fmd_walk fmd_conv_walk(const fmd_conv *c);

/* Local. Merges all n images of a pointwise layer into one and sets n to 1; leaves other layers
 * unchanged. */
fmd_conv fmd_conv_as_one_line(const fmd_conv *c, size_t *n);

/* Local. The image, with each channel repeated once per output in `scratch`; the image itself if
 * nothing is repeated. */
const float *fmd_conv_spread_channels(const fmd_conv *c, const float *x, float *scratch);

/* Local. The sums of all groups of an image. Returns where the next packed weights are. */
const float *fmd_conv_correlate(const fmd_conv *c, const fmd_walk *walk, const float *image,
                                const float *packed, fmd_conv_ends ends, float *grid);

/* Local. Floats of scratch memory of the weights' gradient, and of its sparse form. */
size_t fmd_conv_weights_scratch_floats(const fmd_conv *c);
size_t fmd_conv_sparse_scratch(const fmd_conv *c);

/* Local. How many images the weights' gradient goes over at a time. */
size_t fmd_conv_images_at_once(const fmd_conv *c);

/* How the weights' gradient of a microbatch is summed. */
typedef enum fmd_conv_form {
    FMD_CONV_DIRECT,
    FMD_CONV_SPARSE,
    FMD_CONV_WINOGRAD,
} fmd_conv_form;

/* Local. The form for dy of the n images of a microbatch, whose `values` given values have all that
 * are not zero. */
fmd_conv_form fmd_conv_weights_form(const fmd_conv *c, size_t n, size_t values, const float *dy);

/* Local. Adds the terms of at most that many images to the weights' gradient; with `begin` they are
 * the first ones. But for the direct form the sums are in `scratch` until the end. */
void fmd_conv_add_weights(const fmd_conv *c, fmd_conv_form form, size_t n, const float *x,
                          const float *dy, bool begin, float *scratch, float *dkernel);
void fmd_conv_end_weights(const fmd_conv *c, fmd_conv_form form, const float *scratch,
                          float *dkernel);
void fmd_conv_sparse_add_weights(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                 bool begin, float *scratch);
void fmd_conv_sparse_end_weights(const fmd_conv *c, const float *sums, float *dkernel);

/* Local. Whether dy has enough zeros for the sparse form: dy of one image for the input's gradient,
 * of the n images of a microbatch for the weights' gradient, whose `values` given values have all
 * that are not zero. False if there is no sparse form. */
bool fmd_conv_input_is_sparse(const fmd_conv *c, const float *dy);
bool fmd_conv_weights_are_sparse(const fmd_conv *c, size_t n, size_t values, const float *dy);

/* Local. Floats of the kernel packed for the sparse form of the input's gradient; 0 if there
 * is no sparse form. */
size_t fmd_conv_sparse_packed_floats(const fmd_conv *c);
void fmd_conv_sparse_pack(const fmd_conv *c, const float *kernel, float *packed);

/* Local. The sparse form of the input's gradient, of one image. */
void fmd_conv_sparse_input_gradient(const fmd_conv *c, const float *dy, const float *packed,
                                    float *scratch, float *dx);

/* Winograd's form (conv_winograd.c). */

/* Local. Floats of packed weights, for the output or for the input's gradient. */
size_t fmd_conv_winograd_packed_floats(const fmd_conv *c);

/* Local. Packs a kernel whose terms are the channels of the image and whose columns are those of the
 * grid. */
void fmd_conv_winograd_pack(const fmd_conv *c, fmd_conv_kernel_view kernel, float *packed);

/* Local. Floats of scratch memory that the functions below need. */
size_t fmd_conv_winograd_scratch_floats(const fmd_conv *c);

/* Local. The grids of n images, which are dense. */
void fmd_conv_winograd_correlate(const fmd_conv *c, const fmd_walk *walk, size_t n,
                                 const float *image, const float *packed, fmd_conv_ends ends,
                                 float *scratch, float *grid);

/* Local. Adds the terms of n images to the sums s of the kernel's gradient, in `scratch` until its
 * end; with `begin` they are the first ones. */
void fmd_conv_winograd_add_weights(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                   bool begin, float *scratch);
void fmd_conv_winograd_end_weights(const fmd_conv *c, const float *sums, float *dkernel);

#endif
