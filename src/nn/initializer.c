#include "nn/initializer.h"

#include "math/vec.h"

#include <math.h>

/* Uniform in [-limit, limit). */
static void fill_uniform(fmd_rng r, float limit, size_t n, float *values)
{
    for (size_t i = 0; i < n; i += 4) {
        uint32_t u[4];
        fmd_rng_block(&r, i / 4, u);
        for (size_t j = 0; j < 4 && i + j < n; j++)
            values[i + j] = limit * (2.0f * fmd_rng_unit(u[j]) - 1.0f);
    }
}

/* Normal with standard deviation `sigma`, truncated at 2 sigma, by rejection (von Neumann): x is
 * uniform in [-2, 2) and accepted with probability exp(-x^2 / 2). A block of random numbers serves
 * two attempts; `time` counts the blocks. */
static void fill_truncated_normal(fmd_rng r, float sigma, size_t n, float *values)
{
    for (size_t i = 0; i < n; i++) {
        bool accepted = false;
        for (r.time = 0; !accepted; r.time++) {
            uint32_t u[4];
            fmd_rng_block(&r, i, u);
            for (int j = 0; j < 4 && !accepted; j += 2) {
                float x = 4.0f * fmd_rng_unit(u[j]) - 2.0f;
                float density = -0.5f * x * x;
                fmd_vec_exp(1, &density, &density);
                accepted = fmd_rng_unit(u[j + 1]) < density;
                if (accepted)
                    values[i] = sigma * x;
            }
        }
    }
}

static void fill_constant(float c, size_t n, float *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = c;
}

void fmd_initialize(const fmd_tensor *t, uint64_t seed, uint32_t stream, float *values)
{
    /* The standard deviation of a standard normal truncated at 2. */
    const double cut = 0.87962566103423978;
    fmd_rng r = {.seed = seed, .purpose = FMD_RNG_INIT, .stream = stream};
    const size_t n = t->count;
    const double fan_in = t->fan_in, fan_out = t->fan_out;
    const double glorot = 2 / (fan_in + fan_out), he = 2 / fan_in, lecun = 1 / fan_in;
    switch (t->init) {
    case FMD_INIT_glorot_uniform: fill_uniform(r, (float)sqrt(3 * glorot), n, values); break;
    case FMD_INIT_glorot_normal:
        fill_truncated_normal(r, (float)(sqrt(glorot) / cut), n, values);
        break;
    case FMD_INIT_he_uniform: fill_uniform(r, (float)sqrt(3 * he), n, values); break;
    case FMD_INIT_he_normal: fill_truncated_normal(r, (float)(sqrt(he) / cut), n, values); break;
    case FMD_INIT_lecun_uniform: fill_uniform(r, (float)sqrt(3 * lecun), n, values); break;
    case FMD_INIT_lecun_normal:
        fill_truncated_normal(r, (float)(sqrt(lecun) / cut), n, values);
        break;
    case FMD_INIT_zeros: fill_constant(0, n, values); break;
    case FMD_INIT_ones: fill_constant(1, n, values); break;
    }
}
