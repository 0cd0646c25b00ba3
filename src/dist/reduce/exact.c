#include "base/simd.h"
#include "dist/reduce/reduction_private.h"
#include "fmd/error.h"

#include <math.h>
#include <string.h>

/* Fixed point: a value g of a microbatch's gradient sum becomes the integer z = round(g / 2^exponent),
 * with an exponent for each tensor, and integers add up to the same total in any order. Partial
 * sums may wrap around as long as the total does not; |z| * microbatches < 2^31 for every value of every
 * microbatch makes sure of that. docs/exactness.md has the whole argument. */

/* After a step the scale is laid out for totals up to 2^6 times the largest one seen. */
enum { HEADROOM_BITS = 6 };

/* A value out of range makes its tensor's scale 2^4 times wider. */
enum { WIDEN_BITS = 4 };

/* A tensor whose total is zero may have lost all its values to a scale that is too wide: the scale
 * becomes 2^16 times finer, down to a unit that no optimizer can tell from zero. */
enum { EMPTY_BITS = 16, EMPTY_EXPONENT = -60 };

/* Exponents whose powers of two, and their inverses, are normal floats. */

static void begin_step(fmd_reduction *r)
{
    for (size_t i = 0; i < r->n_tensors; i++) {
        fmd_reduced_tensor *t = &r->tensors[i];
        t->fixed = (fmd_fixed){.at = r->fixed + t->offset, .inverse = ldexpf(1, -*t->exponent)};
        t->largest = 0;
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

/* Raises the flags of tensors with a value that does not fit. A value of more than 2^128 units is
 * taken for infinite. */
static void flag(fmd_reduction *r)
{
    /* The largest float below 2^31, shared among the leaves; whole, so that rounding stays below. */
    const float limit = floorf(2147483520.0f / (float)r->microbatches);
    for (size_t i = 0; i < r->n_tensors; i++) {
        const fmd_reduced_tensor *t = &r->tensors[i];
        float largest;
        memcpy(&largest, &t->fixed.largest, sizeof largest);
        if (largest < limit)
            continue;
        r->fixed[fmd_element_of_tensor(r, i)] = 1;
        if (*t->exponent + WIDEN_BITS > FMD_SCALE_MAX || !isfinite(largest))
            r->fixed[fmd_element_not_finite(r)] = 1;
    }
}

FMD_SIMD static uint32_t sum_lanes(size_t n, const uint32_t *fixed)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fixed[i];
    return sum;
}

/* Converts totals back to floats, and returns the largest magnitude. */
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

/* The scale after a step on scale `e` whose largest total is `largest` units. */
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
    uint32_t *lane = r->fixed + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters * FMD_LIMBS; i++)
        lane[i] = fmd_limb(counters[i / FMD_LIMBS], i % FMD_LIMBS);
}

static void get_counters(const fmd_reduction *r, int64_t *counters)
{
    const uint32_t *lane = r->fixed_total + fmd_element_counters(r);
    for (int i = 0; i < r->n_counters; i++) {
        uint64_t sum = 0;
        for (int j = 0; j < FMD_LIMBS; j++)
            sum += (uint64_t)lane[i * FMD_LIMBS + j] << (j * FMD_LIMB_BITS);
        counters[i] = (int64_t)sum;
    }
}

static fmd_reduced finish(fmd_reduction *r, int64_t *counters)
{
    const size_t checksum = fmd_element_checksum(r);
    const bool check = fmd_reduction_travels(r);
    flag(r);
    put_counters(r, counters);
    if (check)
        r->fixed[checksum] = sum_lanes(checksum, r->fixed);
    (void)fmd_reduction_sum(r, FMD_ELEMENT_U32);
    const uint32_t *total = r->fixed_total;
    if (check && total[checksum] != sum_lanes(checksum, total)) {
        fmd_error_set("the sum of the gradients was damaged on its way between the ranks");
        fmd_comm_abort(r->comm, FMD_EDESYNC);
    }

    get_counters(r, counters);
    if (total[fmd_element_not_finite(r)] > 0)
        return FMD_REDUCED_NOT_FINITE;
    bool repeat = false;
    for (size_t i = 0; i < r->n_tensors; i++)
        if (total[fmd_element_of_tensor(r, i)] > 0) {
            r->exponents[i] += WIDEN_BITS;
            repeat = true;
        }
    return repeat ? FMD_REDUCED_REPEAT : FMD_REDUCED;
}

static void values(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n, double scale,
                   float *out)
{
    const uint32_t largest = scale_totals(n, r->fixed_total + t->offset + offset,
                                          (float)ldexp(scale, *t->exponent), out);
    t->largest = largest > t->largest ? largest : t->largest;
}

static void rescale(fmd_reduction *r)
{
    for (size_t i = 0; i < r->n_tensors; i++) {
        fmd_reduced_tensor *t = &r->tensors[i];
        *t->exponent = next_exponent(*t->exponent, t->largest);
    }
}

const fmd_reduction_ops fmd_reduction_exact = {.by_microbatch = true,
                                               .begin_step = begin_step,
                                               .begin_range = begin_range,
                                               .commit_range = commit_range,
                                               .finish = finish,
                                               .values = values,
                                               .rescale = rescale};
