#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>

typedef struct args {
    double initial_accumulator_value, l1_regularization_strength, l2_regularization_strength,
        l2_shrinkage_regularization_strength, beta;
} args;

static const fmd_option options[] = {
    {.name = "initial_accumulator_value",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, initial_accumulator_value),
     .initial = "0.1",
     .min = 0,
     .max = 1e6,
     .keras = "initial_accumulator_value",
     .help = "first value of the sum of squares"},
    {.name = "l1_regularization_strength",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, l1_regularization_strength),
     .initial = "0",
     .min = 0,
     .max = 1e6,
     .keras = "l1_regularization_strength",
     .help = "weight of the sum of magnitudes"},
    {.name = "l2_regularization_strength",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, l2_regularization_strength),
     .initial = "0",
     .min = 0,
     .max = 1e6,
     .keras = "l2_regularization_strength",
     .help = "weight of the sum of squares"},
    {.name = "l2_shrinkage_regularization_strength",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, l2_shrinkage_regularization_strength),
     .initial = "0",
     .min = 0,
     .max = 1e6,
     .keras = "l2_shrinkage_regularization_strength",
     .help = "the same, through the gradient"},
    {.name = "beta",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, beta),
     .initial = "0",
     .min = 0,
     .max = 1e6,
     .keras = "beta",
     .help = "added to the root"},
};

static float slot_start(const void *arguments, size_t slot)
{
    const args *a = arguments;
    return slot == 0 ? (float)a->initial_accumulator_value : 0;
}

static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    (void)t;
    const args *a = arguments;
    f->rate = (float)(1 / learning_rate);
    f->extra[0] = (float)(2 * a->l2_regularization_strength + a->beta / learning_rate);
    f->extra[1] = (float)(2 * a->l2_shrinkage_regularization_strength);
}

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g,
                            float *restrict sum, float *restrict linear, fmd_step_factors f,
                            float l1)
{
    for (size_t i = 0; i < n; i++) {
        const float before = sqrtf(sum[i]);
        sum[i] += g[i] * g[i];
        const float root = sqrtf(sum[i]);
        linear[i] += g[i] + f.extra[1] * p[i] - (root - before) * f.rate * p[i];
        const float below = linear[i] < l1 ? linear[i] : l1, clipped = below > -l1 ? below : -l1;
        p[i] = (clipped - linear[i]) / (root * f.rate + f.extra[0]);
    }
}

/* McMahan et al., "Ad click prediction", KDD 2013, in Keras' form with its default
 * learning_rate_power, -1/2. Only the gradients decide where the parameters go: their first values
 * are soon forgotten. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], slots[1], *f, (float)a->l1_regularization_strength);
}

const fmd_optimizer_ops fmd_optimizer_ftrl = {
    .name = "ftrl",
    .keras_class = "Ftrl",
    .help = "follows the regularised leader, for sparse data",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"accumulator", "linear"},
    .interleaved = 2,
    .slot_start = slot_start,
    .factors = factors,
    .step = step,
};
