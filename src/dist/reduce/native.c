#include "base/simd.h"
#include "dist/reduce/reduction_private.h"

/* Sums of floats: the fastest mode, but the bits depend on the number of ranks. If a rank has one
 * microbatch, its values are written straight into the message. */

static float *begin_range(fmd_reduction *r, const fmd_reduced_tensor *t, size_t offset)
{
    return r->mine > 1 ? r->scratch : r->floats + t->element + offset;
}

FMD_SIMD static void add_to(size_t n, const float *restrict x, float *restrict sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void commit_range(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n)
{
    if (r->mine > 1)
        add_to(n, r->scratch, r->floats + t->element + offset);
}

FMD_SIMD static void scale_values(size_t n, const float *restrict x, float scale, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

static fmd_reduced finish(fmd_reduction *r, int64_t *counters)
{
    float *element = r->floats + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters * FMD_LIMBS; i++)
        element[i] = (float)fmd_limb(counters[i / FMD_LIMBS], i % FMD_LIMBS);
    const bool finite = fmd_reduction_sum(r);
    const float *total = r->float_total + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters; i++) {
        uint64_t sum = 0;
        for (int j = 0; j < FMD_LIMBS; j++)
            sum += (uint64_t)total[i * FMD_LIMBS + j] << (j * FMD_LIMB_BITS);
        counters[i] = (int64_t)sum;
    }
    return finite ? FMD_REDUCED : FMD_REDUCED_NOT_FINITE;
}

static void values(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n, double scale,
                   float *out)
{
    scale_values(n, r->float_total + t->element + offset, (float)scale, out);
}

const fmd_reduction_ops fmd_reduction_native = {.type = FMD_ELEMENT_FLOAT,
                                                .begin_range = begin_range,
                                                .commit_range = commit_range,
                                                .finish = finish,
                                                .values = values};
