#include "dist/reduce/summation.h"

#include "base/mem.h"
#include "base/simd.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Elements per cache line, and elements per addition: a piece stays in the L1 cache. */
enum { LINE = FMD_ALIGN / 4, PIECE = 2048 };

typedef struct slice {
    size_t first, count; /* elements */
} slice;

/* A rank's announcements to the others of its node, on a cache line of its own. */
typedef struct notice {
    _Alignas(FMD_ALIGN) _Atomic uint64_t completed; /* buckets since create */
    uint32_t not_finite;                            /* its slices of the total have such a value */
} notice;

struct fmd_summation {
    fmd_comm *comm;
    fmd_element_type type;
    MPI_Comm peers; /* the ranks that sum the same slices over the nodes; MPI_COMM_NULL: no slice */
    int n_peers;
    MPI_Win window;            /* MPI_WIN_NULL: MPI sums over all ranks */
    int parts, part;           /* messages that are summed in shared memory, and this rank's */
    void **message;            /* of each part */
    void *total;               /* the message itself without shared memory */
    notice *notices;           /* of each part */
    size_t n_buckets, *cuts;   /* as in fmd_summation_create */
    slice *slices;             /* of this rank, in each bucket */
    MPI_Request *requests;     /* of each bucket */
    size_t completed, started; /* buckets of this message */
    uint64_t before;           /* buckets of earlier messages */
};

bool fmd_summation_can_share(fmd_comm *c)
{
    int most = c->node_size;
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, c->world));
    return most > 1;
}

/* MPI does not align a rank's part of the window. */
static void *next_aligned(void *at)
{
    return (char *)at + (FMD_ALIGN - (uintptr_t)at % FMD_ALIGN) % FMD_ALIGN;
}

/* Collective. Messages and total in the shared memory of the node. Each rank touches the pages of its
 * own message first; rank 0 of the node also holds the notices and the total. */
static fmd_status share_messages(fmd_summation *s, bool apart)
{
    fmd_comm *c = s->comm;
    const size_t bytes = (s->cuts[0] * 4 + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    const size_t notices = (size_t)c->node_size * sizeof *s->notices;
    FMD_TRY(fmd_comm_window(
        c, FMD_ALIGN + (c->node_rank == 0 ? (apart ? 2 : 1) * bytes + notices : bytes),
        &s->window));
    for (int i = 0; i < c->node_size; i++) {
        MPI_Aint size;
        int unit;
        FMD_MPI(c, MPI_Win_shared_query(s->window, i, &size, &unit, &s->message[i]));
        s->message[i] = next_aligned(s->message[i]);
    }
    s->parts = c->node_size;
    s->part = c->node_rank;
    s->total = apart ? (char *)s->message[0] + bytes : s->message[0];
    s->notices = (notice *)((char *)s->total + bytes);
    s->notices[s->part] = (notice){0};
    MPI_Barrier(c->node);
    return FMD_OK;
}

static fmd_status own_message(fmd_summation *s)
{
    FMD_TRY(fmd_alloc(&s->message[0], s->cuts[0], 4, "the gradient"));
    FMD_TRY(fmd_alloc(&s->notices, 1, sizeof *s->notices, "the reduction"));
    s->parts = 1;
    s->total = s->message[0];
    return FMD_OK;
}

/* Collective. Every node has the same number of slices, so that MPI can sum slice by slice. */
static void cut_slices(fmd_summation *s)
{
    fmd_comm *c = s->comm;
    int slices = s->parts;
    FMD_MPI(c, MPI_Allreduce(MPI_IN_PLACE, &slices, 1, MPI_INT, MPI_MIN, c->world));
    const bool mine = s->part < slices;
    FMD_MPI(c, MPI_Comm_split(c->world, mine ? s->part : MPI_UNDEFINED, c->rank, &s->peers));
    if (!mine)
        return;
    FMD_MPI(c, MPI_Comm_size(s->peers, &s->n_peers));
    const size_t part = (size_t)s->part, n = (size_t)slices;
    for (size_t i = 0; i < s->n_buckets; i++) {
        const size_t first = s->cuts[i + 1], count = s->cuts[i] - first;
        const size_t lines = (count + LINE - 1) / LINE;
        const size_t begin = part * lines / n * LINE, end = (part + 1) * lines / n * LINE;
        s->slices[i] = (slice){first + begin, (end < count ? end : count) - begin};
    }
}

/* Local. */
static fmd_status allocate(fmd_summation **out, fmd_comm *c, fmd_element_type type,
                           const size_t *cuts, size_t n_buckets)
{
    fmd_summation *s;
    FMD_TRY(fmd_alloc(out, 1, sizeof *s, "the reduction"));
    s = *out;
    *s = (fmd_summation){.comm = c,
                         .type = type,
                         .peers = MPI_COMM_NULL,
                         .window = MPI_WIN_NULL,
                         .n_buckets = n_buckets};
    FMD_TRY(fmd_alloc(&s->message, (size_t)c->node_size, sizeof *s->message, "the reduction"));
    FMD_TRY(fmd_alloc(&s->cuts, n_buckets + 1, sizeof *s->cuts, "the reduction"));
    FMD_TRY(fmd_alloc(&s->slices, n_buckets, sizeof *s->slices, "the reduction"));
    FMD_TRY(fmd_alloc(&s->requests, n_buckets, sizeof(MPI_Request), "the reduction"));
    memcpy(s->cuts, cuts, (n_buckets + 1) * sizeof *s->cuts);
    for (size_t i = 0; i < n_buckets; i++)
        s->requests[i] = MPI_REQUEST_NULL;
    return FMD_OK;
}

fmd_status fmd_summation_create(fmd_summation **out, fmd_comm *c, fmd_summation_place place,
                                fmd_element_type type, const size_t *cuts, size_t n_buckets)
{
    fmd_summation *s = NULL;
    fmd_status st = fmd_comm_agree(c, allocate(&s, c, type, cuts, n_buckets));
    if (st == FMD_OK)
        st = place != FMD_SUMMATION_MPI ? share_messages(s, place == FMD_SUMMATION_APART)
                                        : fmd_comm_agree(c, own_message(s));
    if (st != FMD_OK) {
        fmd_summation_destroy(s);
        return st;
    }
    cut_slices(s);
    *out = s;
    return FMD_OK;
}

void fmd_summation_destroy(fmd_summation *s)
{
    if (s == NULL)
        return;
    if (s->window != MPI_WIN_NULL) {
        MPI_Win_free(&s->window);
    } else {
        if (s->message != NULL)
            free(s->message[0]);
        free(s->notices);
    }
    if (s->peers != MPI_COMM_NULL)
        MPI_Comm_free(&s->peers);
    free(s->message);
    free(s->cuts);
    free(s->slices);
    free(s->requests);
    free(s);
}

void *fmd_summation_message(fmd_summation *s)
{
    return s->message[s->part];
}

const void *fmd_summation_total(const fmd_summation *s)
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

/* Adds a slice of all messages of the node, piece by piece, in rank order. */
static void add_slice(const fmd_summation *s, slice part)
{
    for (size_t at = part.first; at < part.first + part.count; at += PIECE) {
        const size_t left = part.first + part.count - at, n = left < PIECE ? left : PIECE;
        if (s->total != s->message[0])
            memcpy((uint32_t *)s->total + at, (uint32_t *)s->message[0] + at, n * 4);
        for (int i = 1; i < s->parts; i++)
            if (s->type == FMD_ELEMENT_U32)
                add_u32(n, (uint32_t *)s->message[i] + at, (uint32_t *)s->total + at);
            else
                add_float(n, (float *)s->message[i] + at, (float *)s->total + at);
    }
}

/* Whether all ranks of the node have completed this bucket. */
static bool complete_on_node(const fmd_summation *s, size_t bucket)
{
    for (int i = 0; i < s->parts; i++)
        if (atomic_load_explicit(&s->notices[i].completed, memory_order_acquire) <=
            s->before + bucket)
            return false;
    return true;
}

/* Starts the sum of the next bucket. Nothing is left to compute meanwhile for the last one, so it
 * may block: MPI's own algorithms are faster then. */
static void start(fmd_summation *s)
{
    const size_t bucket = s->started++;
    const slice mine = s->slices[bucket];
    if (s->peers == MPI_COMM_NULL)
        return;
    if (s->parts > 1 || s->total != s->message[0])
        add_slice(s, mine);
    if (s->n_peers == 1)
        return;
    MPI_Datatype type = s->type == FMD_ELEMENT_U32 ? MPI_UINT32_T : MPI_FLOAT;
    uint32_t *total = (uint32_t *)s->total + mine.first;
    if (s->started == s->n_buckets)
        FMD_MPI(s->comm,
                MPI_Allreduce(MPI_IN_PLACE, total, (int)mine.count, type, MPI_SUM, s->peers));
    else
        FMD_MPI(s->comm, MPI_Iallreduce(MPI_IN_PLACE, total, (int)mine.count, type, MPI_SUM,
                                        s->peers, &s->requests[bucket]));
}

/* Starts sums that may start, and lets MPI progress those under way. True if all have arrived. */
static bool advance(fmd_summation *s)
{
    int arrived = 1;
    while (s->started < s->completed && complete_on_node(s, s->started))
        start(s);
    if (s->started > 0)
        FMD_MPI(s->comm, MPI_Testall((int)s->started, s->requests, &arrived, MPI_STATUSES_IGNORE));
    return arrived && s->started == s->n_buckets;
}

static void announce(fmd_summation *s, size_t completed)
{
    s->completed = completed;
    atomic_store_explicit(&s->notices[s->part].completed, s->before + completed,
                          memory_order_release);
}

void fmd_summation_complete(fmd_summation *s, size_t first)
{
    size_t completed = s->completed;
    /* The last bucket belongs to finish. */
    while (completed + 1 < s->n_buckets && s->cuts[completed + 1] >= first)
        completed++;
    if (completed > s->completed)
        announce(s, completed);
    (void)advance(s);
}

/* x - x is 0 if and only if x is finite. */
FMD_SIMD static bool all_finite(size_t n, const float *x)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += !(x[i] - x[i] == 0);
    return bad == 0;
}

/* Whether this rank's slices of the total have a value that is not finite. */
static bool not_finite(const fmd_summation *s)
{
    bool finite = true;
    for (size_t i = 0; s->type == FMD_ELEMENT_FLOAT && i < s->n_buckets; i++)
        finite = finite && all_finite(s->slices[i].count, (float *)s->total + s->slices[i].first);
    return !finite;
}

/* A barrier over the node; afterwards every rank sees the writes of the others. */
static void meet(fmd_summation *s)
{
    if (s->parts > 1)
        fmd_comm_node_barrier(s->comm);
}

bool fmd_summation_finish(fmd_summation *s)
{
    const struct timespec nap = {.tv_nsec = 20000};
    bool finite = true;
    announce(s, s->n_buckets);
    if (s->window == MPI_WIN_NULL)
        fmd_comm_await_all(s->comm);
    while (!advance(s))
        if (s->comm->crowded)
            nanosleep(&nap, NULL);
        else
            sched_yield();
    s->notices[s->part].not_finite = not_finite(s);
    meet(s);
    for (int i = 0; i < s->parts; i++)
        finite = finite && !s->notices[i].not_finite;
    s->before += s->n_buckets;
    s->completed = s->started = 0;
    return finite;
}
