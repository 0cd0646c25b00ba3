#include "base/simd.h"
#include "nn/optimizers/moments.h"

#include <math.h>

static const fmd_option options[] = {
    FMD_MOMENTS_OPTIONS("decay of the second moment", "added to the root of the second moment"),
};

/* The momentum of step t. */
static double schedule(const fmd_moments *a, double t)
{
    return a->beta_1 * (1 - 0.5 * pow(0.96, t));
}

/* The product of the momenta of steps 1 to t, which Keras stores. It soon no longer matters. */
static double product(const void *arguments, uint64_t t)
{
    const fmd_moments *a = arguments;
    double u = 1;
    for (uint64_t i = 1; i <= t && u > 1e-30; i++)
        u *= schedule(a, (double)i);
    return u;
}

/* Dozat, "Incorporating Nesterov momentum into Adam", 2016, in Keras' form:
 * p -= lr (u_(t+1) m / (1 - U u_(t+1)) + (1 - u_t) g / (1 - U)) / (sqrt(v / (1 - b2^t)) + epsilon). */
static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const fmd_moments *a = arguments;
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
    const fmd_moments *a = arguments;
    update(n, params, grads, slots[0], slots[1], *f, (float)(1 - a->beta_1), (float)(1 - a->beta_2),
           (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_nadam = {
    .name = "nadam",
    .keras_class = "Nadam",
    .help = "adam with Nesterov momentum",
    .learning_rate = 0.001,
    .args_size = sizeof(fmd_moments),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "velocity"},
    .interleaved = 2,
    .scalar = product,
    .factors = factors,
    .step = step,
};
