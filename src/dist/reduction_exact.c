#include "dist/reduction_private.h"
#include "fmd/error.h"
#include "fmd/simd.h"

#include <math.h>

/* Fixed point: a value g of a leaf's gradient sum becomes the integer z = round(g / 2^exponent),
 * with an exponent for each segment, and integers add up to the same total in any order. Partial
 * sums may wrap around as long as the total does not; |z| * leaves < 2^31 for every value of every
 * leaf makes sure of that. docs/exactness.md has the whole argument. */

/* After a step the grid is laid out for totals up to 2^6 times the largest one seen. */
enum { HEADROOM_BITS = 6 };

/* A value out of range makes its segment's grid 2^4 times wider. */
enum { WIDEN_BITS = 4 };

/* A segment whose total is zero may have lost all its values to a grid that is too wide: the grid
 * becomes 2^16 times finer, down to a unit that no optimizer can tell from zero. */
enum { EMPTY_BITS = 16, EMPTY_EXPONENT = -60 };

/* Exponents whose powers of two, and their inverses, are normal floats. */
enum { MIN_EXPONENT = -100, MAX_EXPONENT = 100 };

static float *room(fmd_reduction *r, const fmd_segment *s, size_t offset)
{
    (void)s;
    (void)offset;
    return r->room;
}

/* Adds the rounded values; those outside the limit, NaN included, are left out and counted. */
FMD_SIMD static uint32_t add_rounded(size_t n, const float *restrict g, float inverse, float limit,
                                     uint32_t *restrict total)
{
    uint32_t outside = 0;
    for (size_t i = 0; i < n; i++) {
        float z = g[i] * inverse;
        const int inside = z > -limit && z < limit;
        outside += !inside;
        z = inside ? z : 0;
        total[i] += (uint32_t)(int32_t)rintf(z);
    }
    return outside;
}

static uint32_t count_not_finite(size_t n, const float *g)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += !isfinite(g[i]);
    return bad;
}

static void add(fmd_reduction *r, fmd_segment *s, size_t offset, size_t n)
{
    /* The largest float below 2^31, shared among the leaves; whole, so that rounding stays below. */
    const float limit = floorf(2147483520.0f / (float)r->leaves);
    const uint32_t outside =
        add_rounded(n, r->room, ldexpf(1, -*s->exponent), limit, r->fixed + s->offset + offset);
    if (outside == 0)
        return;
    r->fixed[fmd_lane_of_segment(r, (size_t)(s - r->segments))] = 1;
    if (*s->exponent + WIDEN_BITS > MAX_EXPONENT || count_not_finite(n, r->room) > 0)
        r->fixed[fmd_lane_not_finite(r)] = 1;
}

FMD_SIMD static uint32_t sum_lanes(size_t n, const uint32_t *lanes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += lanes[i];
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

/* The grid after a step on grid `e` whose largest total is `largest` units. */
static int next_exponent(int e, uint32_t largest)
{
    if (largest == 0) {
        const int finer = e - EMPTY_BITS > EMPTY_EXPONENT ? e - EMPTY_BITS : EMPTY_EXPONENT;
        return finer < e ? finer : e;
    }
    e += HEADROOM_BITS + ceil_log2(largest) - 31;
    if (e < MIN_EXPONENT)
        return MIN_EXPONENT;
    return e > MAX_EXPONENT ? MAX_EXPONENT : e;
}

static fmd_reduced finish(fmd_reduction *r, int64_t *counters, double scale, float *sums)
{
    uint32_t *lane = r->fixed + fmd_lane_counters(r);
    for (int i = 0; i < r->n_counters * FMD_LIMBS; i++)
        lane[i] = fmd_limb(counters[i / FMD_LIMBS], i % FMD_LIMBS);
    const size_t checksum = fmd_lane_checksum(r);
    r->fixed[checksum] = sum_lanes(checksum, r->fixed);
    fmd_reduction_allreduce_u32(r);
    if (r->fixed[checksum] != sum_lanes(checksum, r->fixed)) {
        fmd_error_set("the sum of the gradients was damaged on its way between the ranks");
        fmd_comm_abort(r->comm, FMD_EDESYNC);
    }

    for (int i = 0; i < r->n_counters; i++) {
        uint64_t sum = 0;
        for (int j = 0; j < FMD_LIMBS; j++)
            sum += (uint64_t)lane[i * FMD_LIMBS + j] << (j * FMD_LIMB_BITS);
        counters[i] = (int64_t)sum;
    }
    if (r->fixed[fmd_lane_not_finite(r)] > 0)
        return FMD_REDUCED_NOT_FINITE;
    int repeat = 0;
    for (size_t i = 0; i < r->n_segments; i++)
        if (r->fixed[fmd_lane_of_segment(r, i)] > 0) {
            r->exponents[i] += WIDEN_BITS;
            repeat = 1;
        }
    if (repeat)
        return FMD_REDUCED_REPEAT;

    for (size_t i = 0; i < r->n_segments; i++) {
        fmd_segment *s = &r->segments[i];
        const uint32_t largest = scale_totals(s->count, r->fixed + s->offset,
                                              (float)ldexp(scale, *s->exponent), sums + s->offset);
        *s->exponent = next_exponent(*s->exponent, largest);
    }
    return FMD_REDUCED;
}

const fmd_reduction_ops fmd_reduction_exact = {
    .by_leaf = true, .room = room, .add = add, .finish = finish};
