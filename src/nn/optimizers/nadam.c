#include "base/simd.h"
#include "fmd/optimizer.h"

#include <math.h>

typedef struct args {
    double beta_1, beta_2, epsilon;
} args;

static const fmd_option options[] = {
    {.name = "beta_1",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, beta_1),
     .initial = "0.9",
     .min = 0,
     .max = 0.999999,
     .keras = "beta_1",
     .help = "decay of the first moment"},
    {.name = "beta_2",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, beta_2),
     .initial = "0.999",
     .min = 0,
     .max = 0.999999,
     .keras = "beta_2",
     .help = "decay of the second moment"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-07",
     .min = 0,
     .max = 1,
     .keras = "epsilon",
     .help = "added to the root of the second moment"},
};

/* The momentum of step t. */
static double schedule(const args *a, double t)
{
    return a->beta_1 * (1 - 0.5 * pow(0.96, t));
}

/* The product of the momenta of steps 1 to t, which Keras stores. It soon no longer matters. */
static double product(const void *arguments, uint64_t t)
{
    const args *a = arguments;
    double u = 1;
    for (uint64_t i = 1; i <= t && u > 1e-30; i++)
        u *= schedule(a, (double)i);
    return u;
}

/* Dozat, "Incorporating Nesterov momentum into Adam", 2016, in Keras' form:
 * p -= lr (u_(t+1) m / (1 - U u_(t+1)) + (1 - u_t) g / (1 - U)) / (sqrt(v / (1 - b2^t)) + epsilon). */
static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const args *a = arguments;
    const double u = product(a, t), now = schedule(a, (double)t), next = schedule(a, (double)t + 1);
    f->rate = (float)(learning_rate * next / (1 - u * next));
    f->extra[0] = (float)(learning_rate * (1 - now) / (1 - u));
    f->extra[1] = (float)(1 / (1 - pow(a->beta_2, (double)t)));
}

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                            float *restrict v, fmd_step_factors f, float one_minus_b1,
                            float one_minus_b2, float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * one_minus_b1;
        v[i] += (g[i] * g[i] - v[i]) * one_minus_b2;
        p[i] -= (f.rate * m[i] + f.extra[0] * g[i]) / (sqrtf(v[i] * f.extra[1]) + epsilon);
    }
}

static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const args *a = arguments;
    update(n, params, grads, slots[0], slots[1], *f, (float)(1 - a->beta_1), (float)(1 - a->beta_2),
           (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_nadam = {
    .name = "nadam",
    .keras_class = "Nadam",
    .help = "adam with Nesterov momentum",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "velocity"},
    .interleaved = 2,
    .scalar = product,
    .factors = factors,
    .step = step,
};
