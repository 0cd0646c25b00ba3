#include "fmd/reduction.h"

#include "dist/comm_private.h"
#include "dist/reduction_private.h"
#include "fmd/mem.h"
#include "fmd/timer.h"

#include <stdlib.h>
#include <string.h>

/* At the start a segment's grid spans gradient sums of up to 2^10. */
enum { FIRST_EXPONENT = 10 - 31 };

static const fmd_reduction_ops *const kinds[] = {
    [FMD_REDUCE_EXACT] = &fmd_reduction_exact,
    [FMD_REDUCE_NATIVE] = &fmd_reduction_native,
};

fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode, fmd_comm *comm,
                                const size_t *segment_counts, size_t n_segments, int n_counters)
{
    fmd_reduction *r = NULL;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "the reduction"));
    r->ops = kinds[mode];
    r->comm = comm;
    r->n_segments = n_segments;
    r->n_counters = n_counters;
    fmd_status st = fmd_alloc(&r->segments, n_segments, sizeof *r->segments, "the reduction");
    if (st == FMD_OK)
        st = fmd_alloc(&r->exponents, n_segments, sizeof *r->exponents, "the reduction");
    if (st != FMD_OK)
        goto out;
    size_t largest = 0;
    for (size_t i = 0; i < n_segments; i++) {
        const size_t count = segment_counts[i];
        r->exponents[i] = FIRST_EXPONENT;
        r->segments[i] = (fmd_segment){r->n_values, count, &r->exponents[i]};
        r->n_values += count;
        largest = count > largest ? count : largest;
    }
    r->n_lanes = fmd_lane_checksum(r) + 1;
    if (r->n_lanes > INT32_MAX) {
        st = FMD_FAIL(FMD_EUSAGE, "the model has %zu parameters: more than one message holds",
                      r->n_values);
        goto out;
    }
    if ((st = fmd_alloc(&r->message, r->n_lanes, sizeof(uint32_t), "the gradient")) != FMD_OK ||
        (st = fmd_alloc(&r->room, largest, sizeof(float), "the gradient")) != FMD_OK)
        goto out;
    *out = r;
    r = NULL;
out:
    fmd_reduction_destroy(r);
    return st;
}

void fmd_reduction_destroy(fmd_reduction *r)
{
    if (r == NULL)
        return;
    free(r->segments);
    free(r->exponents);
    free(r->message);
    free(r->room);
    free(r);
}

int32_t *fmd_reduction_grid(fmd_reduction *r)
{
    return r->exponents;
}

int fmd_reduction_by_leaf(const fmd_reduction *r)
{
    return r->ops->by_leaf;
}

void fmd_reduction_begin(fmd_reduction *r, int leaves)
{
    r->leaves = leaves;
    memset(r->message, 0, r->n_lanes * sizeof(uint32_t));
}

float *fmd_reduction_room(fmd_reduction *r, size_t segment, size_t offset, size_t n)
{
    (void)n;
    return r->ops->room(r, &r->segments[segment], offset);
}

void fmd_reduction_add(fmd_reduction *r, size_t segment, size_t offset, size_t n)
{
    r->ops->add(r, &r->segments[segment], offset, n);
}

fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters, double scale, float *sums)
{
    const fmd_reduced outcome = r->ops->finish(r, counters, scale, sums);
    r->repeats += outcome == FMD_REDUCED_REPEAT;
    return outcome;
}

static void allreduce(fmd_reduction *r, MPI_Datatype type)
{
    const double here = r->seconds != NULL ? fmd_now() : 0;
    fmd_comm_await_all(r->comm);
    if (r->seconds != NULL)
        fmd_comm_barrier(r->comm);
    const double all_here = r->seconds != NULL ? fmd_now() : 0;
    FMD_MPI(r->comm, MPI_Allreduce(MPI_IN_PLACE, r->message, (int)r->n_lanes, type, MPI_SUM,
                                   r->comm->world));
    if (r->seconds != NULL) {
        r->seconds->wait += all_here - here;
        r->seconds->allreduce += fmd_now() - all_here;
    }
}

void fmd_reduction_allreduce_u32(fmd_reduction *r)
{
    allreduce(r, MPI_UINT32_T);
}

void fmd_reduction_allreduce_float(fmd_reduction *r)
{
    allreduce(r, MPI_FLOAT);
}

void fmd_reduction_time(fmd_reduction *r, fmd_reduction_seconds *seconds)
{
    r->seconds = seconds;
}

size_t fmd_reduction_bytes(const fmd_reduction *r)
{
    return r->n_lanes * sizeof(uint32_t);
}

int64_t fmd_reduction_repeats(const fmd_reduction *r)
{
    return r->repeats;
}
