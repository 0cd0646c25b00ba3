#include "math/conv/conv_private.h"

#include <string.h>

/* With fewer channels, the columns of a kernel and its channels are rows of one product. */
enum { FEW_CHANNELS = 8 };

static bool has_few_channels(const fmd_conv *c)
{
    return c->groups == 1 && c->dilation_w == 1 && c->in_c < FEW_CHANNELS && c->kernel_w > 1;
}

/* Whether three columns of the weights' gradient are made together, from blocks of channels. */
static bool has_blocked_channels(const fmd_conv *c)
{
    return !is_depthwise(c) && !has_few_channels(c) && c->kernel_w == 3 && c->stride_w == 1 &&
           c->dilation_w == 1 && c->out_w >= 3;
}

/* How many images the weights' gradient goes over at a time: with small images most of the work
 * would be to load and store the sums. */
static size_t blocked_images(const fmd_conv *c)
{
    const size_t images =
        FMD_BAND_BYTES / ((in_pixels(c) + out_pixels(c)) * FMD_CHANNEL_BLOCK * sizeof(float));
    return images > 0 ? images : 1;
}

static size_t dense_scratch(const fmd_conv *c)
{
    if (fmd_conv_is_winograd(c))
        return fmd_conv_winograd_scratch_floats(c);
    if (has_few_channels(c))
        return (size_t)framed_h(c) * (size_t)framed_w(c) * (size_t)c->in_c;
    if (has_blocked_channels(c))
        return blocked_images(c) * (in_pixels(c) * filled_up(c->in_c / c->groups) +
                                    out_pixels(c) * filled_up(c->out_c / c->groups));
    return 0;
}

/* Writes an image with its frame of zeros. */
static void frame(const fmd_conv *c, const float *x, float *to)
{
    const size_t height = (size_t)framed_h(c), width = (size_t)framed_w(c);
    const size_t channels = (size_t)c->in_c, line = (size_t)c->in_w * channels;
    const size_t left = (size_t)c->pad_left, top = (size_t)c->pad_top;
    const size_t copied = left + (size_t)c->in_w > width ? width - left : (size_t)c->in_w;
    memset(to, 0, height * width * channels * sizeof *to);
    for (size_t y = top; y < height && y - top < (size_t)c->in_h; y++)
        memcpy(to + (y * width + left) * channels, x + (y - top) * line,
               copied * channels * sizeof *to);
}

/* The columns of the kernel and the channels of a framed image, which lie together, as channels. */
static fmd_walk framed_walk(const fmd_conv *c)
{
    fmd_walk w = fmd_conv_walk(c);
    w.image_h = framed_h(c);
    w.image_w = framed_w(c);
    w.image_row = (ptrdiff_t)w.image_w * c->in_c;
    w.top = w.left = 0;
    w.taps_w = 1;
    w.image_c = (ptrdiff_t)c->kernel_w * c->in_c;
    return w;
}

/* Writes the channels of an image in blocks: all pixels of the first block, and `block` floats
 * further on those of the next. Channels that are missing in the last block are not written. */
static void block_channels(size_t pixels, const float *x, ptrdiff_t pixel, ptrdiff_t channels,
                           ptrdiff_t block, float *to)
{
    for (ptrdiff_t i = 0; i < channels; i += FMD_CHANNEL_BLOCK, to += block)
        for (size_t p = 0; p < pixels; p++) {
            const float *from = x + (ptrdiff_t)p * pixel + i;
            if (channels - i >= FMD_CHANNEL_BLOCK)
                memcpy(to + p * FMD_CHANNEL_BLOCK, from, FMD_CHANNEL_BLOCK * sizeof *to);
            else
                memcpy(to + p * FMD_CHANNEL_BLOCK, from, (size_t)(channels - i) * sizeof *to);
        }
}

/* Puts the channels of x into blocks, if there are more than one. */
static void block_inputs(const fmd_conv *c, fmd_walk *w, fmd_conv_images *s, float *to)
{
    const ptrdiff_t step = s->image_step, image = (ptrdiff_t)in_pixels(c) * FMD_CHANNEL_BLOCK;
    if (w->image_c <= FMD_CHANNEL_BLOCK)
        return;
    s->image_step = image;
    s->image_block = (ptrdiff_t)s->n * image;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)s->n; i++)
        block_channels(in_pixels(c), s->image + i * step, w->image_pixel, w->image_c,
                       s->image_block, to + i * image);
    s->image = to;
    w->image_pixel = FMD_CHANNEL_BLOCK;
    w->image_row = (ptrdiff_t)c->in_w * FMD_CHANNEL_BLOCK;
}

/* The same of dy. */
static void block_outputs(const fmd_conv *c, fmd_walk *w, fmd_conv_images *s, float *to)
{
    const ptrdiff_t step = s->grid_step, image = (ptrdiff_t)out_pixels(c) * FMD_CHANNEL_BLOCK;
    if (w->grid_c <= FMD_CHANNEL_BLOCK)
        return;
    s->grid_step = image;
    s->grid_block = (ptrdiff_t)s->n * image;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)s->n; i++)
        block_channels(out_pixels(c), s->grid + i * step, w->grid_pixel, w->grid_c, s->grid_block,
                       to + i * image);
    s->grid = to;
    w->grid_pixel = FMD_CHANNEL_BLOCK;
    w->grid_row = (ptrdiff_t)c->out_w * FMD_CHANNEL_BLOCK;
}

/* dw of a kernel of three columns and of some images, whose channels are put into blocks first. */
static void weigh_blocked(const fmd_conv *c, fmd_walk w, fmd_conv_images s, bool begin,
                          float *scratch, float *dw)
{
    block_inputs(c, &w, &s, scratch);
    block_outputs(c, &w, &s, scratch + s.n * in_pixels(c) * filled_up(c->in_c / c->groups));
    c->kernels->weigh_three(&w, &s, begin, c->out_c, dw);
}

/* dw of some images. */
static void weigh_images(const fmd_conv *c, const fmd_walk *walk, fmd_conv_images images,
                         bool begin, float *scratch, float *dw)
{
    if (is_depthwise(c)) {
        c->kernels->weigh_each(walk, &images, begin, dw);
        return;
    }
    for (int g = 0; g < c->groups; g++) {
        if (has_blocked_channels(c))
            weigh_blocked(c, *walk, images, begin, scratch, dw);
        else
            c->kernels->weigh(walk, &images, begin, c->out_c, dw);
        images.image += walk->image_c;
        images.grid += walk->grid_c;
        dw += walk->grid_c;
    }
}

size_t fmd_conv_weights_scratch_floats(const fmd_conv *c)
{
    const size_t dense = dense_scratch(c), sparse = fmd_conv_sparse_scratch(c);
    return dense > sparse ? dense : sparse;
}

static bool spreads_channels(const fmd_conv *c)
{
    return is_depthwise(c) && c->out_c > c->in_c;
}

size_t fmd_conv_images_at_once(const fmd_conv *c)
{
    return has_few_channels(c) || spreads_channels(c) ? 1 : blocked_images(c);
}

fmd_conv_form fmd_conv_weights_form(const fmd_conv *c, size_t n, size_t values, const float *dy)
{
    if (fmd_conv_weights_are_sparse(c, n, values, dy))
        return FMD_CONV_SPARSE;
    return fmd_conv_is_winograd(c) ? FMD_CONV_WINOGRAD : FMD_CONV_DIRECT;
}

static void add_direct(const fmd_conv *c, size_t n, const float *x, const float *dy, bool begin,
                       float *scratch, float *dkernel)
{
    const fmd_conv line = fmd_conv_as_one_line(c, &n);
    const bool few = has_few_channels(c), spread = spreads_channels(c);
    const fmd_walk walk = few ? framed_walk(c) : fmd_conv_walk(&line);
    const fmd_conv_images images = {.n = n,
                                    .image = few || spread ? scratch : x,
                                    .grid = dy,
                                    .image_step = (ptrdiff_t)in_floats(c),
                                    .grid_step = (ptrdiff_t)out_floats(c)};
    if (few)
        frame(c, x, scratch);
    else if (spread)
        fmd_conv_spread_channels(c, x, scratch);
    weigh_images(c, &walk, images, begin, scratch, dkernel);
}

void fmd_conv_add_weights(const fmd_conv *c, fmd_conv_form form, size_t n, const float *x,
                          const float *dy, bool begin, float *scratch, float *dkernel)
{
    switch (form) {
    case FMD_CONV_DIRECT: add_direct(c, n, x, dy, begin, scratch, dkernel); break;
    case FMD_CONV_SPARSE: fmd_conv_sparse_add_weights(c, n, x, dy, begin, scratch); break;
    case FMD_CONV_WINOGRAD: fmd_conv_winograd_add_weights(c, n, x, dy, begin, scratch); break;
    }
}

void fmd_conv_end_weights(const fmd_conv *c, fmd_conv_form form, const float *scratch,
                          float *dkernel)
{
    if (form == FMD_CONV_SPARSE)
        fmd_conv_sparse_end_weights(c, scratch, dkernel);
    else if (form == FMD_CONV_WINOGRAD)
        fmd_conv_winograd_end_weights(c, scratch, dkernel);
}

void fmd_conv_weight_gradient(const fmd_conv *c, size_t n, const float *x, const float *dy,
                              float *scratch, float *dkernel)
{
    const fmd_conv_form form = fmd_conv_weights_form(c, n, n * out_floats(c), dy);
    const bool all = (is_pointwise(c) && !is_depthwise(c)) || form != FMD_CONV_DIRECT;
    const size_t most = all ? n : fmd_conv_images_at_once(c);
    for (size_t i = 0, now; i < n; i += now) {
        now = n - i < most ? n - i : most;
        fmd_conv_add_weights(c, form, now, x + i * in_floats(c), dy + i * out_floats(c), i == 0,
                             scratch, dkernel);
    }
    fmd_conv_end_weights(c, form, scratch, dkernel);
}
