#include "base/simd.h"
#include "nn/activations/activation.h"

/* Keras 3's slope for the activation of this name. */
static const float slope = 0.2f;

FMD_SIMD static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    for (size_t i = 0; i < rows * cols; i++)
        y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t i = 0; i < rows * cols; i++)
        dy[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

const fmd_activation fmd_activation_leaky_relu = {
    .name = "leaky_relu", .forward = forward, .backward = backward};
