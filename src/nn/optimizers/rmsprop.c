#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>

typedef struct args {
    double rho, momentum, epsilon;
    bool centered;
} args;

static const fmd_option options[] = {
    {.name = "rho",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, rho),
     .initial = "0.9",
     .min = 0,
     .max = 0.999999,
     .keras = "rho",
     .help = "decay of the mean square"},
    {.name = "momentum",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, momentum),
     .initial = "0",
     .min = 0,
     .max = 1,
     .keras = "momentum",
     .help = "share of the last step that goes on"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-07",
     .min = 0,
     .max = 1,
     .keras = "epsilon",
     .help = "added under the root"},
    {.name = "centered",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, centered),
     .initial = "false",
     .keras = "centered",
     .help = "divides by the variance instead of the mean square"},
};

enum { VELOCITY, MOMENTUM, AVERAGE };

static unsigned slots_used(const void *arguments)
{
    const args *a = arguments;
    return 1u << VELOCITY | (unsigned)(a->momentum > 0) << MOMENTUM |
           (unsigned)a->centered << AVERAGE;
}

/* The denominator in d: the mean square v of g, less the square of its mean where there is one. */
FMD_SIMD static void mean_square(size_t n, const float *restrict g, float *restrict v,
                                 float *restrict d, float rho, float one_minus_rho)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + one_minus_rho * (g[i] * g[i]);
        d[i] = v[i];
    }
}

FMD_SIMD static void subtract_mean(size_t n, const float *restrict g, float *restrict average,
                                   float *restrict d, float rho, float one_minus_rho)
{
    for (size_t i = 0; i < n; i++) {
        average[i] = rho * average[i] + one_minus_rho * g[i];
        d[i] -= average[i] * average[i];
    }
}

FMD_SIMD static void divide(size_t n, const float *restrict g, float *restrict d, float rate,
                            float epsilon)
{
    for (size_t i = 0; i < n; i++)
        d[i] = rate * g[i] / sqrtf(d[i] + epsilon);
}

FMD_SIMD static void add_momentum(size_t n, float *restrict d, float *restrict m, float momentum)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + d[i];
        d[i] = m[i];
    }
}

FMD_SIMD static void subtract(size_t n, float *restrict p, const float *restrict d)
{
    for (size_t i = 0; i < n; i++)
        p[i] -= d[i];
}

/* Hinton, "Neural networks for machine learning", lecture 6e, in Keras' form: epsilon is under the
 * root. Block by block, so that the intermediate values stay in the cache. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    const float rho = (float)a->rho, one_minus_rho = (float)(1 - a->rho);
    float d[1024];
    for (size_t i = 0; i < n; i += 1024) {
        const size_t m = n - i < 1024 ? n - i : 1024;
        mean_square(m, grads + i, slots[VELOCITY] + i, d, rho, one_minus_rho);
        if (slots[AVERAGE] != NULL)
            subtract_mean(m, grads + i, slots[AVERAGE] + i, d, rho, one_minus_rho);
        divide(m, grads + i, d, f->rate, (float)a->epsilon);
        if (slots[MOMENTUM] != NULL)
            add_momentum(m, d, slots[MOMENTUM] + i, (float)a->momentum);
        subtract(m, params + i, d);
    }
}

const fmd_optimizer_ops fmd_optimizer_rmsprop = {
    .name = "rmsprop",
    .keras_class = "RMSprop",
    .help = "gradient over the root of its mean square",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"velocity", "momentum", "average_gradient"},
    .slots_used = slots_used,
    .step = step,
};
