#include "math/conv/conv_private.h"

/* An image's output is made a band of rows at a time, which stays in the first cache until its
 * maxima are found. Gradients go to the places of the maxima for a few images at a time. */

bool fmd_conv_fuses_pool(const fmd_conv *c, const fmd_pool *p)
{
    return !is_depthwise(c) && fmd_pool_is_apart(p);
}

/* Rows of the output in a band: whole windows, and whole tiles of Winograd's form. */
static int band_rows(const fmd_conv *c, const fmd_pool *p)
{
    const int bytes = c->out_w * c->out_c * (int)sizeof(float) * p->pool_h;
    const int windows = FMD_BAND_BYTES / bytes, rows = (windows > 0 ? windows : 1) * p->pool_h;
    return fmd_conv_is_winograd(c) && rows % 2 != 0 ? 2 * rows : rows;
}

size_t fmd_conv_pool_scratch_floats(const fmd_conv *c, const fmd_pool *p)
{
    const size_t band = (size_t)band_rows(c, p) * (size_t)c->out_w * (size_t)c->out_c;
    const size_t images = fmd_conv_images_at_once(c) * out_floats(c);
    return fmd_conv_weights_scratch_floats(c) + fmd_conv_scratch_floats(c) +
           (band > images ? band : images);
}

void fmd_conv_forward_pooled(const fmd_conv *c, const fmd_pool *p, size_t n, const float *x,
                             const float *packed, const float *bias, bool relu, float *scratch,
                             float *y, uint8_t *places)
{
    const fmd_conv_ends ends = {.bias = bias, .relu = relu};
    const int rows = p->out_h * p->pool_h, band = band_rows(c, p);
    float *output = scratch + fmd_conv_scratch_floats(c);
    const size_t line = (size_t)p->out_w * (size_t)p->channels;
    for (; n > 0; n--, x += in_floats(c))
        for (int row = 0; row < rows; row += band) {
            fmd_walk walk = fmd_conv_walk(c);
            fmd_pool part = *p;
            part.in_h = rows - row < band ? rows - row : band;
            part.out_h = part.in_h / p->pool_h;
            walk.grid_h = part.in_h;
            walk.top -= (ptrdiff_t)row * c->stride_h;
            if (fmd_conv_is_winograd(c))
                fmd_conv_winograd_correlate(c, &walk, 1, x, packed, ends, scratch, output);
            else
                fmd_conv_correlate(c, &walk, x, packed, ends, output);
            fmd_max_pool(&part, 1, output, y, places);
            y += line * (size_t)part.out_h;
            places += line * (size_t)part.out_h;
        }
}

void fmd_conv_gradients_pooled(const fmd_conv *c, const fmd_pool *p, size_t n, const float *x,
                               const float *dy, const uint8_t *places, const float *input_packed,
                               float *scratch, float *dkernel, float *dx)
{
    const size_t most = fmd_conv_images_at_once(c),
                 maxima = (size_t)(p->out_h * p->out_w) * (size_t)p->channels;
    const fmd_conv_form form = fmd_conv_weights_form(c, n, n * maxima, dy);
    float *other = scratch + fmd_conv_weights_scratch_floats(c);
    float *spread = other + fmd_conv_scratch_floats(c);
    for (size_t i = 0, now; i < n; i += now) {
        now = n - i < most ? n - i : most;
        fmd_max_pool_gradient(p, now, dy + i * maxima, places + i * maxima, spread);
        fmd_conv_add_weights(c, form, now, x + i * in_floats(c), spread, i == 0, scratch, dkernel);
        if (dx != NULL)
            fmd_conv_input_gradient(c, now, spread, input_packed, other, dx + i * in_floats(c));
    }
    fmd_conv_end_weights(c, form, scratch, dkernel);
}
