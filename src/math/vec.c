#include "math/vec.h"

#include "base/simd.h"

#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline float clamp(float x, float low, float high)
{
    x = x > low ? x : low;
    return x < high ? x : high;
}

/* exp(x) = 2^k exp(r), |r| <= log(2) / 2. Adding and subtracting 1.5 * 2^23 rounds to an integer,
 * whose bits then are the low bits of the sum. */
static inline float exp_one(float x)
{
    const float shift = 12582912.0f;
    float t = clamp(x, -87.3f, 88.0f);
    float shifted = t * 1.44269504088896341f + shift;
    float k = shifted - shift;
    float r = t - k * 0.693359375f;
    r = r - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float y = p * float_of_bits((bits - 0x4b400000u + 127u) << 23);
    y = x < -87.3f ? 0.0f : y;
    return x != x ? x : y;
}

FMD_SIMD void fmd_vec_exp(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = exp_one(x[i]);
}

FMD_SIMD void fmd_vec_tanh(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float t = clamp(x[i], -7.90531110763549805f, 7.90531110763549805f);
        float s = t * t;
        float p = -2.76076847742355e-16f;
        p = p * s + 2.00018790482477e-13f;
        p = p * s + -8.60467152213735e-11f;
        p = p * s + 5.12229709037114e-08f;
        p = p * s + 1.48572235717979e-05f;
        p = p * s + 6.37261928875436e-04f;
        p = p * s + 4.89352455891786e-03f;
        float q = 1.19825839466702e-06f;
        q = q * s + 1.18534705686654e-04f;
        q = q * s + 2.26843463243900e-03f;
        q = q * s + 4.89352518554385e-03f;
        float v = t * p / q;
        y[i] = x[i] != x[i] ? x[i] : v;
    }
}

FMD_SIMD void fmd_vec_erf(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float t = clamp(x[i], -4.0f, 4.0f);
        float s = t * t;
        float p = -2.72614225801306e-10f;
        p = p * s + 2.77068142495902e-08f;
        p = p * s + -2.10102402082508e-06f;
        p = p * s + -5.69250639462346e-05f;
        p = p * s + -7.34990630326855e-04f;
        p = p * s + -2.95459980854025e-03f;
        p = p * s + -1.60960333262415e-02f;
        float q = -1.45660718464996e-05f;
        q = q * s + -2.13374055278905e-04f;
        q = q * s + -1.68282697438203e-03f;
        q = q * s + -7.37332916720468e-03f;
        q = q * s + -1.42647390514189e-02f;
        float v = t * p / q;
        y[i] = x[i] != x[i] ? x[i] : v;
    }
}

/* log(x) = k log(2) + log(1 + r), with 1 + r in [sqrt(1/2), sqrt(2)). */
float fmd_log(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 23) - 126;
    float m = float_of_bits((bits & 0x007fffffu) | 0x3f000000u);
    if (m < 0.70710678118654752f) {
        exponent--;
        m += m;
    }
    float r = m - 1.0f;
    float k = (float)exponent;
    float s = r * r;
    float p = 7.0376836292e-2f;
    p = p * r + -1.1514610310e-1f;
    p = p * r + 1.1676998740e-1f;
    p = p * r + -1.2420140846e-1f;
    p = p * r + 1.4249322787e-1f;
    p = p * r + -1.6668057665e-1f;
    p = p * r + 2.0000714765e-1f;
    p = p * r + -2.4999993993e-1f;
    p = p * r + 3.3333331174e-1f;
    float y = p * r * s;
    y += k * -2.12194440e-4f;
    y -= 0.5f * s;
    return (r + y) + k * 0.693359375f;
}

FMD_SIMD void fmd_add_row(size_t rows, size_t n, const float *row, float *y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            y[i * n + j] += row[j];
}

FMD_SIMD void fmd_sum_rows(size_t rows, size_t n, const float *x, float *sums)
{
    for (size_t j = 0; j < n; j++)
        sums[j] = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            sums[j] += x[i * n + j];
}
