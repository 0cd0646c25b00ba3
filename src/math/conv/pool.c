#include "math/conv/pool.h"

#include "base/simd.h"
#include "math/kernels.h"

#include <stdbool.h>
#include <string.h>

/* Channels of a window that are worked on at a time. */
enum { CHUNK = 32, HALF_CHUNK = 16 };

/* Rows and columns of the image that a window has, and the place of the first pixel among all. */
typedef struct window {
    int top, bottom, left, right, place;
} window;

static inline int most(int x, int y)
{
    return x > y ? x : y;
}

static inline int least(int x, int y)
{
    return x < y ? x : y;
}

static inline window window_of(const fmd_pool *p, int y, int x)
{
    const int top = y * p->stride_h - p->pad_top, left = x * p->stride_w - p->pad_left;
    window w = {most(top, 0), least(top + p->pool_h, p->in_h), most(left, 0),
                least(left + p->pool_w, p->in_w), 0};
    w.place = (w.top - top) * p->pool_w + w.left - left;
    return w;
}

static size_t in_floats(const fmd_pool *p)
{
    return (size_t)p->in_h * (size_t)p->in_w * (size_t)p->channels;
}

static inline size_t pixel_at(const fmd_pool *p, int y, int x)
{
    return ((size_t)y * (size_t)p->in_w + (size_t)x) * (size_t)p->channels;
}

/* Whether windows share pixels. */
static bool overlaps(const fmd_pool *p)
{
    return p->stride_h < p->pool_h || p->stride_w < p->pool_w;
}

/* Whether each pixel is in some window. */
static bool covers(const fmd_pool *p)
{
    return p->stride_h <= p->pool_h && p->stride_w <= p->pool_w &&
           (p->out_h - 1) * p->stride_h - p->pad_top + p->pool_h >= p->in_h &&
           (p->out_w - 1) * p->stride_w - p->pad_left + p->pool_w >= p->in_w;
}

void fmd_pool_plan(fmd_pool *p, fmd_padding padding)
{
    p->out_h = fmd_window_fit(p->in_h, p->pool_h, p->stride_h, 1, padding, &p->pad_top);
    p->out_w = fmd_window_fit(p->in_w, p->pool_w, p->stride_w, 1, padding, &p->pad_left);
}

bool fmd_pool_is_apart(const fmd_pool *p)
{
    return p->stride_h == p->pool_h && p->stride_w == p->pool_w &&
           p->out_h * p->pool_h <= p->in_h && p->out_w * p->pool_w <= p->in_w;
}

/* How many windows of a row lie side by side in the image and have 2 x 2 places, from the first on. */
static int windows_of_four(const fmd_pool *p, int row)
{
    const bool whole = p->pool_h == 2 && p->pool_w == 2 && p->stride_w == 2 && p->stride_h == 2 &&
                       p->pad_left == 0 && row * p->stride_h >= p->pad_top &&
                       row * p->stride_h - p->pad_top + 2 <= p->in_h;
    return !whole ? 0 : least(p->out_w, p->in_w / 2);
}

/* The maxima of a window, n channels of it, at most CHUNK. Loops of constant length become vectors;
 * unrolled they would not. */
static inline __attribute__((always_inline)) void largest_of_window(const fmd_pool *p,
                                                                    const window *w, size_t n,
                                                                    const float *x, float *y,
                                                                    uint8_t *places)
{
    float largest[CHUNK];
    uint32_t found[CHUNK];
    const float *first = x + pixel_at(p, w->top, w->left);
#pragma GCC unroll 1
    for (size_t c = 0; c < n; c++) {
        largest[c] = first[c];
        found[c] = (uint32_t)w->place;
    }
    for (int i = w->top; i < w->bottom; i++)
        for (int j = w->left; j < w->right; j++) {
            const float *pixel = x + pixel_at(p, i, j);
            const uint32_t place = (uint32_t)(w->place + (i - w->top) * p->pool_w + j - w->left);
#pragma GCC unroll 1
            for (size_t c = 0; c < n; c++) {
                const bool larger = pixel[c] > largest[c] || pixel[c] != pixel[c];
                largest[c] = larger ? pixel[c] : largest[c];
                found[c] = larger ? place : found[c];
            }
        }
#pragma GCC unroll 1
    for (size_t c = 0; c < n; c++) {
        y[c] = largest[c];
        places[c] = (uint8_t)found[c];
    }
}

FMD_SIMD void fmd_max_pool(const fmd_pool *p, size_t n, const float *x, float *y, uint8_t *places)
{
    const size_t channels = (size_t)p->channels;
    const fmd_conv_kernels *kernels = fmd_kernels_best()->conv;
    for (; n > 0; n--, x += in_floats(p))
        for (int i = 0; i < p->out_h; i++) {
            const int four = windows_of_four(p, i);
            if (four > 0)
                kernels->largest_of_four(four, p->channels, (ptrdiff_t)p->in_w * p->channels,
                                         x + pixel_at(p, i * 2 - p->pad_top, 0), y, places);
            y += (size_t)four * channels;
            places += (size_t)four * channels;
            for (int j = four; j < p->out_w; j++, y += channels, places += channels) {
                const window w = window_of(p, i, j);
                for (size_t c = 0, now; c < channels; c += now) {
                    const size_t left = channels - c;
                    now = left >= CHUNK ? CHUNK : left >= HALF_CHUNK ? HALF_CHUNK : left;
                    if (now == CHUNK)
                        largest_of_window(p, &w, CHUNK, x + c, y + c, places + c);
                    else if (now == HALF_CHUNK)
                        largest_of_window(p, &w, HALF_CHUNK, x + c, y + c, places + c);
                    else
                        largest_of_window(p, &w, now, x + c, y + c, places + c);
                }
            }
        }
}

/* Gives the gradients of n channels to one place of a window; with `first` nothing is there yet. */
static inline __attribute__((always_inline)) void to_place(size_t n, const float *restrict dy,
                                                           const uint8_t *restrict places,
                                                           int place, bool first,
                                                           float *restrict dx)
{
    for (size_t c = 0; c < n; c++) {
        const float mine = places[c] == place ? dy[c] : 0;
        dx[c] = first ? mine : dx[c] + mine;
    }
}

FMD_SIMD void fmd_max_pool_gradient(const fmd_pool *p, size_t n, const float *dy,
                                    const uint8_t *places, float *dx)
{
    const size_t channels = (size_t)p->channels;
    const bool apart = !overlaps(p), all = covers(p);
    const fmd_conv_kernels *kernels = fmd_kernels_best()->conv;
    for (; n > 0; n--, dx += in_floats(p)) {
        if (!apart || !all)
            memset(dx, 0, in_floats(p) * sizeof *dx);
        for (int y = 0; y < p->out_h; y++) {
            const int four = windows_of_four(p, y);
            if (four > 0)
                kernels->to_four(four, p->channels, (ptrdiff_t)p->in_w * p->channels, dy, places,
                                 dx + pixel_at(p, y * 2 - p->pad_top, 0));
            dy += (size_t)four * channels;
            places += (size_t)four * channels;
            for (int x = four; x < p->out_w; x++, dy += channels, places += channels) {
                const window w = window_of(p, y, x);
                for (int i = w.top; i < w.bottom; i++)
                    for (int j = w.left; j < w.right; j++) {
                        const int place = w.place + (i - w.top) * p->pool_w + j - w.left;
                        float *pixel = dx + pixel_at(p, i, j);
                        if (apart)
                            to_place(channels, dy, places, place, true, pixel);
                        else
                            to_place(channels, dy, places, place, false, pixel);
                    }
            }
        }
    }
}

/* The pixels of a line of windows come row by row, and in a row those of one window after the
 * other. */
void fmd_max_pool_gradient_sums(const fmd_pool *p, size_t n, const float *dy, const uint8_t *places,
                                float *sums)
{
    const size_t line = (size_t)p->out_w * (size_t)p->channels;
    memset(sums, 0, (size_t)p->channels * sizeof *sums);
    for (size_t i = 0; i < n * (size_t)p->out_h; i++, dy += line, places += line)
        for (int row = 0; row < p->pool_h; row++)
            fmd_kernels_best()->conv->add_places(p->out_w, p->channels, row * p->pool_w, p->pool_w,
                                                 dy, places, sums);
}

FMD_SIMD void fmd_average_pool(const fmd_pool *p, size_t n, const float *x, float *y)
{
    const size_t channels = (size_t)p->channels;
    for (; n > 0; n--, x += in_floats(p))
        for (int r = 0; r < p->out_h; r++)
            for (int q = 0; q < p->out_w; q++, y += channels) {
                const window w = window_of(p, r, q);
                const float count = (float)((w.bottom - w.top) * (w.right - w.left));
                memcpy(y, x + pixel_at(p, w.top, w.left), channels * sizeof *y);
                for (int i = w.top; i < w.bottom; i++)
                    for (int j = w.left + (i == w.top); j < w.right; j++) {
                        const float *pixel = x + pixel_at(p, i, j);
                        for (size_t c = 0; c < channels; c++)
                            y[c] += pixel[c];
                    }
                for (size_t c = 0; c < channels; c++)
                    y[c] /= count;
            }
}

FMD_SIMD void fmd_average_pool_gradient(const fmd_pool *p, size_t n, const float *dy, float *dx)
{
    const size_t channels = (size_t)p->channels;
    for (; n > 0; n--, dx += in_floats(p)) {
        memset(dx, 0, in_floats(p) * sizeof *dx);
        for (int r = 0; r < p->out_h; r++)
            for (int q = 0; q < p->out_w; q++, dy += channels) {
                const window w = window_of(p, r, q);
                const float count = (float)((w.bottom - w.top) * (w.right - w.left));
                for (int i = w.top; i < w.bottom; i++)
                    for (int j = w.left; j < w.right; j++) {
                        float *pixel = dx + pixel_at(p, i, j);
                        for (size_t c = 0; c < channels; c++)
                            pixel[c] += dy[c] / count;
                    }
            }
    }
}

FMD_SIMD void fmd_global_average(size_t n, size_t pixels, size_t channels, const float *x, float *y)
{
    for (; n > 0; n--, y += channels) {
        memset(y, 0, channels * sizeof *y);
        for (size_t i = 0; i < pixels; i++, x += channels)
            for (size_t c = 0; c < channels; c++)
                y[c] += x[c];
        for (size_t c = 0; c < channels; c++)
            y[c] /= (float)pixels;
    }
}

FMD_SIMD void fmd_global_average_gradient(size_t n, size_t pixels, size_t channels, const float *dy,
                                          float *dx)
{
    for (; n > 0; n--, dy += channels)
        for (size_t i = 0; i < pixels; i++, dx += channels)
            for (size_t c = 0; c < channels; c++)
                dx[c] = dy[c] / (float)pixels;
}

FMD_SIMD void fmd_global_max(size_t n, size_t pixels, size_t channels, const float *x, float *y)
{
    for (; n > 0; n--, y += channels) {
        memcpy(y, x, channels * sizeof *y);
        for (size_t i = 0; i < pixels; i++, x += channels)
            for (size_t c = 0; c < channels; c++)
                y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c];
    }
}

FMD_SIMD void fmd_global_max_gradient(size_t n, size_t pixels, size_t channels, const float *x,
                                      const float *y, const float *dy, float *dx)
{
    for (; n > 0; n--, x += pixels * channels, dx += pixels * channels) {
        for (size_t c = 0; c < channels; c++) {
            float equal = 0;
            for (size_t i = 0; i < pixels; i++)
                equal += x[i * channels + c] == y[c] ? 1.0f : 0.0f;
            for (size_t i = 0; i < pixels; i++)
                dx[i * channels + c] = x[i * channels + c] == y[c] ? dy[c] / equal : 0;
        }
        y += channels;
        dy += channels;
    }
}
