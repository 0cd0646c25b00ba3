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

INLINE void sums(size_t rows, size_t c, const float *restrict x, double *restrict sum,
                 double *restrict squares)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const double value = (double)x[i * c + j];
            sum[j] += value;
            squares[j] += value * value;
        }
}

FMD_SIMD void fmd_channel_sums(size_t rows, size_t c, const float *x, double *sum, double *squares)
{
#define CALL(c) sums(rows, c, x, sum, squares)
    FOR_CHANNELS(c, CALL);
#undef CALL
}

INLINE void normalize(size_t rows, size_t c, const float *restrict x, const float *restrict mean,
                      const float *restrict rest, const float *restrict factor,
                      const float *restrict shift, float *restrict y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = (x[i * c + j] - mean[j] - rest[j]) * factor[j] + shift[j];
}

FMD_SIMD void fmd_channel_normalize(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                                    const float *factor, const float *shift, float *y)
{
#define CALL(c) normalize(rows, c, x, s.mean, s.rest, factor, shift, y)
    FOR_CHANNELS(c, CALL);
#undef CALL
}

INLINE void gradient_sums(size_t rows, size_t c, const float *restrict x,
                          const float *restrict mean, const float *restrict rest,
                          const float *restrict inverse, const float *restrict dy,
                          double *restrict beta, double *restrict gamma)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const float xhat = (x[i * c + j] - mean[j] - rest[j]) * inverse[j];
            beta[j] += (double)dy[i * c + j];
            gamma[j] += (double)dy[i * c + j] * (double)xhat;
        }
}

FMD_SIMD void fmd_channel_gradient_sums(size_t rows, size_t c, const float *x,
                                        fmd_channel_statistics s, const float *dy, double *beta,
                                        double *gamma)
{
#define CALL(c) gradient_sums(rows, c, x, s.mean, s.rest, s.inverse, dy, beta, gamma)
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
