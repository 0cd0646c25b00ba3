#include "nn/activations/activation.h"

#include <string.h>

static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    if (y != x)
        memcpy(y, x, rows * cols * sizeof *y);
}

const fmd_activation fmd_activation_linear = {.name = "linear", .forward = forward};
