#include "base/simd.h"
#include "nn/optimizers/moments.h"

#include <math.h>

typedef struct args {
    fmd_moments moments;
    bool amsgrad;
} args;

static const fmd_option options[] = {
    FMD_MOMENTS_OPTIONS("decay of the second moment", "added to the root of the second moment"),
    {.name = "amsgrad",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, amsgrad),
     .initial = "false",
     .keras = "amsgrad",
     .help = "divides by the largest second moment so far"},
};

enum { MOMENTUM, VELOCITY, VELOCITY_HAT };

static unsigned slots_used(const void *arguments)
{
    const args *a = arguments;
    return 1u << MOMENTUM | 1u << VELOCITY | (unsigned)a->amsgrad << VELOCITY_HAT;
}

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                            float *restrict v, float rate, float one_minus_b1, float one_minus_b2,
                            float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * one_minus_b1;
        v[i] += (g[i] * g[i] - v[i]) * one_minus_b2;
        p[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

FMD_SIMD static void update_amsgrad(size_t n, float *restrict p, const float *restrict g,
                                    float *restrict m, float *restrict v, float *restrict largest,
                                    float rate, float one_minus_b1, float one_minus_b2,
                                    float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * one_minus_b1;
        v[i] += (g[i] * g[i] - v[i]) * one_minus_b2;
        largest[i] = v[i] > largest[i] ? v[i] : largest[i];
        p[i] -= rate * m[i] / (sqrtf(largest[i]) + epsilon);
    }
}

/* Kingma and Ba, "Adam", ICLR 2015, the form before section 2.1, as Keras has it:
 * m += (g - m)(1 - b1); v += (g^2 - v)(1 - b2);
 * p -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon). */
static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const args *a = arguments;
    f->rate = (float)(learning_rate * sqrt(1 - pow(a->moments.beta_2, (double)t)) /
                      (1 - pow(a->moments.beta_1, (double)t)));
}

/* amsgrad: Reddi, Kale and Kumar, ICLR 2018. */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    const float b1 = (float)(1 - a->moments.beta_1), b2 = (float)(1 - a->moments.beta_2);
    if (a->amsgrad)
        update_amsgrad(n, params, grads, slots[MOMENTUM], slots[VELOCITY], slots[VELOCITY_HAT],
                       f->rate, b1, b2, (float)a->moments.epsilon);
    else
        update(n, params, grads, slots[MOMENTUM], slots[VELOCITY], f->rate, b1, b2,
               (float)a->moments.epsilon);
}

const fmd_optimizer_ops fmd_optimizer_adam = {
    .name = "adam",
    .keras_class = "Adam",
    .help = "momentum over the root of the mean square",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "velocity", "velocity_hat"},
    .interleaved = 2,
    .slots_used = slots_used,
    .factors = factors,
    .step = step,
};

/* Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019. */
const fmd_optimizer_ops fmd_optimizer_adamw = {
    .name = "adamw",
    .keras_class = "AdamW",
    .help = "adam with weight decay",
    .learning_rate = 0.001,
    .weight_decay = "0.004",
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "velocity", "velocity_hat"},
    .interleaved = 2,
    .slots_used = slots_used,
    .factors = factors,
    .step = step,
};
