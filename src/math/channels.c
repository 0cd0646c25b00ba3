#include "math/channels.h"

#include "base/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Few channels are a constant: their values stay in registers from row to row. */
#define FOR_CHANNELS(c, CALL)                                                                      \
    do {                                                                                           \
        if ((c) == 16)                                                                             \
            CALL(16);                                                                              \
        else if ((c) == 32)                                                                        \
            CALL(32);                                                                              \
        else                                                                                       \
            CALL(c);                                                                               \
    } while (0)

/* Sums of so many channels stay in registers. */
enum { PANEL = 32, HALF = PANEL / 2 };

/* The sums of `width` of the c channels. */
INLINE void sums(size_t rows, size_t c, const size_t width, const float *restrict x,
                 double *restrict sum, double *restrict squares)
{
    double s[PANEL], q[PANEL];
    for (size_t j = 0; j < width; j++) {
        s[j] = sum[j];
        q[j] = squares[j];
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < width; j++) {
            const double value = (double)x[i * c + j];
            s[j] += value;
            q[j] += value * value;
        }
    for (size_t j = 0; j < width; j++) {
        sum[j] = s[j];
        squares[j] = q[j];
    }
}

FMD_SIMD void fmd_channel_sums(size_t rows, size_t c, const float *x, double *sum, double *squares)
{
    size_t j = 0;
    for (; j + PANEL <= c; j += PANEL)
        sums(rows, c, PANEL, x + j, sum + j, squares + j);
    if (j + HALF <= c) {
        sums(rows, c, HALF, x + j, sum + j, squares + j);
        j += HALF;
    }
    if (j < c)
        sums(rows, c, c - j, x + j, sum + j, squares + j);
}

INLINE void normalize(size_t rows, size_t c, const float *restrict x, const float *restrict mean,
                      const float *restrict rest, const float *restrict factor,
                      const float *restrict shift, const float *restrict added, const bool relu,
                      float *restrict y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            float value = (x[i * c + j] - mean[j] - rest[j]) * factor[j] + shift[j];
            if (added != NULL)
                value += added[i * c + j];
            y[i * c + j] = !relu || value > 0 ? value : 0;
        }
}

FMD_SIMD void fmd_channel_normalize(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                                    const float *factor, const float *shift, const float *added,
                                    bool relu, float *y)
{
#define CALL(c)                                                                                    \
    do {                                                                                           \
        if (added == NULL && !relu)                                                                \
            normalize(rows, c, x, s.mean, s.rest, factor, shift, NULL, false, y);                  \
        else if (added == NULL)                                                                    \
            normalize(rows, c, x, s.mean, s.rest, factor, shift, NULL, true, y);                   \
        else if (!relu)                                                                            \
            normalize(rows, c, x, s.mean, s.rest, factor, shift, added, false, y);                 \
        else                                                                                       \
            normalize(rows, c, x, s.mean, s.rest, factor, shift, added, true, y);                  \
    } while (0)
    FOR_CHANNELS(c, CALL);
#undef CALL
}

INLINE void gradient_sums(size_t rows, size_t c, const float *restrict x,
                          const float *restrict mean, const float *restrict rest,
                          const float *restrict inverse, const float *restrict y,
                          float *restrict dy, float *restrict copy, double *restrict beta,
                          double *restrict gamma)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const float xhat = (x[i * c + j] - mean[j] - rest[j]) * inverse[j];
            float g = dy[i * c + j];
            if (y != NULL)
                dy[i * c + j] = g = y[i * c + j] > 0 ? g : 0;
            if (copy != NULL)
                copy[i * c + j] = g;
            beta[j] += (double)g;
            gamma[j] += (double)g * (double)xhat;
        }
}

FMD_SIMD void fmd_channel_gradient_sums(size_t rows, size_t c, const float *x,
                                        fmd_channel_statistics s, const float *y, float *dy,
                                        float *copy, double *beta, double *gamma)
{
#define CALL(c)                                                                                    \
    do {                                                                                           \
        if (y == NULL && copy == NULL)                                                             \
            gradient_sums(rows, c, x, s.mean, s.rest, s.inverse, NULL, dy, NULL, beta, gamma);     \
        else if (y == NULL)                                                                        \
            gradient_sums(rows, c, x, s.mean, s.rest, s.inverse, NULL, dy, copy, beta, gamma);     \
        else if (copy == NULL)                                                                     \
            gradient_sums(rows, c, x, s.mean, s.rest, s.inverse, y, dy, NULL, beta, gamma);        \
        else                                                                                       \
            gradient_sums(rows, c, x, s.mean, s.rest, s.inverse, y, dy, copy, beta, gamma);        \
    } while (0)
    FOR_CHANNELS(c, CALL);
#undef CALL
}

INLINE void input_gradient(size_t rows, size_t c, const float *restrict x,
                           const float *restrict mean, const float *restrict rest,
                           const float *restrict inverse, const float *restrict factor,
                           const float *restrict mean_dy, const float *restrict mean_dy_xhat,
                           const float *restrict dy, float *restrict dx)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const float xhat = (x[i * c + j] - mean[j] - rest[j]) * inverse[j];
            dx[i * c + j] = factor[j] * (dy[i * c + j] - mean_dy[j] - xhat * mean_dy_xhat[j]);
        }
}

FMD_SIMD void fmd_channel_input_gradient(size_t rows, size_t c, const float *x,
                                         fmd_channel_statistics s, fmd_channel_slope k,
                                         const float *dy, float *dx)
{
#define CALL(c)                                                                                    \
    input_gradient(rows, c, x, s.mean, s.rest, s.inverse, k.factor, k.mean_dy, k.mean_dy_xhat, dy, \
                   dx)
    FOR_CHANNELS(c, CALL);
#undef CALL
}
