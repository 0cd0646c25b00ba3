#include "base/simd.h"
#include "nn/activations/activation.h"

FMD_SIMD static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    for (size_t i = 0; i < rows * cols; i++)
        y[i] = x[i] < 0 ? 0 : x[i]; /* NaN stays NaN */
}

FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t i = 0; i < rows * cols; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

const fmd_activation fmd_activation_relu = {
    .name = "relu", .forward = forward, .backward = backward};
