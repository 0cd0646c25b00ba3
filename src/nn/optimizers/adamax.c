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
     .help = "decay of the largest magnitude"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "1e-07",
     .min = 0,
     .max = 1,
     .keras = "epsilon",
     .help = "added to the largest magnitude"},
};

static void factors(const void *arguments, double learning_rate, uint64_t t, fmd_step_factors *f)
{
    const args *a = arguments;
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
    const args *a = arguments;
    update(n, params, grads, slots[0], slots[1], f->rate, (float)(1 - a->beta_1), (float)a->beta_2,
           (float)a->epsilon);
}

const fmd_optimizer_ops fmd_optimizer_adamax = {
    .name = "adamax",
    .keras_class = "Adamax",
    .help = "momentum over the largest magnitude",
    .learning_rate = 0.001,
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .slots = {"momentum", "norm"},
    .interleaved = 2,
    .factors = factors,
    .step = step,
};
