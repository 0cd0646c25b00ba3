#include "math/conv/conv_private.h"
#include "math/kernels.h"

#include <string.h>

void fmd_conv_plan(fmd_conv *c, fmd_padding padding)
{
    c->out_h =
        fmd_window_fit(c->in_h, c->kernel_h, c->stride_h, c->dilation_h, padding, &c->pad_top);
    c->out_w =
        fmd_window_fit(c->in_w, c->kernel_w, c->stride_w, c->dilation_w, padding, &c->pad_left);
    c->kernels = fmd_kernels_best()->conv;
}

size_t fmd_conv_packed_floats(const fmd_conv *c)
{
    if (fmd_conv_is_winograd(c))
        return fmd_conv_winograd_packed_floats(c);
    if (is_depthwise(c))
        return taps(c) * filled_up(c->out_c);
    return taps(c) * (size_t)c->in_c * filled_up(c->out_c / c->groups);
}

/* The dense form of the packed weights, which comes before the sparse one. */
static size_t dense_input_packed_floats(const fmd_conv *c)
{
    if (fmd_conv_is_winograd(c))
        return fmd_conv_winograd_packed_floats(c);
    if (is_depthwise(c))
        return taps(c) * (size_t)(c->out_c / c->in_c) * filled_up(c->in_c);
    return taps(c) * (size_t)c->out_c * filled_up(c->in_c / c->groups);
}

size_t fmd_conv_input_packed_floats(const fmd_conv *c)
{
    return dense_input_packed_floats(c) + fmd_conv_sparse_packed_floats(c);
}

static size_t larger(size_t x, size_t y)
{
    return x > y ? x : y;
}

size_t fmd_conv_scratch_floats(const fmd_conv *c)
{
    if (!is_depthwise(c))
        return fmd_conv_weights_scratch_floats(c);
    const size_t spread = in_pixels(c) * (size_t)c->out_c;
    return c->out_c > c->in_c ? larger(spread, out_pixels(c) * (size_t)c->in_c) : 0;
}

/* Whether sums of so many channels go over them before columns, for so many channels of the
 * result's group. Where either are few, kernels of three columns are faster so. */
static bool is_three(const fmd_conv *c, ptrdiff_t channels, ptrdiff_t results)
{
    return c->kernel_w == 3 && c->stride_w == 1 && c->dilation_w == 1 &&
           (results <= FMD_CONV_FEW_RESULTS || channels <= FMD_CONV_FEW_CHANNELS) &&
           !is_depthwise(c);
}

bool fmd_conv_columns_last(const fmd_conv *c)
{
    return is_three(c, c->in_c / c->groups, c->out_c / c->groups);
}

/* Writes panels of two vectors of columns, or of one with `single`. Returns where the next ones
 * go. */
static float *pack_panels(size_t vector, bool single, fmd_conv_kernel_view k, float *to)
{
    for (int o = 0; o < k.columns;) {
        const int left = k.columns - o, most = (int)vector;
        const int width = left > most && !single ? 2 * most : most;
        for (int ky = 0; ky < k.taps_h; ky++)
            for (int kx = 0; kx < k.taps_w; kx++)
                for (int i = 0; i < k.terms; i++, to += width) {
                    const float *from = k.at + ky * k.row + kx * k.tap + i * k.term + o * k.column;
                    const int some = left < width ? left : width;
                    if (k.column == 1)
                        memcpy(to, from, (size_t)some * sizeof *to);
                    for (int j = k.column == 1 ? some : 0; j < width; j++)
                        to[j] = j < left ? from[j * k.column] : 0;
                }
        o += width;
    }
    return to;
}

/* The same in the order in which sums go, or in Winograd's form. */
static float *pack_in_order(const fmd_conv *c, fmd_conv_kernel_view k, float *to)
{
    if (fmd_conv_is_winograd(c)) {
        fmd_conv_winograd_pack(c, k, to);
        return to + fmd_conv_winograd_packed_floats(c);
    }
    const bool three = is_three(c, k.terms, k.columns);
    const fmd_conv_kernel_view by_channels = {k.at,  k.taps_h, k.terms, k.taps_w, k.columns,
                                              k.row, k.term,   k.tap,   k.column};
    return pack_panels(c->kernels->vector, is_depthwise(c) || three, three ? by_channels : k, to);
}

void fmd_conv_pack(const fmd_conv *c, const float *kernel, float *packed)
{
    const bool each = is_depthwise(c);
    const int groups = each ? 1 : c->groups, terms = each ? 1 : c->in_c / c->groups;
    for (int g = 0; g < groups; g++) {
        const int columns = c->out_c / groups;
        const ptrdiff_t tap = (ptrdiff_t)terms * c->out_c;
        const fmd_conv_kernel_view view = {kernel + (ptrdiff_t)g * columns,
                                           c->kernel_h,
                                           c->kernel_w,
                                           terms,
                                           columns,
                                           c->kernel_w * tap,
                                           tap,
                                           c->out_c,
                                           1};
        packed = pack_in_order(c, view, packed);
    }
}

/* The taps of one dimension that reach the input's pixels `phase`, phase + stride, ...: so many,
 * from tap `last` down every `every`. Their pixels of dy begin `before` pixels outside and are
 * `step` apart. */
typedef struct phase_taps {
    int taps, last, every, before, step;
} phase_taps;

static phase_taps taps_of_phase(int phase, int kernel, int stride, int dilation, int pad)
{
    phase_taps t = {0, 0, 1, 0, 1};
    int previous = -1;
    for (int k = 0; k < kernel; k++) {
        if ((phase + pad - k * dilation) % stride != 0)
            continue;
        if (previous >= 0) {
            t.every = k - previous;
            t.step = t.every * dilation / stride;
        }
        t.taps++;
        t.last = previous = k;
    }
    t.before = (t.last * dilation - phase - pad) / stride;
    return t;
}

/* What the input's pixels of one phase have in common. */
typedef struct input_phase {
    phase_taps h, w;
    fmd_walk walk;    /* over dy, as the image */
    ptrdiff_t offset; /* floats to its first pixel */
} input_phase;

static int phases(const fmd_conv *c)
{
    return c->stride_h * c->stride_w;
}

/* Phase i; depthwise layers have one group here, and its channels by themselves. */
static input_phase make_phase(const fmd_conv *c, int i)
{
    const int y = i / c->stride_w, x = i % c->stride_w;
    const bool each = is_depthwise(c);
    const int dy_c = each ? c->in_c : c->out_c;
    input_phase p = {
        .h = taps_of_phase(y, c->kernel_h, c->stride_h, c->dilation_h, c->pad_top),
        .w = taps_of_phase(x, c->kernel_w, c->stride_w, c->dilation_w, c->pad_left),
        .offset = ((ptrdiff_t)y * c->in_w + x) * c->in_c,
    };
    p.walk = (fmd_walk){
        .image_h = c->out_h,
        .image_w = c->out_w,
        .grid_h = (c->in_h - y + c->stride_h - 1) / c->stride_h,
        .grid_w = (c->in_w - x + c->stride_w - 1) / c->stride_w,
        .taps_h = p.h.taps,
        .taps_w = p.w.taps,
        .stride_h = 1,
        .stride_w = 1,
        .step_h = p.h.step,
        .step_w = p.w.step,
        .top = p.h.before,
        .left = p.w.before,
        .image_c = each ? 1 : c->out_c / c->groups,
        .grid_c = each ? c->in_c : c->in_c / c->groups,
        .image_row = (ptrdiff_t)c->out_w * dy_c,
        .image_pixel = dy_c,
        .grid_row = (ptrdiff_t)c->stride_h * c->in_w * c->in_c,
        .grid_pixel = (ptrdiff_t)c->stride_w * c->in_c,
    };
    return p;
}

void fmd_conv_input_pack(const fmd_conv *c, const float *kernel, float *packed)
{
    const bool each = is_depthwise(c);
    const int terms = each ? 1 : c->out_c / c->groups,
              columns = each ? c->in_c : c->in_c / c->groups;
    const int parts = each ? c->out_c / c->in_c : c->groups;
    const ptrdiff_t tap = (ptrdiff_t)(c->in_c / c->groups) * c->out_c, row = c->kernel_w * tap;
    fmd_conv_sparse_pack(c, kernel, packed + dense_input_packed_floats(c));
    for (int i = 0; i < phases(c); i++) {
        const input_phase p = make_phase(c, i);
        for (int part = 0; part < parts; part++) {
            const fmd_conv_kernel_view view = {kernel + p.h.last * row + p.w.last * tap +
                                                   (ptrdiff_t)part * terms,
                                               p.h.taps,
                                               p.w.taps,
                                               terms,
                                               columns,
                                               -p.h.every * row,
                                               -p.w.every * tap,
                                               1,
                                               each ? parts : c->out_c};
            packed = pack_in_order(c, view, packed);
        }
    }
}

fmd_walk fmd_conv_walk(const fmd_conv *c)
{
    const bool each = is_depthwise(c);
    const int x_c = each ? c->out_c : c->in_c;
    return (fmd_walk){
        .image_h = c->in_h,
        .image_w = c->in_w,
        .grid_h = c->out_h,
        .grid_w = c->out_w,
        .taps_h = c->kernel_h,
        .taps_w = c->kernel_w,
        .stride_h = c->stride_h,
        .stride_w = c->stride_w,
        .step_h = c->dilation_h,
        .step_w = c->dilation_w,
        .top = c->pad_top,
        .left = c->pad_left,
        .image_c = each ? 1 : c->in_c / c->groups,
        .grid_c = each ? c->out_c : c->out_c / c->groups,
        .image_row = (ptrdiff_t)c->in_w * x_c,
        .image_pixel = x_c,
        .grid_row = (ptrdiff_t)c->out_w * c->out_c,
        .grid_pixel = c->out_c,
    };
}

fmd_conv fmd_conv_as_one_line(const fmd_conv *c, size_t *n)
{
    fmd_conv line = *c;
    if (!is_pointwise(c) || is_depthwise(c))
        return line;
    line.in_w = line.out_w = (int)*n * c->in_h * c->in_w;
    line.in_h = line.out_h = 1;
    *n = *n > 0;
    return line;
}

const float *fmd_conv_spread_channels(const fmd_conv *c, const float *x, float *scratch)
{
    const int times = c->out_c / c->in_c;
    if (times == 1)
        return x;
    for (size_t i = 0; i < in_floats(c); i++)
        for (int j = 0; j < times; j++)
            scratch[i * (size_t)times + (size_t)j] = x[i];
    return scratch;
}

const float *fmd_conv_correlate(const fmd_conv *c, const fmd_walk *walk, const float *image,
                                const float *packed, fmd_conv_ends ends, float *grid)
{
    const size_t vector = c->kernels->vector, columns = (size_t)walk->grid_c;
    const size_t group = (size_t)walk->taps_h * (size_t)walk->taps_w * (size_t)walk->image_c *
                         ((columns + vector - 1) / vector * vector);
    for (int g = 0; g < c->groups; g++, packed += group) {
        (is_three(c, walk->image_c, walk->grid_c) ? c->kernels->correlate_three
                                                  : c->kernels->correlate)(
            walk, image + (ptrdiff_t)g * walk->image_c, packed, ends, grid + (size_t)g * columns);
        ends.bias += ends.bias != NULL ? columns : 0;
    }
    return packed;
}

void fmd_conv_forward(const fmd_conv *c, size_t n, const float *x, const float *packed,
                      const float *bias, bool relu, float *scratch, float *y)
{
    const fmd_conv line = fmd_conv_as_one_line(c, &n);
    const fmd_walk walk = fmd_conv_walk(&line);
    const fmd_conv_ends ends = {.bias = bias, .relu = relu};
    if (fmd_conv_is_winograd(c)) {
        fmd_conv_winograd_correlate(c, &walk, n, x, packed, ends, scratch, y);
        return;
    }
    for (; n > 0; n--, x += in_floats(c), y += out_floats(c))
        if (is_depthwise(c))
            c->kernels->correlate_each(&walk, fmd_conv_spread_channels(c, x, scratch), packed, ends,
                                       y);
        else
            fmd_conv_correlate(c, &walk, x, packed, ends, y);
}

/* Every `times`th channel of an image of dy from channel j on; or the image itself. */
static const float *pick_channels(const fmd_conv *c, const float *dy, int j, float *scratch)
{
    const size_t times = (size_t)(c->out_c / c->in_c), values = out_floats(c) / times;
    if (times == 1)
        return dy;
    for (size_t i = 0; i < values; i++)
        scratch[i] = dy[i * times + (size_t)j];
    return scratch;
}

/* The input's gradient of one image of a depthwise layer. The sums go on from one channel of the
 * multiplier to the next. */
static void each_input_gradient(const fmd_conv *c, const float *dy, const float *packed,
                                float *scratch, float *dx)
{
    const size_t vector = c->kernels->vector;
    const size_t filled = ((size_t)c->in_c + vector - 1) / vector * vector;
    const int times = c->out_c / c->in_c;
    for (int j = 0; j < times; j++) {
        const float *channels = pick_channels(c, dy, j, scratch), *weights = packed;
        const fmd_conv_ends ends = {.go_on = j > 0};
        for (int i = 0; i < phases(c); i++) {
            const input_phase p = make_phase(c, i);
            const size_t part = (size_t)p.h.taps * (size_t)p.w.taps * filled;
            c->kernels->correlate_each(&p.walk, channels, weights + part * (size_t)j, ends,
                                       dx + p.offset);
            weights += part * (size_t)times;
        }
    }
}

/* dx of the first images whose dy has not many zeros; returns how many these are, at least one. */
static size_t winograd_input_gradient(const fmd_conv *c, size_t n, const float *dy,
                                      const float *packed, float *scratch, float *dx)
{
    const input_phase p = make_phase(c, 0);
    size_t images = 1;
    while (images < n && !fmd_conv_input_is_sparse(c, dy + images * out_floats(c)))
        images++;
    fmd_conv_winograd_correlate(c, &p.walk, images, dy, packed, (fmd_conv_ends){0}, scratch, dx);
    return images;
}

/* dx of one image. */
static void direct_input_gradient(const fmd_conv *c, const float *dy, const float *packed,
                                  float *dx)
{
    for (int i = 0; i < phases(c); i++) {
        const input_phase p = make_phase(c, i);
        packed = fmd_conv_correlate(c, &p.walk, dy, packed, (fmd_conv_ends){0}, dx + p.offset);
    }
}

void fmd_conv_input_gradient(const fmd_conv *c, size_t n, const float *dy,
                             const float *input_packed, float *scratch, float *dx)
{
    const float *sparse = input_packed + dense_input_packed_floats(c);
    const fmd_conv line = fmd_conv_as_one_line(c, &n);
    for (size_t done; n > 0; n -= done, dy += done * out_floats(c), dx += done * in_floats(c)) {
        done = 1;
        if (is_depthwise(c))
            each_input_gradient(c, dy, input_packed, scratch, dx);
        else if (fmd_conv_input_is_sparse(c, dy))
            fmd_conv_sparse_input_gradient(c, dy, sparse, scratch, dx);
        else if (fmd_conv_is_winograd(c))
            done = winograd_input_gradient(c, n, dy, input_packed, scratch, dx);
        else
            direct_input_gradient(&line, dy, input_packed, dx);
    }
}
