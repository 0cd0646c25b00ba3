#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>

typedef struct args {
    double initial_accumulator_value, epsilon;
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
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-07",
     .min = 0,
     .max = 1,
     .keras = "epsilon",
     .help = "added under the root"},
};

static float slot_start(const void *arguments, size_t slot)
{
    const args *a = arguments;
    return slot == 0 ? (float)a->initial_accumulator_value : 0;
}

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g,
                            float *restrict sum, float rate, float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        sum[i] += g[i] * g[i];
        p[i] -= rate * g[i] / sqrtf(sum[i] + epsilon);
    }
}

/* Duchi, Hazan and Singer, JMLR 12, 2011; epsilon is under the root as in Keras. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], f->rate, (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_adagrad = {
    .name = "adagrad",
    .keras_class = "Adagrad",
    .help = "gradient over the root of its sum of squares",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"accumulator"},
    .interleaved = 1,
    .slot_start = slot_start,
    .step = step,
};
