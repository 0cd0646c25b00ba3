#include "base/simd.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>

typedef struct args {
    double rho, epsilon;
} args;

static const fmd_option options[] = {
    {.name = "rho",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, rho),
     .initial = "0.95",
     .min = 0,
     .max = 0.999999,
     .keras = "rho",
     .help = "decay of the mean squares"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-07",
     .min = 0,
     .max = 1,
     .keras = "epsilon",
     .help = "added under the roots"},
};

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict v,
                            float *restrict steps, float rate, float rho, float one_minus_rho,
                            float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = rho * v[i] + one_minus_rho * (g[i] * g[i]);
        const float d = sqrtf(steps[i] + epsilon) * g[i] / sqrtf(v[i] + epsilon);
        steps[i] = rho * steps[i] + one_minus_rho * (d * d);
        p[i] -= rate * d;
    }
}

/* Zeiler, "ADADELTA", arXiv:1212.5701. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], slots[1], f->rate, (float)a->rho, (float)(1 - a->rho),
           (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_adadelta = {
    .name = "adadelta",
    .keras_class = "Adadelta",
    .help = "steps in units of the mean square of earlier steps",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"accumulated_grad", "accumulated_delta_var"},
    .interleaved = 2,
    .step = step,
};
