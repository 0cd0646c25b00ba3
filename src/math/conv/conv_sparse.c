#include "math/conv/conv_private.h"

#include "base/simd.h"

#include <string.h>

/* Gradients that leave out the terms of zeros in dy. Behind relu and the maximum of 2 x 2 at
 * most a quarter of its values are not zero.
 *
 * The vectors are channels of the input, which is cut into blocks of channels with a frame of
 * zeros, so that any value of dy meets nine pixels. A sum has its terms in the order of the
 * dense form. */

enum { SIDE = 3, NINE = SIDE * SIDE };

/* With no more channels of the input than one block, the dense form is faster; also with more
 * values left than this share, and for weights with fewer values left of a channel and image. */
enum { MOST_LEFT_PERCENT = 30, FEWEST_LEFT = 4 };

static bool has_sparse_form(const fmd_conv *c)
{
    return c->kernel_h == SIDE && c->kernel_w == SIDE && c->groups == 1 &&
           c->in_c > FMD_CHANNEL_BLOCK;
}

FMD_SIMD static size_t count_nonzero(size_t n, const float *x)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += x[i] != 0;
    return count;
}

bool fmd_conv_input_is_sparse(const fmd_conv *c, const float *dy)
{
    const size_t n = out_floats(c);
    return has_sparse_form(c) && count_nonzero(n, dy) * 100 <= n * MOST_LEFT_PERCENT;
}

bool fmd_conv_weights_are_sparse(const fmd_conv *c, size_t n, size_t values, const float *dy)
{
    if (!has_sparse_form(c))
        return false;
    const size_t left = count_nonzero(values, dy);
    return left * 100 <= n * out_floats(c) * MOST_LEFT_PERCENT &&
           left >= n * (size_t)c->out_c * FEWEST_LEFT;
}

static size_t framed_pixels(const fmd_conv *c)
{
    return (size_t)framed_h(c) * (size_t)framed_w(c);
}

size_t fmd_conv_sparse_packed_floats(const fmd_conv *c)
{
    return has_sparse_form(c) ? NINE * (size_t)c->out_c * filled_up(c->in_c) : 0;
}

/* Sums of dw; a framed image; entries and their numbers, which are as many as there are pixels or
 * channels. */
size_t fmd_conv_sparse_scratch(const fmd_conv *c)
{
    if (!has_sparse_form(c))
        return 0;
    return fmd_conv_sparse_packed_floats(c) + framed_pixels(c) * filled_up(c->in_c) +
           out_pixels(c) + (size_t)c->out_c +
           out_floats(c) * (sizeof(fmd_conv_entry) / sizeof(float));
}

/* packed: for each block of input channels [output channel][tap][channels of the block]. */
void fmd_conv_sparse_pack(const fmd_conv *c, const float *kernel, float *packed)
{
    if (!has_sparse_form(c))
        return;
    const int outputs = c->out_c, inputs = c->in_c;
    for (int first = 0; first < inputs; first += FMD_CHANNEL_BLOCK)
        for (int t = 0; t < NINE; t++)
            for (int o = 0; o < outputs; o++) {
                float *to = packed +
                            ((ptrdiff_t)first / FMD_CHANNEL_BLOCK * outputs + o) * NINE *
                                FMD_CHANNEL_BLOCK +
                            (ptrdiff_t)t * FMD_CHANNEL_BLOCK;
                for (int i = 0; i < FMD_CHANNEL_BLOCK; i++)
                    to[i] = first + i < inputs
                                ? kernel[(ptrdiff_t)(t * inputs + first + i) * outputs + o]
                                : 0;
            }
}

/* The pixels of the framed image that a value of dy meets, in floats from the first one. */
static fmd_conv_nine make_nine(const fmd_conv *c)
{
    const ptrdiff_t line = (ptrdiff_t)framed_w(c) * FMD_CHANNEL_BLOCK;
    return (fmd_conv_nine){.row = c->dilation_h * line,
                           .tap = (ptrdiff_t)c->dilation_w * FMD_CHANNEL_BLOCK,
                           .next_row = c->stride_h * line,
                           .next_pixel = (ptrdiff_t)c->stride_w * FMD_CHANNEL_BLOCK,
                           .grid_h = c->out_h,
                           .grid_w = c->out_w};
}

/* Copies one block of channels of an image from its place in the frame, where there is one. */
static void take_out_of_frame(const fmd_conv *c, const float *framed, int first, float *dx)
{
    const int left = c->in_c - first;
    const size_t channels = (size_t)(left < FMD_CHANNEL_BLOCK ? left : FMD_CHANNEL_BLOCK);
    for (int y = 0; y < c->in_h; y++)
        for (int x = 0; x < c->in_w; x++) {
            const int row = y + c->pad_top, column = x + c->pad_left;
            float *to = dx + ((ptrdiff_t)y * c->in_w + x) * c->in_c + first;
            const float *from =
                framed + ((ptrdiff_t)row * framed_w(c) + column) * FMD_CHANNEL_BLOCK;
            if (row >= framed_h(c) || column >= framed_w(c))
                memset(to, 0, channels * sizeof *to);
            else if (channels == FMD_CHANNEL_BLOCK)
                memcpy(to, from, FMD_CHANNEL_BLOCK * sizeof *to);
            else
                memcpy(to, from, channels * sizeof *to);
        }
}

void fmd_conv_sparse_input_gradient(const fmd_conv *c, const float *dy, const float *packed,
                                    float *scratch, float *dx)
{
    const fmd_conv_nine nine = make_nine(c);
    uint32_t *counts = (uint32_t *)(void *)(scratch + framed_pixels(c) * FMD_CHANNEL_BLOCK);
    fmd_conv_entry *entries = (fmd_conv_entry *)(void *)(counts + out_pixels(c));
    c->kernels->list_positions(out_pixels(c), c->out_c, NINE * FMD_CHANNEL_BLOCK, dy, counts,
                               entries);
    for (int i = 0; i < c->in_c; i += FMD_CHANNEL_BLOCK) {
        memset(scratch, 0, framed_pixels(c) * FMD_CHANNEL_BLOCK * sizeof *scratch);
        c->kernels->scatter(&nine, counts, entries, packed, scratch);
        take_out_of_frame(c, scratch, i, dx);
        packed += (size_t)c->out_c * NINE * FMD_CHANNEL_BLOCK;
    }
}

/* Puts an image into frames of zeros, one for each block of channels. */
static void put_into_frames(const fmd_conv *c, const float *x, float *framed)
{
    const size_t frame = framed_pixels(c) * FMD_CHANNEL_BLOCK;
    memset(framed, 0, framed_pixels(c) * filled_up(c->in_c) * sizeof *framed);
    for (int i = 0; i < c->in_c; i += FMD_CHANNEL_BLOCK, framed += frame) {
        const int left = c->in_c - i;
        const size_t channels = (size_t)(left < FMD_CHANNEL_BLOCK ? left : FMD_CHANNEL_BLOCK);
        for (int y = 0; y < c->in_h && y + c->pad_top < framed_h(c); y++)
            for (int p = 0; p < c->in_w && p + c->pad_left < framed_w(c); p++) {
                const ptrdiff_t at = (ptrdiff_t)(y + c->pad_top) * framed_w(c) + p + c->pad_left;
                const float *from = x + ((ptrdiff_t)y * c->in_w + p) * c->in_c + i;
                if (channels == FMD_CHANNEL_BLOCK)
                    memcpy(framed + at * FMD_CHANNEL_BLOCK, from,
                           FMD_CHANNEL_BLOCK * sizeof *framed);
                else
                    memcpy(framed + at * FMD_CHANNEL_BLOCK, from, channels * sizeof *framed);
            }
    }
}

/* The sums are [block of input channels][output channel][tap][channels of the block]. */
void fmd_conv_sparse_end_weights(const fmd_conv *c, const float *sums, float *dkernel)
{
    const int inputs = c->in_c, outputs = c->out_c;
    for (int first = 0; first < inputs; first += FMD_CHANNEL_BLOCK)
        for (int o = 0; o < outputs; o++)
            for (int t = 0; t < NINE; t++, sums += FMD_CHANNEL_BLOCK)
                for (int i = 0; i < FMD_CHANNEL_BLOCK && first + i < inputs; i++)
                    dkernel[(ptrdiff_t)(t * inputs + first + i) * outputs + o] = sums[i];
}

void fmd_conv_sparse_add_weights(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                 bool begin, float *scratch)
{
    const fmd_conv_nine nine = make_nine(c);
    const size_t frame = framed_pixels(c) * FMD_CHANNEL_BLOCK, most = out_pixels(c);
    const size_t sums_of_channel = (size_t)NINE * FMD_CHANNEL_BLOCK;
    float *sums = scratch, *framed = sums + fmd_conv_sparse_packed_floats(c);
    uint32_t *counts = (uint32_t *)(void *)(framed + framed_pixels(c) * filled_up(c->in_c));
    fmd_conv_entry *entries = (fmd_conv_entry *)(void *)(counts + c->out_c);
    if (begin)
        memset(sums, 0, fmd_conv_sparse_packed_floats(c) * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        float *sum = sums;
        put_into_frames(c, x + i * in_floats(c), framed);
        c->kernels->list_channels(&nine, c->out_c, dy + i * out_floats(c), counts, entries);
        for (size_t b = 0; b < filled_up(c->in_c) / FMD_CHANNEL_BLOCK; b++)
            for (size_t o = 0; o < (size_t)c->out_c; o++, sum += sums_of_channel)
                c->kernels->gather(&nine, counts[o], entries + o * most, framed + b * frame, sum);
    }
}
