#include "base/simd.h"
#include "nn/optimizers/moments.h"
#include "nn/optimizers/squares.h"

#include <math.h>

static const fmd_option options[] = {
    FMD_MOMENTS_OPTIONS("decay of the second moment", "added to the root of the second moment"),
};

static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const fmd_moments *a = arguments;
    f->rate = (float)learning_rate;
    f->extra[0] = (float)(1 / (1 - pow(a->beta_1, (double)t)));
    f->extra[1] = (float)(1 / (1 - pow(a->beta_2, (double)t)));
}

FMD_SIMD static void update_moments(size_t n, const float *restrict g, float *restrict m,
                                    float *restrict v, float one_minus_b1, float one_minus_b2)
{
    for (size_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * one_minus_b1;
        v[i] += (g[i] * g[i] - v[i]) * one_minus_b2;
    }
}

FMD_SIMD static void direction(size_t n, const float *restrict m, const float *restrict v,
                               fmd_step_factors f, float epsilon, float *restrict d)
{
    for (size_t i = 0; i < n; i++)
        d[i] = m[i] * f.extra[0] / (sqrtf(v[i] * f.extra[1]) + epsilon);
}

FMD_SIMD static void subtract(size_t n, float *restrict p, const float *restrict d, float rate)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= rate * d[i];
}

static void measure(const void *arguments, size_t n, const float *params, const float *grads,
                    float *const *slots, const fmd_step_factors *f, double squares[2])
{
    const fmd_moments *a = arguments;
    float d[FMD_OPTIMIZER_BLOCK];
    update_moments(n, grads, slots[0], slots[1], (float)(1 - a->beta_1), (float)(1 - a->beta_2));
    direction(n, slots[0], slots[1], *f, (float)a->epsilon, d);
    squares[0] = fmd_squares(n, params);
    squares[1] = fmd_squares(n, d);
}

static double ratio(const void *arguments, const double squares[2], const fmd_step_factors *f)
{
    (void)arguments;
    (void)f;
    return squares[0] > 0 && squares[1] > 0 ? sqrt(squares[0] / squares[1]) : 1;
}

/* You et al., "Large batch optimization for deep learning", ICLR 2020, as Keras has it: the direction
 * of Adam with both bias corrections, p -= lr |p| / |d| d for each tensor. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    (void)grads;
    const fmd_moments *a = arguments;
    float d[FMD_OPTIMIZER_BLOCK];
    direction(n, slots[0], slots[1], *f, (float)a->epsilon, d);
    subtract(n, params, d, f->rate);
}

const fmd_optimizer_ops fmd_optimizer_lamb = {
    .name = "lamb",
    .keras_class = "Lamb",
    .help = "adam with trust ratios, for large batches",
    .learning_rate = 0.001,
    .args_size = sizeof(fmd_moments),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "velocity"},
    .interleaved = 2,
    .factors = factors,
    .measure = measure,
    .ratio = ratio,
    .step = step,
};
