#include "math/bf16/im2col.h"

#include "math/bf16/bf16.h"

#include <string.h>

/* So many floats of rows are made at a time, of at least FMD_BF16_TERMS pixels. */
enum { BLOCK_FLOATS = 65536, BLOCK_PIXELS = 1024 };

/* Some pixels of the output of several images. */
typedef struct pixels {
    size_t first, n;
} pixels;

static size_t out_pixels(const fmd_conv *c, size_t images)
{
    return images * (size_t)c->out_h * (size_t)c->out_w;
}

static int in_group(const fmd_conv *c)
{
    return c->in_c / c->groups;
}

static size_t out_group(const fmd_conv *c)
{
    return (size_t)(c->out_c / c->groups);
}

/* Values that a pixel sees in a group of channels. */
static size_t terms(const fmd_conv *c)
{
    return (size_t)(c->kernel_h * c->kernel_w) * (size_t)in_group(c);
}

/* Pixels at a time: a multiple of FMD_BF16_TERMS, so that sums over pixels are cut between groups of
 * terms. */
static size_t block_pixels(const fmd_conv *c)
{
    const size_t fit = BLOCK_FLOATS / terms(c) / FMD_BF16_TERMS * FMD_BF16_TERMS;
    if (fit < FMD_BF16_TERMS)
        return FMD_BF16_TERMS;
    return fit < BLOCK_PIXELS ? fit : BLOCK_PIXELS;
}

/* The block that begins at pixel `first` of `all`. */
static pixels block_at(const fmd_conv *c, size_t first, size_t all)
{
    const size_t most = block_pixels(c);
    return (pixels){first, all - first < most ? all - first : most};
}

/* Whether the rows are those of the image itself. */
static bool sees_itself(const fmd_conv *c)
{
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride_h == 1 && c->stride_w == 1;
}

bool fmd_bf16_has(const fmd_conv *c)
{
    return c->groups == 1 || c->groups != c->in_c;
}

size_t fmd_bf16_conv_scratch_floats(const fmd_conv *c)
{
    return fmd_bf16_has(c) && !sees_itself(c) ? block_pixels(c) * terms(c) : 0;
}

/* What a pixel of the output sees first: an image, and a place that may lie outside of it. */
typedef struct view {
    ptrdiff_t image;
    int y, x;
} view;

static view view_of(const fmd_conv *c, size_t pixel)
{
    const int x = (int)(pixel % (size_t)c->out_w), line = (int)(pixel / (size_t)c->out_w);
    return (view){line / c->out_h, line % c->out_h * c->stride_h - c->pad_top,
                  x * c->stride_w - c->pad_left};
}

/* The pixel that tap (ky, kx) sees, counted over all images; -1: outside. */
static ptrdiff_t seen(const fmd_conv *c, view v, int ky, int kx)
{
    const int y = v.y + ky * c->dilation_h, x = v.x + kx * c->dilation_w;
    if (y < 0 || y >= c->in_h || x < 0 || x >= c->in_w)
        return -1;
    return (v.image * c->in_h + y) * c->in_w + x;
}

/* The rows of some pixels. */
static void gather(const fmd_conv *c, pixels p, int group, const float *x, float *rows)
{
    const size_t channels = (size_t)in_group(c);
    for (size_t i = 0; i < p.n; i++) {
        const view v = view_of(c, p.first + i);
        for (int ky = 0; ky < c->kernel_h; ky++)
            for (int kx = 0; kx < c->kernel_w; kx++, rows += channels) {
                const ptrdiff_t at = seen(c, v, ky, kx);
                if (at < 0)
                    memset(rows, 0, channels * sizeof *rows);
                else
                    memcpy(rows, x + at * c->in_c + (ptrdiff_t)group * in_group(c),
                           channels * sizeof *rows);
            }
    }
}

/* Adds the rows of some pixels to where they came from. */
static void scatter(const fmd_conv *c, pixels p, int group, const float *rows, float *x)
{
    const size_t channels = (size_t)in_group(c);
    for (size_t i = 0; i < p.n; i++) {
        const view v = view_of(c, p.first + i);
        for (int ky = 0; ky < c->kernel_h; ky++)
            for (int kx = 0; kx < c->kernel_w; kx++, rows += channels) {
                const ptrdiff_t at = seen(c, v, ky, kx);
                if (at < 0)
                    continue;
                float *to = x + at * c->in_c + (ptrdiff_t)group * in_group(c);
                for (size_t j = 0; j < channels; j++)
                    to[j] += rows[j];
            }
    }
}

/* The rows of some pixels as an operand: in the images themselves, or gathered. */
static const float *rows_of(const fmd_conv *c, pixels p, int group, const float *x, float *scratch,
                            size_t *stride)
{
    *stride = sees_itself(c) ? (size_t)c->in_c : terms(c);
    if (sees_itself(c))
        return x + p.first * (size_t)c->in_c + (size_t)(group * in_group(c));
    gather(c, p, group, x, scratch);
    return scratch;
}

static void make_positive(size_t n, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = y[i] < 0 ? 0 : y[i]; /* NaN stays NaN */
}

void fmd_bf16_conv_forward(const fmd_conv *c, size_t n, const float *x, const float *kernel,
                           const float *bias, bool relu, float *scratch, float *y)
{
    const size_t all = out_pixels(c, n), out_c = (size_t)c->out_c, columns = out_group(c);
    for (pixels p = block_at(c, 0, all); p.n > 0; p = block_at(c, p.first + p.n, all)) {
        for (int g = 0; g < c->groups; g++) {
            const size_t at = (size_t)g * columns;
            fmd_bf16_product product = {.m = p.n,
                                        .n = columns,
                                        .k = terms(c),
                                        .part = terms(c),
                                        .b = kernel + at,
                                        .bias = bias != NULL ? bias + at : NULL,
                                        .ldb = out_c,
                                        .ldc = out_c,
                                        .c = y + p.first * out_c + at};
            product.a = rows_of(c, p, g, x, scratch, &product.lda);
            fmd_bf16_multiply(&product);
        }
        if (relu)
            make_positive(p.n * out_c, y + p.first * out_c);
    }
}

void fmd_bf16_conv_weight_gradient(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                   float *scratch, float *dkernel)
{
    const size_t all = out_pixels(c, n), out_c = (size_t)c->out_c, columns = out_group(c);
    for (pixels p = block_at(c, 0, all); p.n > 0; p = block_at(c, p.first + p.n, all))
        for (int g = 0; g < c->groups; g++) {
            const size_t at = (size_t)g * columns;
            fmd_bf16_product product = {.a_transposed = true,
                                        .adds = p.first > 0,
                                        .m = terms(c),
                                        .n = columns,
                                        .k = p.n,
                                        .part = p.n,
                                        .b = dy + p.first * out_c + at,
                                        .ldb = out_c,
                                        .ldc = out_c,
                                        .c = dkernel + at};
            product.a = rows_of(c, p, g, x, scratch, &product.lda);
            fmd_bf16_multiply(&product);
        }
}

void fmd_bf16_conv_input_gradient(const fmd_conv *c, size_t n, const float *dy, const float *kernel,
                                  float *scratch, float *dx)
{
    const size_t all = out_pixels(c, n), out_c = (size_t)c->out_c, columns = out_group(c);
    const bool direct = sees_itself(c);
    if (!direct)
        memset(dx, 0, n * (size_t)c->in_h * (size_t)c->in_w * (size_t)c->in_c * sizeof *dx);
    for (pixels p = block_at(c, 0, all); p.n > 0; p = block_at(c, p.first + p.n, all))
        for (int g = 0; g < c->groups; g++) {
            const size_t at = (size_t)g * columns;
            const fmd_bf16_product product = {
                .b_transposed = true,
                .m = p.n,
                .n = terms(c),
                .k = columns,
                .part = columns,
                .a = dy + p.first * out_c + at,
                .lda = out_c,
                .b = kernel + at,
                .ldb = out_c,
                .c = direct ? dx + p.first * (size_t)c->in_c + (size_t)(g * in_group(c)) : scratch,
                .ldc = direct ? (size_t)c->in_c : terms(c)};
            fmd_bf16_multiply(&product);
            if (!direct)
                scatter(c, p, g, scratch, dx);
        }
}
