#include "base/simd.h"
#include "nn/optimizers/optimizer.h"
#include "nn/optimizers/squares.h"

#include <math.h>

typedef struct args {
    double momentum, trust_coefficient, epsilon;
} args;

static const fmd_option options[] = {
    {.name = "momentum",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, momentum),
     .initial = "0.9",
     .min = 0,
     .max = 1,
     .help = "share of the last step that goes on"},
    {.name = "trust_coefficient",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, trust_coefficient),
     .initial = "0.001",
     .min = 0,
     .max = 1000,
     .help = "step of a tensor over its norm, at learning rate 1"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-08",
     .min = 0,
     .max = 1,
     .help = "added to the norm of the gradient"},
};

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                            float rate, float momentum, float decay)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + rate * (g[i] + decay * p[i]);
        p[i] -= m[i];
    }
}

static void measure(const void *arguments, size_t n, const float *params, const float *grads,
                    float *const *slots, const fmd_step_factors *f, double squares[2])
{
    (void)arguments;
    (void)slots;
    (void)f;
    squares[0] = fmd_squares(n, params);
    squares[1] = fmd_squares(n, grads);
}

static double ratio(const void *arguments, const double squares[2], const fmd_step_factors *f)
{
    const args *a = arguments;
    const double p = sqrt(squares[0]), g = sqrt(squares[1]);
    return p > 0 && g > 0 ? a->trust_coefficient * p / (g + (double)f->decay * p + a->epsilon) : 1;
}

/* You, Gitman and Ginsburg, "Large batch training of convolutional networks", arXiv:1708.03888,
 * algorithm 1: m = momentum m + lr r (g + decay p), p -= m, with r = trust |p| / (|g| + decay |p|) for
 * each tensor; 1 where a norm is 0. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], f->rate, (float)a->momentum, f->decay);
}

const fmd_optimizer_ops fmd_optimizer_lars = {
    .name = "lars",
    .keras_class = NULL,
    .help = "sgd with trust ratios, for large batches",
    .learning_rate = 0.1,
    .adds_decay = true,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum"},
    .interleaved = 1,
    .measure = measure,
    .ratio = ratio,
    .step = step,
};
