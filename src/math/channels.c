#include "math/channels.h"

#include "base/simd.h"

#include <string.h>

/* Channels whose sums stay in registers over all rows. The compiler makes as many vectors of a
 * block as the instruction set needs. */
enum { BLOCK = 16, HALF = BLOCK / 2 };
typedef float floats __attribute__((vector_size(BLOCK * sizeof(float))));
typedef float some __attribute__((vector_size(HALF * sizeof(float))));
typedef double doubles __attribute__((vector_size(HALF * sizeof(double))));

#define INLINE           static inline __attribute__((always_inline))
#define LOAD(to, from)   memcpy(&(to), from, sizeof(to))
#define STORE(to, value) memcpy(to, &(value), sizeof(value))

/* Runs a loop over blocks of channels, and over the channels that are left one by one: once with
 * vectors, once with single values. */
#define EACH_BLOCK(c, o) for (o = 0; o + BLOCK <= (c); o += BLOCK)
#define EACH_LEFT(c, o)  for (; o < (c); o++)

FMD_SIMD void fmd_channel_sums(size_t rows, size_t c, const float *x, double *sum, double *squares)
{
    size_t o;
    EACH_BLOCK(c, o)
    {
        doubles s[2], q[2];
        LOAD(s, sum + o);
        LOAD(q, squares + o);
        for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) {
                some value;
                LOAD(value, x + i * c + o + (size_t)h * HALF);
                const doubles v = __builtin_convertvector(value, doubles);
                s[h] += v;
                q[h] += v * v;
            }
        STORE(sum + o, s);
        STORE(squares + o, q);
    }
    EACH_LEFT(c, o)
    for (size_t i = 0; i < rows; i++) {
        const double v = (double)x[i * c + o];
        sum[o] += v;
        squares[o] += v * v;
    }
}

FMD_SIMD void fmd_channel_normalize(size_t rows, size_t c, const float *x, fmd_channel_statistics s,
                                    const float *factor, const float *shift, float *y)
{
    size_t o;
    EACH_BLOCK(c, o)
    {
        floats mean, rest, by, plus;
        LOAD(mean, s.mean + o);
        LOAD(rest, s.rest + o);
        LOAD(by, factor + o);
        LOAD(plus, shift + o);
        for (size_t i = o; i < rows * c; i += c) {
            floats v;
            LOAD(v, x + i);
            v = (v - mean - rest) * by + plus;
            STORE(y + i, v);
        }
    }
    EACH_LEFT(c, o)
    for (size_t i = o; i < rows * c; i += c)
        y[i] = (x[i] - s.mean[o] - s.rest[o]) * factor[o] + shift[o];
}

FMD_SIMD void fmd_channel_gradient_sums(size_t rows, size_t c, const float *x,
                                        fmd_channel_statistics s, const float *dy, double *beta,
                                        double *gamma)
{
    size_t o;
    EACH_BLOCK(c, o)
    {
        some mean[2], rest[2], inverse[2];
        doubles b[2], g[2];
        LOAD(mean, s.mean + o);
        LOAD(rest, s.rest + o);
        LOAD(inverse, s.inverse + o);
        LOAD(b, beta + o);
        LOAD(g, gamma + o);
        for (size_t i = o; i < rows * c; i += c)
#pragma GCC unroll 2
            for (int h = 0; h < 2; h++) {
                some v, d;
                LOAD(v, x + i + (size_t)h * HALF);
                LOAD(d, dy + i + (size_t)h * HALF);
                v = (v - mean[h] - rest[h]) * inverse[h];
                const doubles slope = __builtin_convertvector(d, doubles);
                b[h] += slope;
                g[h] += slope * __builtin_convertvector(v, doubles);
            }
        STORE(beta + o, b);
        STORE(gamma + o, g);
    }
    EACH_LEFT(c, o)
    for (size_t i = o; i < rows * c; i += c) {
        const float xhat = (x[i] - s.mean[o] - s.rest[o]) * s.inverse[o];
        beta[o] += (double)dy[i];
        gamma[o] += (double)dy[i] * (double)xhat;
    }
}

FMD_SIMD void fmd_channel_input_gradient(size_t rows, size_t c, const float *x,
                                         fmd_channel_statistics s, fmd_channel_slope k,
                                         const float *dy, float *dx)
{
    size_t o;
    EACH_BLOCK(c, o)
    {
        floats mean, rest, inverse, factor, mean_dy, mean_dy_xhat;
        LOAD(mean, s.mean + o);
        LOAD(rest, s.rest + o);
        LOAD(inverse, s.inverse + o);
        LOAD(factor, k.factor + o);
        LOAD(mean_dy, k.mean_dy + o);
        LOAD(mean_dy_xhat, k.mean_dy_xhat + o);
        for (size_t i = o; i < rows * c; i += c) {
            floats v, d;
            LOAD(v, x + i);
            LOAD(d, dy + i);
            v = (v - mean - rest) * inverse;
            d = factor * (d - mean_dy - v * mean_dy_xhat);
            STORE(dx + i, d);
        }
    }
    EACH_LEFT(c, o)
    for (size_t i = o; i < rows * c; i += c) {
        const float xhat = (x[i] - s.mean[o] - s.rest[o]) * s.inverse[o];
        dx[i] = k.factor[o] * (dy[i] - k.mean_dy[o] - xhat * k.mean_dy_xhat[o]);
    }
}
