/* A kind of reduction: one file with a const table, one line in reduction.c. */
#ifndef FMD_DIST_REDUCTION_PRIVATE_H
#define FMD_DIST_REDUCTION_PRIVATE_H

#include "fmd/reduction.h"

#include <stdbool.h>

typedef struct fmd_segment {
    size_t offset, count; /* of its values in the gradient */
    int32_t *exponent;    /* exact: its values are multiples of 2^exponent */
} fmd_segment;

typedef struct fmd_reduction_ops {
    bool by_leaf;
    float *(*room)(fmd_reduction *r, const fmd_segment *s, size_t offset);
    void (*add)(fmd_reduction *r, fmd_segment *s, size_t offset, size_t n);
    fmd_reduced (*finish)(fmd_reduction *r, int64_t *counters, double scale, float *sums);
} fmd_reduction_ops;

/* The message of a step: the gradient, then the tail. Every lane is 32 bits wide. The tail has a
 * lane for each segment (values out of range), one for values that are not finite, the counters as
 * limbs of 8 bits, which even float lanes add exactly on up to 65,536 ranks, and a checksum. */
struct fmd_reduction {
    const fmd_reduction_ops *ops;
    fmd_comm *comm;
    size_t n_segments, n_values, n_lanes;
    int n_counters, leaves;
    fmd_segment *segments;
    int32_t *exponents; /* of the segments */
    union {
        void *message;
        uint32_t *fixed; /* exact */
        float *floats;   /* native */
    };
    float *room;                    /* as large as the largest segment */
    fmd_reduction_seconds *seconds; /* NULL: not measured */
    int64_t repeats;
};

enum { FMD_LIMBS = 8, FMD_LIMB_BITS = 8 };

/* Where the parts of the tail begin. */
static inline size_t fmd_lane_of_segment(const fmd_reduction *r, size_t segment)
{
    return r->n_values + segment;
}

static inline size_t fmd_lane_not_finite(const fmd_reduction *r)
{
    return r->n_values + r->n_segments;
}

static inline size_t fmd_lane_counters(const fmd_reduction *r)
{
    return fmd_lane_not_finite(r) + 1;
}

static inline size_t fmd_lane_checksum(const fmd_reduction *r)
{
    return fmd_lane_counters(r) + (size_t)r->n_counters * FMD_LIMBS;
}

/* One limb of a counter. */
static inline uint32_t fmd_limb(int64_t counter, int i)
{
    return (uint32_t)((uint64_t)counter >> (i * FMD_LIMB_BITS)) & 0xff;
}

/* Collective. Sums the message over the ranks, in place. */
void fmd_reduction_allreduce_u32(fmd_reduction *r);
void fmd_reduction_allreduce_float(fmd_reduction *r);

extern const fmd_reduction_ops fmd_reduction_exact, fmd_reduction_native;

#endif
