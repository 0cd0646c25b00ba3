/* Sums and affine maps of channels: rows of c values, one for each channel.
 *
 * Sums go from the first row to the last, so that an array may be passed in parts. */
#ifndef FMD_MATH_CHANNELS_H
#define FMD_MATH_CHANNELS_H

#include <stdbool.h>
#include <stddef.h>

/* The statistics of c channels: xhat = ((x - mean) - rest) * inverse. */
typedef struct fmd_channel_statistics {
    float *mean, *rest, *inverse;
} fmd_channel_statistics;

/* Local. Adds the values of each channel to sum, and their squares to squares. The square of a float
 * is exact in a double. */
void fmd_channel_sums(size_t rows, size_t c, const float *x, double *sum, double *squares);

/* Local. y = ((x - mean) - rest) factor + shift, plus `added` unless it is NULL; `relu`: negative
 * values become zero. */
void fmd_channel_normalize(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                           const float *factor, const float *shift, const float *added, bool relu,
                           float *y);

/* Local. Adds dy of each channel to beta, and dy xhat to gamma. Unless y is NULL, dy becomes zero first
 * where y is not positive. `copy` receives dy unless it is NULL. */
void fmd_channel_gradient_sums(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                               const float *y, float *dy, float *copy, double *beta, double *gamma);

/* dx = factor (dy - mean_dy - xhat mean_dy_xhat), each of a channel. */
typedef struct fmd_channel_slope {
    float *factor, *mean_dy, *mean_dy_xhat;
} fmd_channel_slope;

/* Local. */
void fmd_channel_input_gradient(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                                fmd_channel_slope k, const float *dy, float *dx);

#endif
