#include "base/simd.h"
#include "math/vec.h"
#include "nn/activations/activation.h"

static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    fmd_vec_tanh(rows * cols, x, y);
}

FMD_SIMD static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t i = 0; i < rows * cols; i++)
        dy[i] *= 1.0f - y[i] * y[i];
}

const fmd_activation fmd_activation_tanh = {
    .name = "tanh", .forward = forward, .backward = backward};
