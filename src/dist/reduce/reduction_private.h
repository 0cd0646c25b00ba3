/* The interface of a reduction mode: one file with a const table, one line in reduction.c. */
#ifndef FMD_DIST_REDUCE_REDUCTION_PRIVATE_H
#define FMD_DIST_REDUCE_REDUCTION_PRIVATE_H

#include "dist/reduce/reduction.h"
#include "dist/reduce/summation.h"

#include <stdbool.h>

typedef struct fmd_reduced_tensor {
    size_t offset, count; /* position of its values in the gradient */
    size_t element;       /* its first value in the message */
    size_t piece;         /* its first piece */
    int32_t *exponent;    /* exact: its values are multiples of 2^exponent */
    fmd_fixed fixed;      /* exact */
    uint32_t *largest;    /* exact: largest total, in units of the scale */
} fmd_reduced_tensor;

typedef struct fmd_reduction_ops {
    fmd_element_type type;
    bool by_microbatch;
    void (*begin_step)(fmd_reduction *r); /* or NULL */
    float *(*begin_range)(fmd_reduction *r, const fmd_reduced_tensor *t, size_t offset);
    void (*commit_range)(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n);
    /* Elements `first` to r->completed - 1 are complete too; or NULL. */
    void (*complete)(fmd_reduction *r, size_t first);
    fmd_reduced (*finish)(fmd_reduction *r, int64_t *counters);
    /* Values `offset` to `offset` + `n` - 1 of a tensor, times `scale`. */
    void (*values)(fmd_reduction *r, fmd_reduced_tensor *t, size_t offset, size_t n, double scale,
                   float *out);
    /* The scales of the next step, when all values are applied; or NULL. */
    void (*next_scales)(const fmd_reduction *r, int32_t *scales);
} fmd_reduction_ops;

/* The message of a step: the header, then the gradient. Every element is 32 bits wide. The header
 * has one element per tensor (values out of range), one for values that are not finite, the counters
 * as limbs of 8 bits, and a checksum. Floats add these limbs exactly on up to 65,536 ranks. The
 * message is completed from its end: backward computes the last tensors first, and the header can
 * only be known at the end. */
struct fmd_reduction {
    const fmd_reduction_ops *ops;
    fmd_comm *comm;
    size_t n_tensors, n_header, n_values, n_elements, n_pieces;
    bool in_place; /* the total replaces the message of a rank of the node */
    bool travels;  /* messages leave the memory of a node, and could be damaged in transit */
    int n_counters, microbatches, mine; /* microbatches of all ranks; of this rank */
    fmd_reduced_tensor *tensors;
    int32_t *exponents; /* of the tensors */
    uint32_t *largest;  /* of the tensors */
    fmd_summation *summation;
    size_t completed;  /* elements from here on are complete */
    uint32_t checksum; /* exact: sum of the complete elements */
    union {
        void *message; /* of this rank */
        uint32_t *fixed;
        float *floats;
    };
    union {
        const void *total; /* over all ranks; may be the message itself */
        const uint32_t *fixed_total;
        const float *float_total;
    };
    float *scratch;                 /* as large as the largest tensor */
    fmd_reduction_seconds *seconds; /* NULL: not measured */
    int64_t repeats;
};

enum { FMD_LIMBS = 8, FMD_LIMB_BITS = 8 };

/* Index of the first element of each part of the header behind the tensors' own. */
static inline size_t fmd_element_not_finite(const fmd_reduction *r)
{
    return r->n_tensors;
}

static inline size_t fmd_element_counters(const fmd_reduction *r)
{
    return r->n_tensors + 1;
}

static inline size_t fmd_element_checksum(const fmd_reduction *r)
{
    return fmd_element_counters(r) + (size_t)r->n_counters * FMD_LIMBS;
}

/* One limb of a counter. */
static inline uint32_t fmd_limb(int64_t counter, int i)
{
    return (uint32_t)((uint64_t)counter >> (i * FMD_LIMB_BITS)) & 0xff;
}

/* Collective. Completes the message and waits for the total. False if the total has floats that are not
 * finite. */
bool fmd_reduction_sum(fmd_reduction *r);

extern const fmd_reduction_ops fmd_reduction_exact, fmd_reduction_native;

#endif
