#include "base/simd.h"
#include "math/vec.h"
#include "nn/activations/activation.h"

/* y = x above 0, exp(x) - 1 below. Near 0 a series replaces the difference, which would lose digits. */
FMD_SIMD static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    float e[64];
    size_t n = rows * cols;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = n - i < 64 ? n - i : 64;
        fmd_vec_exp(m, x + i, e);
        for (size_t j = 0; j < m; j++) {
            float v = x[i + j];
            float series = v + v * v * (0.5f + v * (1.0f / 6 + v * (1.0f / 24)));
            float negative = v > -0.05f ? series : e[j] - 1.0f;
            y[i + j] = v > 0 ? v : negative;
        }
    }
}

FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t i = 0; i < rows * cols; i++)
        dy[i] = y[i] > 0 ? dy[i] : dy[i] * (y[i] + 1.0f);
}

const fmd_activation fmd_activation_elu = {.name = "elu", .forward = forward, .backward = backward};
