/* Parameters shared by the ranks of a node: what a rank leaves half done, another one completes. */
#include "support/mpi_main.h"

#include "base/mem.h"
#include "dist/reduce/reduction.h"
#include "train/shard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const layers = "flatten,dense:64:relu,batch_normalization,dense:10:softmax";
static const fmd_shape image = {.rank = 2, .dim = {28, 28}};

/* A piece of one tensor, as the reduction cuts them. */
typedef struct piece {
    size_t first, n;
} piece;

typedef struct fixture {
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_shard *shard;
    piece *pieces;
    size_t n_pieces;
    float *gradient;
    uint32_t numbers[16]; /* for the other ranks, one a tensor */
    /* The moment of a death: the pass, the piece of the slice; before, in or after the change. */
    int kill_pass;
    size_t kill_piece;
    enum { NEVER, JOURNALED, HALF_CHANGED, NOT_COUNTED } kill;
    int pass;
    size_t worked;
} fixture;

static void cut(fixture *f)
{
    f->n_pieces = 0;
    for (size_t i = 0; i < fmd_model_n_tensors(f->model); i++) {
        const fmd_tensor *t = fmd_model_tensor(f->model, i);
        for (size_t at = 0; at < t->count; at += FMD_REDUCTION_PIECE) {
            const size_t left = t->count - at;
            f->pieces[f->n_pieces++] =
                (piece){t->offset + at, left < FMD_REDUCTION_PIECE ? left : FMD_REDUCTION_PIECE};
        }
    }
}

static void set_up(fixture *f, const char *optimizer, fmd_sharding sharding)
{
    const fmd_fit_args args = {.sharding = sharding};
    memset(f, 0, sizeof *f);
    assert_all_ok(fmd_model_create(&f->model, layers, image, 1));
    assert_all_ok(
        fmd_optimizer_create(&f->optimizer, optimizer, fmd_model_n_trainable_params(f->model)));
    assert_all_ok(fmd_optimizer_set_model(f->optimizer, f->model));
    const size_t n = fmd_model_n_params(f->model);
    assert_all_ok(fmd_alloc(&f->gradient, n, sizeof(float), "a gradient"));
    assert_all_ok(fmd_alloc(&f->pieces, n, sizeof *f->pieces, "pieces"));
    fmd_model_init(f->model, 1);
    cut(f);
    f->numbers[0] = 7;
    if (sharding == FMD_SHARDING_NODE)
        assert_all_ok(fmd_shard_create(&f->shard, mpi_comm, f->model, f->optimizer, &args,
                                       f->n_pieces, fmd_model_n_tensors(f->model)));
}

static void tear_down(fixture *f)
{
    fmd_shard_destroy(f->shard);
    fmd_optimizer_destroy(f->optimizer);
    fmd_model_destroy(f->model);
    free(f->gradient);
    free(f->pieces);
}

static void set_gradient(fixture *f, int step)
{
    for (size_t i = 0; i < fmd_model_n_params(f->model); i++)
        f->gradient[i] = (float)((i * 31 + (size_t)step * 17) % 101) / 100 - 0.3f;
}

static void change(fixture *f, const piece *p)
{
    const float *g = f->gradient + p->first;
    if (p->first < fmd_model_n_trainable_params(f->model))
        fmd_optimizer_part(f->optimizer, fmd_model_params(f->model), p->first, p->n, g);
    else if (fmd_optimizer_updates(f->optimizer))
        fmd_model_update_state(f->model, p->first, p->n, g);
}

/* Whether the thread dies here, as a rank would, with its lock. */
static void die_at(const fixture *f, int moment)
{
    if ((int)f->kill == moment && f->pass == f->kill_pass && f->worked == f->kill_piece)
        pthread_exit(NULL);
}

static void work(void *self, size_t first, size_t end, bool only_look)
{
    fixture *f = self;
    for (size_t i = first; i < end && !only_look; i++, f->worked++) {
        const piece *p = &f->pieces[i];
        fmd_shard_begin_piece(f->shard, p->first, p->n);
        die_at(f, JOURNALED);
        if ((int)f->kill == HALF_CHANGED && f->pass == f->kill_pass && f->worked == f->kill_piece)
            for (size_t k = 0; k < p->n / 2; k++)
                fmd_model_params(f->model)[p->first + k] = 77;
        die_at(f, HALF_CHANGED);
        change(f, p);
        die_at(f, NOT_COUNTED);
        fmd_shard_end_piece(f->shard);
    }
}

/* This rank's part of a step; it may end in the middle. */
static void *update(void *self)
{
    fixture *f = self;
    const int passes = fmd_optimizer_passes(f->optimizer);
    for (f->pass = 0; f->pass < passes; f->pass++) {
        f->worked = 0;
        fmd_shard_pass(f->shard, f->pass, work, f, f->numbers);
        if (f->kill != NEVER && f->pass == f->kill_pass)
            return NULL; /* the others cannot come further: the dead one never arrives */
        fmd_comm_node_barrier(mpi_comm);
        fmd_shard_end_pass(f->shard, f->pass);
        (void)fmd_optimizer_again(f->optimizer);
    }
    fmd_shard_end(f->shard);
    return NULL;
}

static void run_step(fixture *f, int step)
{
    pthread_t thread;
    set_gradient(f, step);
    fmd_optimizer_begin(f->optimizer, 0.01);
    fmd_shard_begin(f->shard);
    /* MPI takes calls from one thread at a time: no assertion, which is collective, beside the other. */
    const bool created = pthread_create(&thread, NULL, update, f) == 0;
    if (created)
        pthread_join(thread, NULL);
    assert_all_ranks(created);
}

/* The same steps by one rank alone. */
static fmd_hash expected(const char *optimizer, int steps, fmd_hash *slots)
{
    fixture f;
    set_up(&f, optimizer, FMD_SHARDING_NONE);
    for (int step = 0; step < steps; step++) {
        set_gradient(&f, step);
        fmd_optimizer_begin(f.optimizer, 0.01);
        do
            for (size_t i = 0; i < f.n_pieces; i++)
                change(&f, &f.pieces[i]);
        while (fmd_optimizer_again(f.optimizer));
    }
    const fmd_hash hash = fmd_model_hash(f.model);
    *slots = fmd_hash_bytes(fmd_optimizer_slot(f.optimizer, 0),
                            fmd_model_n_trainable_params(f.model) * sizeof(float));
    tear_down(&f);
    return hash;
}

static const char *const optimizers[] = {"adam", "sgd:momentum=0.9:global_clipnorm=0.5",
                                         "lamb:weight_decay=0.01", "adam:use_ema=true"};
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers, STEPS = 3 };

static int differs(const fixture *f, fmd_hash params, fmd_hash slots)
{
    const fmd_hash p = fmd_model_hash(f->model);
    const fmd_hash s = fmd_hash_bytes(fmd_optimizer_slot(f->optimizer, 0),
                                      fmd_model_n_trainable_params(f->model) * sizeof(float));
    return memcmp(&p, &params, sizeof p) != 0 || memcmp(&s, &slots, sizeof s) != 0;
}

static void test_shard__slices_make_the_bits_of_one_rank(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTIMIZERS; i++) {
        fixture f;
        fmd_hash slots;
        const fmd_hash params = expected(optimizers[i], STEPS, &slots);
        set_up(&f, optimizers[i], FMD_SHARDING_NODE);
        for (int step = 0; step < STEPS; step++)
            run_step(&f, step);
        assert_all_ranks(!differs(&f, params, slots));
        tear_down(&f);
    }
}

/* Rank `dead` dies in the last step; rank `survivor` completes it. */
static int death(const char *optimizer, int dead, int survivor, int pass, size_t at, int moment)
{
    fixture f;
    fmd_hash slots;
    bool unfinished = false, frozen = true;
    const fmd_hash params = expected(optimizer, STEPS, &slots);
    const int rank = fmd_comm_rank(mpi_comm);
    set_up(&f, optimizer, FMD_SHARDING_NODE);
    for (int step = 0; step + 1 < STEPS; step++)
        run_step(&f, step);
    f.kill_pass = pass;
    f.kill_piece = rank == dead ? at : SIZE_MAX;
    f.kill = moment;
    run_step(&f, STEPS - 1);
    fmd_comm_barrier(mpi_comm);
    if (rank == survivor) {
        frozen = fmd_shard_freeze(f.shard, &unfinished);
        f.kill = NEVER;
        for (int p = f.pass; frozen && p < fmd_optimizer_passes(f.optimizer); p++) {
            fmd_shard_pass(f.shard, p, work, &f, f.numbers);
            fmd_shard_end_pass(f.shard, p);
            (void)fmd_optimizer_again(f.optimizer);
        }
        if (frozen)
            fmd_shard_thaw(f.shard);
    }
    fmd_comm_barrier(mpi_comm);
    const int wrong = !frozen || (rank == survivor && !unfinished) || differs(&f, params, slots) ||
                      fmd_shard_largest_of(f.shard, dead)[0] != 7;
    tear_down(&f);
    return wrong;
}

static void test_shard__a_survivor_completes_a_step_that_a_dead_rank_left_half_done(void **state)
{
    (void)state;
    const int size = fmd_comm_node_size(mpi_comm);
    int wrong = 0;
    for (size_t i = 0; size > 1 && i < OPTIMIZERS; i++)
        for (int moment = JOURNALED; moment <= NOT_COUNTED; moment++)
            for (size_t at = 0; at < 4; at += 3)
                for (int pass = 0; pass < (i == 1 || i == 2 ? 2 : 1); pass++) {
                    const int dead = (int)(i + at) % size;
                    wrong += death(optimizers[i], dead, (dead + 1) % size, pass, at, moment);
                }
    assert_all_ranks(wrong == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard__slices_make_the_bits_of_one_rank),
        cmocka_unit_test(test_shard__a_survivor_completes_a_step_that_a_dead_rank_left_half_done),
    };
    return mpi_run_tests(tests);
}
