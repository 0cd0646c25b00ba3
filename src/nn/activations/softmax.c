#include "nn/activations/activation.h"
#include "nn/losses/loss.h"

static void forward(size_t rows, size_t cols, const float *x, float *y)
{
    fmd_softmax_rows(rows, cols, x, y);
}

/* dx_i = y_i (dy_i - sum_j y_j dy_j) in each row. */
static void backward(size_t rows, size_t cols, const float *x, const float *y, float *dy)
{
    (void)x;
    for (size_t r = 0; r < rows; r++, y += cols, dy += cols) {
        float dot = 0;
        for (size_t j = 0; j < cols; j++)
            dot += y[j] * dy[j];
        for (size_t j = 0; j < cols; j++)
            dy[j] = y[j] * (dy[j] - dot);
    }
}

const fmd_activation fmd_activation_softmax = {
    .name = "softmax", .forward = forward, .backward = backward};
