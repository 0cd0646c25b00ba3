#include "base/simd.h"
#include "math/vec.h"
#include "nn/activations/activation.h"

/* y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2 loses the digits of small y, so: e / (1 + e) with
 * e = exp(x) for x < 0, and 1 / (1 + exp(-x)) for x >= 0. */
FMD_SIMD static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    float e[64];
    size_t n = rows * cols;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = n - i < 64 ? n - i : 64;
        for (size_t j = 0; j < m; j++)
            e[j] = x[i + j] > 0 ? -x[i + j] : x[i + j];
        fmd_vec_exp(m, e, e);
        for (size_t j = 0; j < m; j++)
            y[i + j] = (x[i + j] > 0 ? 1.0f : e[j]) / (1.0f + e[j]);
    }
}

FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t i = 0; i < rows * cols; i++)
        dy[i] *= y[i] * (1.0f - y[i]);
}

const fmd_activation fmd_activation_sigmoid = {
    .name = "sigmoid", .forward = forward, .backward = backward};
