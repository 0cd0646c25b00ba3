#include "base/simd.h"
#include "dist/reduce/reduction_private.h"
#include "fmd/error.h"

#include <math.h>
#include <string.h>

/* Fixed point: a value g of a microbatch's gradient sum becomes the integer z = round(g / 2^exponent).
 * Each tensor has its own exponent. Integers add up to the same total in any order. Partial sums may
 * wrap around as long as the total does not; |z| * microbatches < 2^31 for every value of every
 * microbatch guarantees this. The proof is in docs/exactness.md. */

/* The scale of the next step holds totals up to 2^6 times the largest total of this step. */
enum { HEADROOM_BITS = 6 };

/* A value out of range widens the scale of its tensor by 2^4. */
enum { WIDEN_BITS = 4 };

/* If the total of a tensor is zero, a scale that is too wide may have rounded all values to zero. The
 * scale becomes 2^16 times finer, down to a unit that no optimizer can distinguish from zero. */
enum { EMPTY_BITS = 16, EMPTY_EXPONENT = -60 };

static void begin_step(fmd_reduction *r)
{
    for (size_t i = 0; i < r->n_tensors; i++) {
        fmd_reduced_tensor *t = &r->tensors[i];
        t->fixed = (fmd_fixed){.at = r->fixed + t->element, .inverse = ldexpf(1, -*t->exponent)};
        *t->largest = 0;
    }
}

static float *begin_range(fmd_reduction *r, const fmd_reduced_tensor *t, size_t offset)
{
    (void)t;
    (void)offset;
    return r->scratch;
}

static void commit_range(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n)
{
    fmd_fixed_add(&t->fixed, offset, n, r->scratch);
}

/* Sets the flag of each tensor that has a value out of range. Values above 2^128 units count as
 * infinite. */
static void flag(fmd_reduction *r)
{
    /* Each microbatch's part of the largest float below 2^31, rounded down to an integer so that
     * rounding a value cannot exceed it. */
    const float limit = floorf(2147483520.0f / (float)r->microbatches);
    for (size_t i = 0; i < r->n_tensors; i++) {
        const fmd_reduced_tensor *t = &r->tensors[i];
        float largest;
        memcpy(&largest, &t->fixed.largest, sizeof largest);
        if (largest < limit)
            continue;
        r->fixed[i] = 1;
        if (*t->exponent + WIDEN_BITS > FMD_SCALE_MAX || !isfinite(largest))
            r->fixed[fmd_element_not_finite(r)] = 1;
    }
}

FMD_SIMD static uint32_t sum_elements(size_t n, const uint32_t *elements)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += elements[i];
    return sum;
}

/* Converts totals to floats and returns the largest magnitude. */
FMD_SIMD static uint32_t scale_totals(size_t n, const uint32_t *restrict total, float scale,
                                      float *restrict sums)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t z = (int32_t)total[i];
        const uint32_t magnitude = z < 0 ? 0u - total[i] : total[i];
        largest = magnitude > largest ? magnitude : largest;
        sums[i] = (float)z * scale;
    }
    return largest;
}

/* Smallest k with x <= 2^k; x > 0. */
static int ceil_log2(uint32_t x)
{
    return x > 1 ? 32 - __builtin_clz(x - 1) : 0;
}

/* The next exponent, after a step with exponent `e` and a largest total of `largest` units. */
static int next_exponent(int e, uint32_t largest)
{
    if (largest == 0) {
        const int finer = e - EMPTY_BITS > EMPTY_EXPONENT ? e - EMPTY_BITS : EMPTY_EXPONENT;
        return finer < e ? finer : e;
    }
    e += HEADROOM_BITS + ceil_log2(largest) - 31;
    if (e < FMD_SCALE_MIN)
        return FMD_SCALE_MIN;
    return e > FMD_SCALE_MAX ? FMD_SCALE_MAX : e;
}

static void put_counters(fmd_reduction *r, const int64_t *counters)
{
    uint32_t *element = r->fixed + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters * FMD_LIMBS; i++)
        element[i] = fmd_limb(counters[i / FMD_LIMBS], i % FMD_LIMBS);
}

static void get_counters(const fmd_reduction *r, int64_t *counters)
{
    const uint32_t *element = r->fixed_total + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters; i++) {
        uint64_t sum = 0;
        for (int j = 0; j < FMD_LIMBS; j++)
            sum += (uint64_t)element[i * FMD_LIMBS + j] << (j * FMD_LIMB_BITS);
        counters[i] = (int64_t)sum;
    }
}

/* A message that is summed in place is gone by the end of the step. */
static void complete(fmd_reduction *r, size_t first)
{
    r->checksum += sum_elements(r->completed - first, r->fixed + first);
}

static fmd_reduced finish(fmd_reduction *r, int64_t *counters)
{
    const size_t checksum = fmd_element_checksum(r);
    const bool check = r->travels;
    flag(r);
    put_counters(r, counters);
    if (check)
        r->fixed[checksum] = r->checksum + sum_elements(r->completed, r->fixed);
    (void)fmd_reduction_sum(r);
    const uint32_t *total = r->fixed_total;
    if (check && 2 * total[checksum] != sum_elements(r->n_elements, total)) {
        fmd_error_set("the sum of the gradients was damaged on its way between the ranks");
        fmd_comm_abort(r->comm, FMD_EDESYNC);
    }

    get_counters(r, counters);
    if (total[fmd_element_not_finite(r)] > 0)
        return FMD_REDUCED_NOT_FINITE;
    bool repeat = false;
    for (size_t i = 0; i < r->n_tensors; i++)
        if (total[i] > 0) {
            r->exponents[i] += WIDEN_BITS;
            repeat = true;
        }
    return repeat ? FMD_REDUCED_REPEAT : FMD_REDUCED;
}

static void values(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n, double scale,
                   float *out)
{
    const uint32_t largest = scale_totals(n, r->fixed_total + t->element + offset,
                                          (float)ldexp(scale, *t->exponent), out);
    *t->largest = largest > *t->largest ? largest : *t->largest;
}

static void next_scales(const fmd_reduction *r, int32_t *scales)
{
    for (size_t i = 0; i < r->n_tensors; i++)
        scales[i] = next_exponent(r->exponents[i], r->largest[i]);
}

const fmd_reduction_ops fmd_reduction_exact = {.type = FMD_ELEMENT_U32,
                                               .by_microbatch = true,
                                               .begin_step = begin_step,
                                               .begin_range = begin_range,
                                               .commit_range = commit_range,
                                               .complete = complete,
                                               .finish = finish,
                                               .values = values,
                                               .next_scales = next_scales};
