#include "base/simd.h"
#include "math/vec.h"
#include "nn/activations/activation.h"

/* The exact form, Keras' default: y = x phi(x), phi(x) = (1 + erf(x / sqrt(2))) / 2 (Hendrycks and
 * Gimpel, arXiv:1606.08415). */

static const float sqrt_half = 0.70710678118654752f;

FMD_SIMD static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    float e[64];
    size_t n = rows * cols;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = n - i < 64 ? n - i : 64;
        for (size_t j = 0; j < m; j++)
            e[j] = x[i + j] * sqrt_half;
        fmd_vec_erf(m, e, e);
        for (size_t j = 0; j < m; j++)
            y[i + j] = 0.5f * x[i + j] * (1.0f + e[j]);
    }
}

/* y' = phi(x) + x exp(-x^2 / 2) / sqrt(2 pi). */
FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)y;
    float e[64], d[64];
    size_t n = rows * cols;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = n - i < 64 ? n - i : 64;
        for (size_t j = 0; j < m; j++) {
            e[j] = x[i + j] * sqrt_half;
            d[j] = -0.5f * x[i + j] * x[i + j];
        }
        fmd_vec_erf(m, e, e);
        fmd_vec_exp(m, d, d);
        for (size_t j = 0; j < m; j++)
            dy[i + j] *= 0.5f * (1.0f + e[j]) + x[i + j] * d[j] * 0.39894228040143268f;
    }
}

const fmd_activation fmd_activation_gelu = {
    .name = "gelu", .needs_input = true, .forward = forward, .backward = backward};
