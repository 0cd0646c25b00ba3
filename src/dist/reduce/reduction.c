#include "dist/reduce/reduction.h"

#include "dist/comm_private.h"
#include "dist/reduce/reduction_private.h"
#include "base/mem.h"
#include "base/timer.h"

#include <stdlib.h>
#include <string.h>

/* At the start a segment's grid spans gradient sums of up to 2^10. */
enum { FIRST_EXPONENT = 10 - 31 };

/* Values that are handed out at a time. */
enum { PIECE = 2048 };

static const fmd_reduction_ops *const kinds[] = {
    [FMD_REDUCE_EXACT] = &fmd_reduction_exact,
    [FMD_REDUCE_NATIVE] = &fmd_reduction_native,
};

/* Local. */
static fmd_status lay_out(fmd_reduction *r, const size_t *segment_counts)
{
    FMD_TRY(fmd_alloc(&r->segments, r->n_segments, sizeof *r->segments, "the reduction"));
    FMD_TRY(fmd_alloc(&r->exponents, r->n_segments, sizeof *r->exponents, "the reduction"));
    size_t largest = PIECE;
    for (size_t i = 0; i < r->n_segments; i++) {
        const size_t count = segment_counts[i];
        r->exponents[i] = FIRST_EXPONENT;
        r->segments[i] = (fmd_segment){r->n_values, count, &r->exponents[i], {0}, 0};
        r->n_values += count;
        largest = count > largest ? count : largest;
    }
    r->n_lanes = fmd_lane_checksum(r) + 1;
    if (r->n_lanes > INT32_MAX)
        return FMD_FAIL(FMD_EUSAGE, "the model has %zu parameters: more than one message holds",
                        r->n_values);
    return fmd_alloc(&r->room, largest, sizeof(float), "the gradient");
}

/* Collective. Memory for message and total: shared on the node where several ranks are. */
static fmd_status make_room(fmd_reduction *r, fmd_allreduce allreduce)
{
    int most = r->comm->node_size;
    FMD_MPI(r->comm, MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, r->comm->world));
    if (allreduce == FMD_ALLREDUCE_SHARED && most > 1) {
        FMD_TRY(fmd_node_sum_create(&r->node, r->comm, r->n_lanes));
        r->message = fmd_node_sum_message(r->node);
        r->total = fmd_node_sum_total(r->node);
        return FMD_OK;
    }
    fmd_status st = fmd_alloc(&r->message, r->n_lanes, sizeof(uint32_t), "the gradient");
    r->total = r->message;
    return fmd_comm_agree(r->comm, st);
}

fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                fmd_allreduce allreduce, fmd_comm *comm,
                                const size_t *segment_counts, size_t n_segments, int n_counters)
{
    fmd_reduction *r = NULL;
    fmd_status st = fmd_alloc(&r, 1, sizeof *r, "the reduction");
    if (st == FMD_OK) {
        *r = (fmd_reduction){
            .ops = kinds[mode], .comm = comm, .n_segments = n_segments, .n_counters = n_counters};
        st = lay_out(r, segment_counts);
    }
    if ((st = fmd_comm_agree(comm, st)) == FMD_OK)
        st = make_room(r, allreduce);
    if (st != FMD_OK) {
        fmd_reduction_destroy(r);
        return st;
    }
    *out = r;
    return FMD_OK;
}

void fmd_reduction_destroy(fmd_reduction *r)
{
    if (r == NULL)
        return;
    if (r->node == NULL)
        free(r->message);
    fmd_node_sum_destroy(r->node);
    free(r->segments);
    free(r->exponents);
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

void fmd_reduction_begin(fmd_reduction *r, int leaves, int mine)
{
    /* One leaf in native mode writes every value. */
    const size_t kept = !r->ops->by_leaf && mine > 0 ? r->n_values : 0;
    r->leaves = leaves;
    memset(r->fixed + kept, 0, (r->n_lanes - kept) * sizeof *r->fixed);
    if (r->ops->begin != NULL)
        r->ops->begin(r);
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

fmd_lanes *fmd_reduction_lanes(fmd_reduction *r, size_t segment)
{
    return r->ops->by_leaf ? &r->segments[segment].lanes : NULL;
}

fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters)
{
    const fmd_reduced outcome = r->ops->finish(r, counters);
    r->repeats += outcome == FMD_REDUCED_REPEAT;
    return outcome;
}

void fmd_reduction_take(fmd_reduction *r, double scale, fmd_take *take, void *self)
{
    for (size_t i = 0; i < r->n_segments; i++) {
        fmd_segment *s = &r->segments[i];
        for (size_t at = 0; at < s->count; at += PIECE) {
            const size_t n = s->count - at < PIECE ? s->count - at : PIECE;
            r->ops->values(r, s, at, n, scale, r->room);
            take(self, s->offset + at, n, r->room);
        }
    }
    if (r->ops->settle != NULL)
        r->ops->settle(r);
}

bool fmd_reduction_travels(const fmd_reduction *r)
{
    return r->node != NULL ? r->comm->nodes > 1 : r->comm->size > 1;
}

static bool sum(fmd_reduction *r, fmd_lane_type type)
{
    if (r->node != NULL)
        return fmd_node_sum_run(r->node, type);
    FMD_MPI(r->comm, MPI_Allreduce(MPI_IN_PLACE, r->message, (int)r->n_lanes,
                                   type == FMD_LANE_U32 ? MPI_UINT32_T : MPI_FLOAT, MPI_SUM,
                                   r->comm->world));
    return type != FMD_LANE_FLOAT || fmd_all_finite(r->n_lanes, r->floats);
}

bool fmd_reduction_sum(fmd_reduction *r, fmd_lane_type type)
{
    if (r->seconds == NULL) {
        if (r->node == NULL)
            fmd_comm_await_all(r->comm);
        return sum(r, type);
    }
    const double here = fmd_now();
    fmd_comm_await(r->comm, r->comm->world);
    const double all_here = fmd_now();
    const bool finite = sum(r, type);
    r->seconds->wait += all_here - here;
    r->seconds->allreduce += fmd_now() - all_here;
    return finite;
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
