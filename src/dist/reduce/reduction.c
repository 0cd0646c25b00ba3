#include "dist/reduce/reduction.h"

#include "base/mem.h"
#include "base/timer.h"
#include "dist/comm_private.h"
#include "dist/reduce/reduction_private.h"

#include <stdlib.h>
#include <string.h>

/* The first scale of a tensor covers gradient sums up to 2^10. */
enum { FIRST_EXPONENT = 10 - 31 };

/* Values per call of `apply`. */
enum { PIECE = 2048 };

static const fmd_reduction_ops *const kinds[] = {
    [FMD_REDUCE_EXACT] = &fmd_reduction_exact,
    [FMD_REDUCE_NATIVE] = &fmd_reduction_native,
};

/* Local. */
static fmd_status lay_out(fmd_reduction *r, const size_t *tensor_counts)
{
    FMD_TRY(fmd_alloc(&r->tensors, r->n_tensors, sizeof *r->tensors, "the reduction"));
    FMD_TRY(fmd_alloc(&r->exponents, r->n_tensors, sizeof *r->exponents, "the reduction"));
    size_t largest = PIECE;
    for (size_t i = 0; i < r->n_tensors; i++) {
        const size_t count = tensor_counts[i];
        r->exponents[i] = FIRST_EXPONENT;
        r->tensors[i] = (fmd_reduced_tensor){r->n_values, count, &r->exponents[i], {0}, 0};
        r->n_values += count;
        largest = count > largest ? count : largest;
    }
    r->n_elements = fmd_element_checksum(r) + 1;
    if (r->n_elements > INT32_MAX)
        return FMD_FAIL(FMD_EUSAGE, "the model has %zu parameters: more than one message holds",
                        r->n_values);
    return fmd_alloc(&r->scratch, largest, sizeof(float), "the gradient");
}

/* Collective. Memory for message and total: shared memory if any node has several ranks. */
static fmd_status make_message(fmd_reduction *r, fmd_allreduce allreduce)
{
    int most = r->comm->node_size;
    FMD_MPI(r->comm, MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, r->comm->world));
    if (allreduce == FMD_ALLREDUCE_SHARED && most > 1) {
        FMD_TRY(fmd_node_shared_create(&r->node, r->comm, r->n_elements));
        r->message = fmd_node_shared_message(r->node);
        r->total = fmd_node_shared_total(r->node);
        return FMD_OK;
    }
    fmd_status st = fmd_alloc(&r->message, r->n_elements, sizeof(uint32_t), "the gradient");
    r->total = r->message;
    return fmd_comm_agree(r->comm, st);
}

fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                fmd_allreduce allreduce, fmd_comm *comm,
                                const size_t *tensor_counts, size_t n_tensors, int n_counters)
{
    fmd_reduction *r = NULL;
    fmd_status st = fmd_alloc(&r, 1, sizeof *r, "the reduction");
    if (st == FMD_OK) {
        *r = (fmd_reduction){
            .ops = kinds[mode], .comm = comm, .n_tensors = n_tensors, .n_counters = n_counters};
        st = lay_out(r, tensor_counts);
    }
    if ((st = fmd_comm_agree(comm, st)) == FMD_OK)
        st = make_message(r, allreduce);
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
    fmd_node_shared_destroy(r->node);
    free(r->tensors);
    free(r->exponents);
    free(r->scratch);
    free(r);
}

int32_t *fmd_reduction_scales(fmd_reduction *r)
{
    return r->exponents;
}

int fmd_reduction_by_microbatch(const fmd_reduction *r)
{
    return r->ops->by_microbatch;
}

void fmd_reduction_begin_step(fmd_reduction *r, int microbatches, int mine)
{
    /* In native mode a single microbatch overwrites every value; several are added to zeros. */
    const size_t kept = !r->ops->by_microbatch && mine == 1 ? r->n_values : 0;
    r->microbatches = microbatches;
    r->mine = mine;
    memset(r->fixed + kept, 0, (r->n_elements - kept) * sizeof *r->fixed);
    if (r->ops->begin_step != NULL)
        r->ops->begin_step(r);
}

float *fmd_reduction_begin_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n)
{
    (void)n;
    return r->ops->begin_range(r, &r->tensors[tensor], offset);
}

void fmd_reduction_commit_range(fmd_reduction *r, size_t tensor, size_t offset, size_t n)
{
    r->ops->commit_range(r, &r->tensors[tensor], offset, n);
}

fmd_fixed *fmd_reduction_fixed(fmd_reduction *r, size_t tensor)
{
    return r->ops->by_microbatch ? &r->tensors[tensor].fixed : NULL;
}

fmd_reduced fmd_reduction_finish(fmd_reduction *r, int64_t *counters)
{
    const fmd_reduced outcome = r->ops->finish(r, counters);
    r->repeats += outcome == FMD_REDUCED_REPEAT;
    return outcome;
}

void fmd_reduction_apply(fmd_reduction *r, double scale, fmd_apply *apply, void *self)
{
    for (size_t i = 0; i < r->n_tensors; i++) {
        fmd_reduced_tensor *t = &r->tensors[i];
        for (size_t at = 0; at < t->count; at += PIECE) {
            const size_t n = t->count - at < PIECE ? t->count - at : PIECE;
            r->ops->values(r, t, at, n, scale, r->scratch);
            apply(self, t->offset + at, n, r->scratch);
        }
    }
    if (r->ops->rescale != NULL)
        r->ops->rescale(r);
}

bool fmd_reduction_travels(const fmd_reduction *r)
{
    return r->node != NULL ? r->comm->nodes > 1 : r->comm->size > 1;
}

static bool sum(fmd_reduction *r, fmd_element_type type)
{
    if (r->node != NULL)
        return fmd_node_shared_run(r->node, type);
    FMD_MPI(r->comm, MPI_Allreduce(MPI_IN_PLACE, r->message, (int)r->n_elements,
                                   type == FMD_ELEMENT_U32 ? MPI_UINT32_T : MPI_FLOAT, MPI_SUM,
                                   r->comm->world));
    return type != FMD_ELEMENT_FLOAT || fmd_all_finite(r->n_elements, r->floats);
}

bool fmd_reduction_sum(fmd_reduction *r, fmd_element_type type)
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
    return r->n_elements * sizeof(uint32_t);
}

int64_t fmd_reduction_repeats(const fmd_reduction *r)
{
    return r->repeats;
}
