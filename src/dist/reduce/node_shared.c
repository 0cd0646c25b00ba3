#include "dist/reduce/node_shared.h"

#include "base/mem.h"
#include "base/simd.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Elements per cache line, and elements per addition: a piece stays in the L1 cache. */
enum { LINE = FMD_ALIGN / 4, PIECE = 2048 };

struct fmd_node_shared {
    fmd_comm *comm;
    MPI_Comm peers; /* one rank of each node, with the same slice; MPI_COMM_NULL: no slice */
    MPI_Win window;
    size_t n_elements, first, count; /* the message; this rank's slice */
    void **message;                  /* of each rank of the node */
    void *total;
    uint32_t *bad; /* for each rank of the node: its slice has a value that is not finite */
};

/* Every node has the same number of slices, so that MPI can sum slice by slice over the nodes. */
static void cut(fmd_node_shared *s)
{
    fmd_comm *c = s->comm;
    int slices = c->node_size;
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &slices, 1, MPI_INT, MPI_MIN, c->world));
    const bool mine = c->node_rank < slices;
    FMD_MPI(c, MPI_Comm_split(c->world, mine ? c->node_rank : MPI_UNDEFINED, c->rank, &s->peers));
    if (!mine)
        return;
    const size_t lines = (s->n_elements + LINE - 1) / LINE, n = (size_t)slices;
    const size_t begin = (size_t)c->node_rank * lines / n * LINE;
    size_t end = ((size_t)c->node_rank + 1) * lines / n * LINE;
    end = end < s->n_elements ? end : s->n_elements;
    s->first = begin;
    s->count = end - begin;
}

/* MPI does not align a rank's part of the window. */
static void *next_aligned(void *at)
{
    return (char *)at + (FMD_ALIGN - (uintptr_t)at % FMD_ALIGN) % FMD_ALIGN;
}

fmd_status fmd_node_shared_create(fmd_node_shared **out, fmd_comm *c, size_t n_elements)
{
    fmd_node_shared *s = NULL;
    fmd_status st = fmd_alloc(&s, 1, sizeof *s, "the reduction");
    if (st == FMD_OK) {
        *s = (fmd_node_shared){
            .comm = c, .peers = MPI_COMM_NULL, .window = MPI_WIN_NULL, .n_elements = n_elements};
        st = fmd_alloc(&s->message, (size_t)c->node_size, sizeof *s->message, "the reduction");
    }
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        goto out;
    /* Each rank touches the pages of its own message first. Rank 0 of the node also holds the total
     * and the flags. */
    const size_t bytes = (n_elements * 4 + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    const size_t flags = (size_t)c->node_size * sizeof *s->bad;
    st =
        fmd_comm_window(c, FMD_ALIGN + (c->node_rank == 0 ? 2 * bytes + flags : bytes), &s->window);
    if (st != FMD_OK)
        goto out;
    for (int i = 0; i < c->node_size; i++) {
        MPI_Aint size;
        int unit;
        FMD_MPI(c, MPI_Win_shared_query(s->window, i, &size, &unit, &s->message[i]));
        s->message[i] = next_aligned(s->message[i]);
    }
    s->total = (char *)s->message[0] + bytes;
    s->bad = (uint32_t *)((char *)s->total + bytes);
    cut(s);
    *out = s;
    s = NULL;
out:
    fmd_node_shared_destroy(s);
    return st;
}

void fmd_node_shared_destroy(fmd_node_shared *s)
{
    if (s == NULL)
        return;
    if (s->window != MPI_WIN_NULL)
        MPI_Win_free(&s->window);
    if (s->peers != MPI_COMM_NULL)
        MPI_Comm_free(&s->peers);
    free(s->message);
    free(s);
}

void *fmd_node_shared_message(fmd_node_shared *s)
{
    return s->message[s->comm->node_rank];
}

const void *fmd_node_shared_total(const fmd_node_shared *s)
{
    return s->total;
}

/* total += x. */
FMD_SIMD static void add_u32(size_t n, const uint32_t *restrict x, uint32_t *restrict total)
{
    for (size_t i = 0; i < n; i++)
        total[i] += x[i];
}

FMD_SIMD static void add_float(size_t n, const float *restrict x, float *restrict total)
{
    for (size_t i = 0; i < n; i++)
        total[i] += x[i];
}

/* Adds this rank's slice of all messages of the node, piece by piece, in rank order. */
static void add_slice(const fmd_node_shared *s, fmd_element_type type)
{
    for (size_t at = s->first; at < s->first + s->count; at += PIECE) {
        const size_t left = s->first + s->count - at, n = left < PIECE ? left : PIECE;
        memcpy((uint32_t *)s->total + at, (uint32_t *)s->message[0] + at, n * 4);
        for (int i = 1; i < s->comm->node_size; i++)
            if (type == FMD_ELEMENT_U32)
                add_u32(n, (uint32_t *)s->message[i] + at, (uint32_t *)s->total + at);
            else
                add_float(n, (float *)s->message[i] + at, (float *)s->total + at);
    }
}

/* A barrier over the node; afterwards every rank sees the writes of the others. */
static void meet(fmd_node_shared *s)
{
    atomic_thread_fence(memory_order_seq_cst);
    fmd_comm_await(s->comm, s->comm->node);
    atomic_thread_fence(memory_order_seq_cst);
}

/* x - x is 0 if and only if x is finite. */
FMD_SIMD bool fmd_all_finite(size_t n, const float *x)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += !(x[i] - x[i] == 0);
    return bad == 0;
}

bool fmd_node_shared_run(fmd_node_shared *s, fmd_element_type type)
{
    fmd_comm *c = s->comm;
    meet(s);
    add_slice(s, type);
    if (c->nodes > 1 && s->peers != MPI_COMM_NULL)
        FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, (uint32_t *)s->total + s->first, (int)s->count,
                                 type == FMD_ELEMENT_U32 ? MPI_UINT32_T : MPI_FLOAT, MPI_SUM,
                                 s->peers));
    if (type == FMD_ELEMENT_FLOAT)
        s->bad[c->node_rank] = !fmd_all_finite(s->count, (float *)s->total + s->first);
    meet(s);
    bool finite = true;
    for (int i = 0; type == FMD_ELEMENT_FLOAT && i < c->node_size; i++)
        finite = finite && s->bad[i] == 0;
    return finite;
}
