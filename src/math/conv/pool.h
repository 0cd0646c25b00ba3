/* Pooling: maxima and averages over windows and whole images, and their gradients.
 *
 * Sums add their terms in row order and averages divide once, so the bits do not depend on the CPU.
 * Arrays are dense and row-major, (n, h, w, channels); places outside of an image belong to no
 * window. */
#ifndef FMD_MATH_CONV_POOL_H
#define FMD_MATH_CONV_POOL_H

#include "math/conv/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_pool {
    int in_h, in_w, out_h, out_w, channels;
    int pool_h, pool_w, stride_h, stride_w;
    int pad_top, pad_left; /* pixels of padding before the first pixel */
} fmd_pool;

/* Maximum places of a window of fmd_max_pool: the place of a maximum is stored in a byte. */
enum { FMD_MAX_POOL_PLACES = 256 };

/* Local. Fills in output size and padding from the rest; out_h or out_w is 0 if no window fits. */
void fmd_pool_plan(fmd_pool *p, fmd_padding padding);

/* Local. Whether no two windows share a pixel and all lie inside of the image. */
bool fmd_pool_is_apart(const fmd_pool *p);

/* Local. The largest value of each window; NaN if any value is NaN. `places`, one per value of y,
 * receives the place of the maximum in the window, in row order, the first of equal values. x: (n, in_h, in_w, channels), y:
 * (n, out_h, out_w, channels). */
void fmd_max_pool(const fmd_pool *p, size_t n, const float *x, float *y, uint8_t *places);

/* Local. Adds each value of dy at the place of its maximum. */
void fmd_max_pool_gradient(const fmd_pool *p, size_t n, const float *dy, const uint8_t *places,
                           float *dx);

/* Local. The sum of that gradient over all pixels of all images for each channel, from the first to
 * the last. Windows share no pixel. */
void fmd_max_pool_gradient_sums(const fmd_pool *p, size_t n, const float *dy, const uint8_t *places,
                                float *sums);

/* Local. The average of each window over its places inside the image. */
void fmd_average_pool(const fmd_pool *p, size_t n, const float *x, float *y);

/* Local. Distributes each value of dy evenly over the places of its window inside the image. */
void fmd_average_pool_gradient(const fmd_pool *p, size_t n, const float *dy, float *dx);

/* Local. The average over the pixels of each image. x: (n, pixels, channels), y: (n, channels). */
void fmd_global_average(size_t n, size_t pixels, size_t channels, const float *x, float *y);

/* Local. dx of the global average. */
void fmd_global_average_gradient(size_t n, size_t pixels, size_t channels, const float *dy,
                                 float *dx);

/* Local. The largest value over the pixels of each image; NaN if any value is NaN. */
void fmd_global_max(size_t n, size_t pixels, size_t channels, const float *x, float *y);

/* Local. dx of the global maximum; all pixels equal to the maximum y share the gradient evenly. */
void fmd_global_max_gradient(size_t n, size_t pixels, size_t channels, const float *x,
                             const float *y, const float *dy, float *dx);

#endif
