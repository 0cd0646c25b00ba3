#include "base/simd.h"
#include "nn/optimizers/moments.h"

#include <math.h>

static const fmd_option options[] = {
    FMD_MOMENTS_OPTIONS("decay of the largest magnitude", "added to the largest magnitude"),
};

static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const fmd_moments *a = arguments;
    f->rate = (float)(learning_rate / (1 - pow(a->beta_1, (double)t)));
}

FMD_SIMD static void update(size_t n, float *restrict p, const float *restrict g, float *restrict m,
                            float *restrict u, float rate, float one_minus_b1, float b2,
                            float epsilon)
{
    for (size_t i = 0; i < n; i++) {
        const float magnitude = g[i] < 0 ? -g[i] : g[i], old = b2 * u[i];
        m[i] += (g[i] - m[i]) * one_minus_b1;
        u[i] = old > magnitude ? old : magnitude;
        p[i] -= rate * m[i] / (u[i] + epsilon);
    }
}

/* Kingma and Ba, "Adam", ICLR 2015, section 7.1:
 * p -= lr / (1 - b1^t) m / (u + epsilon), u = max(b2 u, |g|). */
static void step(const void *arguments, size_t n, float *params, const float *grads,
                 float *const *slots, const fmd_step_factors *f)
{
    const fmd_moments *a = arguments;
    update(n, params, grads, slots[0], slots[1], f->rate, (float)(1 - a->beta_1), (float)a->beta_2,
           (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_adamax = {
    .name = "adamax",
    .keras_class = "Adamax",
    .help = "momentum over the largest magnitude",
    .learning_rate = 0.001,
    .args_size = sizeof(fmd_moments),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "norm"},
    .interleaved = 2,
    .factors = factors,
    .step = step,
};
