#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

typedef struct args {
    double beta_1, beta_2;
} args;

static const fmd_option options[] = {
    {.name = "beta_1",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, beta_1),
     .initial = "0.9",
     .min = 0,
     .max = 0.999999,
     .keras = "beta_1",
     .help = "share of the momentum in the step"},
    {.name = "beta_2",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, beta_2),
     .initial = "0.99",
     .min = 0,
     .max = 0.999999,
     .keras = "beta_2",
     .help = "decay of the momentum"},
};

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                            float rate, float b1, float one_minus_b1, float b2, float one_minus_b2)
{
    for (size_t i = 0; i < n; i++) {
        const float c = m[i] * b1 + g[i] * one_minus_b1;
        p[i] -= c > 0 ? rate : c < 0 ? -rate : 0;
        m[i] = m[i] * b2 + g[i] * one_minus_b2;
    }
}

/* Chen et al., "Symbolic discovery of optimization algorithms", 2023: the step is the sign of
 * b1 m + (1 - b1) g. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], f->rate, (float)a->beta_1, (float)(1 - a->beta_1),
           (float)a->beta_2, (float)(1 - a->beta_2));
}

const fmd_optimizer_ops fmd_optimizer_lion = {
    .name = "lion",
    .keras_class = "Lion",
    .help = "steps by the sign of the momentum",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum"},
    .interleaved = 1,
    .step = step,
};
