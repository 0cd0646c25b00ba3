#include "dist/reduce/reduction.h"

#include "base/mem.h"
#include "base/timer.h"
#include "dist/comm_private.h"
#include "dist/reduce/reduction_private.h"

#include <stdlib.h>
#include <string.h>

/* The first scale of a tensor covers gradient sums up to 2^10. */
enum { FIRST_EXPONENT = 10 - 31 };

static const fmd_reduction_ops *const kinds[] = {
    [FMD_REDUCE_EXACT] = &fmd_reduction_exact,
    [FMD_REDUCE_NATIVE] = &fmd_reduction_native,
};

/* Local. The message: the header, then the tensors from the start of a cache line on. */
static fmd_status lay_out(fmd_reduction *r, const size_t *tensor_counts)
{
    enum { LINE = FMD_ALIGN / 4 };
    FMD_TRY(fmd_alloc(&r->tensors, r->n_tensors, sizeof *r->tensors, "the reduction"));
    FMD_TRY(fmd_alloc(&r->exponents, r->n_tensors, sizeof *r->exponents, "the reduction"));
    FMD_TRY(fmd_alloc(&r->largest, r->n_tensors, sizeof *r->largest, "the reduction"));
    size_t largest = FMD_REDUCTION_PIECE;
    r->n_header = (fmd_element_checksum(r) + 1 + LINE - 1) / LINE * LINE;
    for (size_t i = 0; i < r->n_tensors; i++) {
        const size_t count = tensor_counts[i];
        r->exponents[i] = FIRST_EXPONENT;
        r->tensors[i] = (fmd_reduced_tensor){.offset = r->n_values,
                                             .count = count,
                                             .element = r->n_header + r->n_values,
                                             .piece = r->n_pieces,
                                             .exponent = &r->exponents[i],
                                             .largest = &r->largest[i]};
        r->n_pieces += (count + FMD_REDUCTION_PIECE - 1) / FMD_REDUCTION_PIECE;
        r->n_values += count;
        largest = count > largest ? count : largest;
    }
    r->n_elements = r->n_header + r->n_values;
    if (r->n_elements > INT32_MAX)
        return FMD_FAIL(FMD_EUSAGE, "the model has %zu parameters: more than one message holds",
                        r->n_values);
    return fmd_alloc(&r->scratch, largest, sizeof(float), "the gradient");
}

/* Local. Where the buckets of the message begin, from its end: at tensors, once a bucket has the size.
 * The tensors before the last such place and the header are the last bucket. */
static fmd_status cut_buckets(const fmd_reduction *r, size_t bucket_bytes, size_t **cuts,
                              size_t *n_buckets)
{
    FMD_TRY(fmd_alloc(cuts, r->n_tensors + 2, sizeof **cuts, "the reduction"));
    size_t n = 0;
    (*cuts)[0] = r->n_elements;
    for (size_t i = r->n_tensors; i-- > 1 && bucket_bytes > 0;)
        if (((*cuts)[n] - r->tensors[i].element) * sizeof(uint32_t) >= bucket_bytes)
            (*cuts)[++n] = r->tensors[i].element;
    (*cuts)[++n] = 0;
    *n_buckets = n;
    return FMD_OK;
}

/* Collective. Within one node there is nothing to send while ranks compute. */
static fmd_status create_summation(fmd_reduction *r, fmd_allreduce allreduce, bool in_place,
                                   size_t bucket_bytes)
{
    size_t *cuts = NULL, n_buckets = 0;
    const bool shared = allreduce == FMD_ALLREDUCE_SHARED && fmd_summation_can_share(r->comm);
    const fmd_summation_place place = !shared    ? FMD_SUMMATION_MPI
                                      : in_place ? FMD_SUMMATION_IN_PLACE
                                                 : FMD_SUMMATION_APART;
    r->in_place = place == FMD_SUMMATION_IN_PLACE;
    r->travels = shared ? r->comm->nodes > 1 : r->comm->size > 1;
    fmd_status st = cut_buckets(r, r->travels ? bucket_bytes : 0, &cuts, &n_buckets);
    if ((st = fmd_comm_agree(r->comm, st)) == FMD_OK)
        st = fmd_summation_create(&r->summation, r->comm, place, r->ops->type, cuts, n_buckets);
    free(cuts);
    if (st != FMD_OK)
        return st;
    r->message = fmd_summation_message(r->summation);
    r->total = fmd_summation_total(r->summation);
    return FMD_OK;
}

fmd_status fmd_reduction_create(fmd_reduction **out, fmd_reduction_mode mode,
                                fmd_allreduce allreduce, bool in_place, size_t bucket_bytes,
                                fmd_comm *comm, const size_t *tensor_counts, size_t n_tensors,
                                int n_counters)
{
    fmd_reduction *r = NULL;
    fmd_status st = fmd_alloc(&r, 1, sizeof *r, "the reduction");
    if (st == FMD_OK) {
        *r = (fmd_reduction){
            .ops = kinds[mode], .comm = comm, .n_tensors = n_tensors, .n_counters = n_counters};
        st = lay_out(r, tensor_counts);
    }
    if ((st = fmd_comm_agree(comm, st)) == FMD_OK)
        st = create_summation(r, allreduce, in_place, bucket_bytes);
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
    fmd_summation_destroy(r->summation);
    free(r->tensors);
    free(r->exponents);
    free(r->largest);
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
    const bool overwrites = !r->ops->by_microbatch && mine == 1;
    r->microbatches = microbatches;
    r->mine = mine;
    r->completed = r->n_elements;
    r->checksum = 0;
    memset(r->message, 0, (overwrites ? r->n_header : r->n_elements) * sizeof *r->fixed);
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
    if (outcome == FMD_REDUCED_REPEAT && r->in_place)
        fmd_comm_node_barrier(r->comm); /* all have read the total */
    r->repeats += outcome == FMD_REDUCED_REPEAT;
    return outcome;
}

size_t fmd_reduction_n_pieces(const fmd_reduction *r)
{
    return r->n_pieces;
}

void fmd_reduction_apply(fmd_reduction *r, double scale, size_t first, size_t end, fmd_apply *apply,
                         void *self)
{
    size_t i = 0;
    for (size_t piece = first; piece < end; piece++) {
        while (i + 1 < r->n_tensors && piece >= r->tensors[i + 1].piece)
            i++;
        fmd_reduced_tensor *t = &r->tensors[i];
        const size_t at = (piece - t->piece) * FMD_REDUCTION_PIECE, left = t->count - at;
        const size_t n = left < FMD_REDUCTION_PIECE ? left : FMD_REDUCTION_PIECE;
        r->ops->values(r, t, at, n, scale, r->scratch);
        apply(self, t->offset + at, n, r->scratch);
    }
}

const uint32_t *fmd_reduction_largest(const fmd_reduction *r)
{
    return r->largest;
}

void fmd_reduction_merge_largest(fmd_reduction *r, const uint32_t *largest)
{
    for (size_t i = 0; i < r->n_tensors; i++)
        r->largest[i] = largest[i] > r->largest[i] ? largest[i] : r->largest[i];
}

void fmd_reduction_next_scales(const fmd_reduction *r, int32_t *scales)
{
    if (r->ops->next_scales != NULL)
        r->ops->next_scales(r, scales);
    else
        memmove(scales, r->exponents, r->n_tensors * sizeof *scales);
}

void fmd_reduction_rescale(fmd_reduction *r)
{
    fmd_reduction_next_scales(r, r->exponents);
}

void fmd_reduction_complete(fmd_reduction *r, size_t tensor)
{
    const size_t first = r->tensors[tensor].element;
    if (!r->travels || first >= r->completed)
        return;
    const double start = r->seconds != NULL ? fmd_now() : 0;
    if (r->ops->complete != NULL)
        r->ops->complete(r, first);
    r->completed = first;
    fmd_summation_complete(r->summation, first);
    if (r->seconds != NULL)
        r->seconds->progress += fmd_now() - start;
}

bool fmd_reduction_sum(fmd_reduction *r)
{
    if (r->seconds == NULL)
        return fmd_summation_finish(r->summation);
    const double start = fmd_now();
    const bool finite = fmd_summation_finish(r->summation);
    r->seconds->sum += fmd_now() - start;
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
