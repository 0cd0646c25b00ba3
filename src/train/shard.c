#include "train/shard.h"

#include "base/mem.h"
#include "data/sampler.h"
#include "nn/regularizer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A position in the training: step, pass of the step, piece of the slice. */
enum { PIECE_BITS = 22, PASS_BITS = 2 };

enum { KEPT = 4, MEASURING_PASSES = 2 };

/* What a rank shows to the others. */
typedef struct lane {
    _Alignas(FMD_ALIGN) pthread_mutex_t lock; /* held while its slice changes */
    _Atomic uint64_t done;                    /* the pieces before this position are complete */
    _Atomic uint64_t journaled;               /* the piece in the journal */
    size_t first, n;                          /* its values */
} lane;

/* Of a piece in a pass that measures norms. Each pass has its own, since one rank may be in the next pass
 * while another still reads those of the pass before. */
typedef struct squares {
    double sums[2];
    size_t first; /* its first value */
} squares;

struct fmd_shard {
    fmd_comm *comm;
    fmd_model *model;
    fmd_optimizer *optimizer;
    int ranks, rank; /* of the node */
    size_t n_pieces, n_params, n_slots;
    float *arrays[1 + 1 + FMD_OPTIMIZER_SLOTS]; /* parameters, slots */
    float *own[1 + 1 + FMD_OPTIMIZER_SLOTS];    /* this rank's, unused meanwhile */
    fmd_kept_weights *kept[KEPT];
    float *own_kept[KEPT];
    size_t n_kept;
    char *memory; /* shared: lanes, then the arrays below */
    char *journals;
    uint32_t *largest;
    squares *squares;
    size_t journal_bytes, largest_count, n_tensors;
    uint64_t step; /* begun by this rank */
    bool updating; /* and not complete */
    bool frozen;
    int at; /* the rank whose slice is in work */
};

bool fmd_shard_pays(fmd_sharding sharding, int ranks, size_t params)
{
    return ranks > 1 && (sharding == FMD_SHARDING_NODE ||
                         (sharding == FMD_SHARDING_AUTO && params >= FMD_SHARD_PARAMS));
}

static size_t lines(size_t bytes)
{
    return (bytes + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
}

static lane *lane_of(const fmd_shard *s, int i)
{
    return (lane *)s->memory + i;
}

static fmd_range slice(const fmd_shard *s, int i)
{
    return fmd_share(s->n_pieces, i, s->ranks);
}

/* Values of an array: slots have none for the states of the model. */
static size_t count_of(const fmd_shard *s, size_t array)
{
    return array == 0 ? s->n_params : fmd_model_n_trainable_params(s->model);
}

static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(lock, &kind);
    pthread_mutexattr_destroy(&kind);
}

/* Gives the pages of a rank's own array back to the system; it reads as zeros from now on. */
static void drop(float *array, size_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)array;
    const uintptr_t first = (at + page - 1) / page * page;
    const uintptr_t end = (at + n * sizeof *array) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_DONTNEED);
}

/* Node rank 0 fills the shared arrays; all have the same values. */
static void move_in(fmd_shard *s, float *place)
{
    const bool fills = s->rank == 0;
    for (size_t i = 0; i <= s->n_slots; i++) {
        const size_t n = count_of(s, i);
        s->arrays[i] = place;
        s->own[i] = i == 0 ? fmd_model_swap_params(s->model, place)
                           : fmd_optimizer_swap_slot(s->optimizer, i - 1, place);
        if (fills)
            memcpy(place, s->own[i], n * sizeof *place);
        drop(s->own[i], n);
        place += lines(n * sizeof *place) / sizeof *place;
    }
    for (size_t i = 0; i < s->n_kept; i++) {
        s->own_kept[i] = s->kept[i]->params;
        s->kept[i]->params = place;
        s->kept[i]->by_other = !fills;
        if (fills)
            memcpy(place, s->own_kept[i], s->n_params * sizeof *place);
        drop(s->own_kept[i], s->n_params);
        place += lines(s->n_params * sizeof *place) / sizeof *place;
    }
}

/* Collective. */
static fmd_status share(fmd_shard *s, size_t n_tensors)
{
    void *memory;
    const size_t n = (size_t)s->ranks;
    const size_t lanes = n * sizeof(lane),
                 squares_bytes = lines(MEASURING_PASSES * s->n_pieces * sizeof(squares));
    s->journal_bytes = (1 + s->n_slots) * FMD_REDUCTION_PIECE * sizeof(float);
    s->n_tensors = n_tensors;
    s->largest_count = lines(n_tensors * sizeof(uint32_t)) / sizeof(uint32_t);
    size_t bytes =
        lanes + n * s->journal_bytes + n * s->largest_count * sizeof(uint32_t) + squares_bytes;
    const size_t head = bytes;
    for (size_t i = 0; i <= s->n_slots; i++)
        bytes += lines(count_of(s, i) * sizeof(float));
    bytes += s->n_kept * lines(s->n_params * sizeof(float));
    FMD_TRY(fmd_comm_shared(s->comm, bytes + FMD_ALIGN, &memory));
    s->memory = (char *)memory + (FMD_ALIGN - (uintptr_t)memory % FMD_ALIGN) % FMD_ALIGN;
    s->journals = s->memory + lanes;
    s->largest = (uint32_t *)(s->journals + n * s->journal_bytes);
    s->squares = (squares *)(s->largest + n * s->largest_count);
    lane *mine = lane_of(s, s->rank);
    init_lock(&mine->lock);
    mine->done = 0;
    mine->journaled = UINT64_MAX;
    move_in(s, (float *)(s->memory + head));
    fmd_comm_barrier(s->comm);
    return FMD_OK;
}

static void find_kept(fmd_shard *s, const fmd_fit_args *args)
{
    for (int i = 0; i < args->n_callbacks && s->n_kept < KEPT; i++) {
        fmd_callback *c = args->callbacks[i];
        fmd_kept_weights *kept = c->ops->kept != NULL ? c->ops->kept(c) : NULL;
        if (kept != NULL && kept->params != NULL)
            s->kept[s->n_kept++] = kept;
    }
}

fmd_status fmd_shard_decide(bool *shares, fmd_comm *c, const fmd_model *m, fmd_sharding sharding)
{
    double most = fmd_comm_node_size(c);
    fmd_comm_max(c, &most, 1);
    *shares = fmd_shard_pays(sharding, (int)most, fmd_model_n_params(m));
    if (*shares && fmd_regularizer_constrains(m) && sharding == FMD_SHARDING_NODE)
        return FMD_FAIL(FMD_EUSAGE, "--sharding node: not for layers with max_norm, which changes "
                                    "whole columns of weights: give --sharding none");
    *shares = *shares && !fmd_regularizer_constrains(m);
    return FMD_OK;
}

fmd_status fmd_shard_create(fmd_shard **out, fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                            const fmd_fit_args *args, size_t n_pieces, size_t n_tensors)
{
    fmd_shard *s;
    FMD_TRY(fmd_comm_agree(c, fmd_alloc(&s, 1, sizeof *s, "the shared parameters")));
    *s = (fmd_shard){.comm = c,
                     .model = m,
                     .optimizer = o,
                     .ranks = fmd_comm_node_size(c),
                     .rank = fmd_comm_node_rank(c),
                     .n_pieces = n_pieces,
                     .n_params = fmd_model_n_params(m),
                     .n_slots = fmd_optimizer_n_slots(o)};
    find_kept(s, args);
    const fmd_status st = share(s, n_tensors);
    if (st == FMD_OK)
        *out = s;
    else
        free(s);
    return st;
}

void fmd_shard_destroy(fmd_shard *s)
{
    if (s == NULL)
        return;
    memcpy(s->own[0], s->arrays[0], s->n_params * sizeof(float));
    (void)fmd_model_swap_params(s->model, s->own[0]);
    for (size_t i = 1; i <= s->n_slots; i++)
        (void)fmd_optimizer_swap_slot(s->optimizer, i - 1, s->own[i]);
    for (size_t i = 0; i < s->n_kept; i++) {
        s->kept[i]->params = s->own_kept[i];
        s->kept[i]->by_other = false;
    }
    fmd_comm_unshare(s->comm);
    free(s);
}

static uint64_t position(uint64_t step, int pass)
{
    return (step << PASS_BITS | (uint64_t)pass) << PIECE_BITS;
}

void fmd_shard_begin(fmd_shard *s)
{
    s->step++;
    s->updating = true;
}

void fmd_shard_end(fmd_shard *s)
{
    s->updating = false;
}

/* Locks a slice; its owner may be dead. */
static bool lock_until(lane *l, const struct timespec *limit)
{
    const int error =
        limit == NULL ? pthread_mutex_lock(&l->lock) : pthread_mutex_timedlock(&l->lock, limit);
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(&l->lock);
    return error == 0 || error == EOWNERDEAD;
}

static float *journal_of(const fmd_shard *s, int i, size_t array)
{
    return (float *)(s->journals + (size_t)i * s->journal_bytes) + array * FMD_REDUCTION_PIECE;
}

/* The values of a piece in one of the arrays. */
static size_t count_in(const fmd_shard *s, size_t array, size_t first, size_t n)
{
    const size_t all = count_of(s, array);
    return first >= all ? 0 : first + n <= all ? n : all - first;
}

/* Undoes a half-made change. */
static void restore(fmd_shard *s, int i)
{
    const lane *l = lane_of(s, i);
    for (size_t k = 0; k <= s->n_slots; k++)
        memcpy(s->arrays[k] + l->first, journal_of(s, i, k),
               count_in(s, k, l->first, l->n) * sizeof(float));
}

/* The caller holds the lock of the slice. The position behind the last piece means that the numbers
 * are there too: from then on the gradients may be gone. */
static void complete(fmd_shard *s, int pass, int i, fmd_shard_work *work, void *self,
                     const uint32_t *largest)
{
    lane *l = lane_of(s, i);
    const fmd_range mine = slice(s, i);
    const uint64_t base = position(s->step, pass);
    if (l->done < base)
        l->done = base;
    const uint64_t done = l->done - base;
    if (done > mine.count)
        return;
    const size_t begun = mine.first + (size_t)done;
    if (l->journaled == l->done)
        restore(s, i);
    s->at = i;
    if (begun > mine.first)
        work(self, mine.first, begun, true);
    work(self, begun, mine.first + mine.count, false);
    memcpy(s->largest + (size_t)i * s->largest_count, largest, s->n_tensors * sizeof *largest);
    atomic_store_explicit(&l->done, base + mine.count + 1, memory_order_release);
}

void fmd_shard_pass(fmd_shard *s, int pass, fmd_shard_work *work, void *self,
                    const uint32_t *largest)
{
    lane *mine = lane_of(s, s->rank);
    for (int i = 0; s->frozen && i < s->ranks; i++)
        complete(s, pass, i, work, self, largest);
    if (s->frozen)
        return;
    (void)lock_until(mine, NULL);
    complete(s, pass, s->rank, work, self, largest);
    pthread_mutex_unlock(&mine->lock);
}

void fmd_shard_begin_piece(fmd_shard *s, size_t first, size_t n)
{
    lane *l = lane_of(s, s->at);
    l->first = first;
    l->n = n;
    for (size_t k = 0; k <= s->n_slots; k++)
        memcpy(journal_of(s, s->at, k), s->arrays[k] + first,
               count_in(s, k, first, n) * sizeof(float));
    atomic_store_explicit(&l->journaled, l->done, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); /* the journal is valid before the piece changes */
}

void fmd_shard_end_piece(fmd_shard *s)
{
    lane *l = lane_of(s, s->at);
    const uint64_t done = l->done;
    if (!fmd_optimizer_updates(s->optimizer)) {
        const size_t piece = slice(s, s->at).first + (size_t)(done & ((1u << PIECE_BITS) - 1));
        const size_t pass = (size_t)(done >> PIECE_BITS) & ((1u << PASS_BITS) - 1);
        squares *q = &s->squares[pass * s->n_pieces + piece];
        q->first = l->first;
        fmd_optimizer_take_squares(s->optimizer, l->first, q->sums);
    }
    atomic_store_explicit(&l->done, done + 1, memory_order_release);
}

void fmd_shard_end_pass(fmd_shard *s, int pass)
{
    if (fmd_optimizer_updates(s->optimizer))
        return;
    const squares *q = s->squares + (size_t)pass * s->n_pieces;
    for (size_t i = 0; i < s->n_pieces; i++)
        fmd_optimizer_add_squares(s->optimizer, q[i].first, q[i].sums);
}

const uint32_t *fmd_shard_largest_of(const fmd_shard *s, int i)
{
    return s->largest + (size_t)i * s->largest_count;
}

static void unlock(fmd_shard *s, int n)
{
    for (int i = 0; i < n; i++)
        pthread_mutex_unlock(&lane_of(s, i)->lock);
}

bool fmd_shard_freeze(fmd_shard *s, bool *unfinished)
{
    struct timespec limit;
    bool ahead = false;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 300000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    for (int i = 0; i < s->ranks; i++)
        if (!lock_until(lane_of(s, i), &limit)) {
            unlock(s, i);
            return false;
        }
    for (int i = 0; i < s->ranks; i++)
        ahead = ahead || lane_of(s, i)->done >= position(s->step + 1, 0);
    if (ahead)
        unlock(s, s->ranks);
    s->frozen = !ahead;
    *unfinished = s->updating;
    return !ahead;
}

void fmd_shard_thaw(fmd_shard *s)
{
    s->frozen = false;
    unlock(s, s->ranks);
}
