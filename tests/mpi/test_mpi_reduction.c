/* Sums of gradients over microbatches and ranks, compared with the same sums on one process. */
#include "support/mpi_main.h"
#include "support/pretend_nodes.h"
#include "support/serial_sum.h"

#include "base/rng.h"
#include "data/sampler.h"
#include "dist/reduce/choice.h"
#include "dist/reduce/reduction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MICROBATCHES = 8, TENSORS = 3, VALUES = 37 + 5 + 113, COUNTERS = 3, PANEL = 16 };

static const size_t counts[TENSORS] = {37, 5, 113};
static const size_t offsets[TENSORS] = {0, 37, 42};

/* The gradients of the microbatches of a batch, tensor after tensor. */
typedef struct batch {
    int n;
    float microbatch[MICROBATCHES][VALUES];
} batch;

/* Assignment of microbatches to ranks, and the order of additions on a rank. */
typedef struct assignment {
    int owner[MICROBATCHES];
    bool backwards;
} assignment;

static int rank_of(void)
{
    return fmd_comm_rank(mpi_comm);
}

static int size_of(void)
{
    return fmd_comm_size(mpi_comm);
}

/* Uniform in (-1, 1) times the tensor's magnitude. */
static batch random_batch(uint64_t seed, const double magnitude[TENSORS])
{
    batch b = {.n = MICROBATCHES};
    for (uint32_t microbatch = 0; microbatch < MICROBATCHES; microbatch++)
        for (uint32_t s = 0; s < TENSORS; s++)
            for (size_t i = 0; i < counts[s]; i++) {
                const fmd_rng rng = {
                    .seed = seed, .purpose = FMD_RNG_INIT, .stream = s, .time = microbatch};
                uint32_t x[4];
                fmd_rng_block(&rng, i, x);
                b.microbatch[microbatch][offsets[s] + i] =
                    (float)(magnitude[s] * (2 * (double)fmd_rng_unit(x[0]) - 1));
            }
    return b;
}

static const double magnitudes[TENSORS] = {1e-6, 1e3, 1};

/* As the trainer does it: contiguous runs. */
static assignment contiguous(int microbatches)
{
    assignment a = {.backwards = false};
    for (int r = 0; r < size_of(); r++) {
        const fmd_range run = fmd_share((size_t)microbatches, r, size_of());
        for (size_t i = run.first; i < run.first + run.count; i++)
            a.owner[i] = r;
    }
    return a;
}

/* Round robin over the ranks; each rank adds its last microbatch first. */
static assignment scattered(int microbatches)
{
    assignment a = {.backwards = true};
    for (int i = 0; i < microbatches; i++)
        a.owner[i] = (i * 3 + 1) % size_of();
    return a;
}

static assignment all_on_one(int rank)
{
    assignment a = {.backwards = false};
    for (int i = 0; i < MICROBATCHES; i++)
        a.owner[i] = rank;
    return a;
}

/* The owner of the last microbatch: the place for a fault that only one rank sees. */
static int culprit(const batch *b, const assignment *a)
{
    return a->owner[b->n - 1];
}

/* This file is built three times: for `shared` on one node, for `shared` on nodes of two ranks, and for
 * `mpi`. The last two send a bucket for each tensor. */
#ifndef ALLREDUCE
#define ALLREDUCE FMD_ALLREDUCE_SHARED
#endif
#ifndef RANKS_PER_NODE
#define RANKS_PER_NODE 0
#endif
enum { BUCKET_BYTES = 16 };

static fmd_reduction *create(fmd_reduction_mode mode, int n_counters)
{
    static fmd_comm nodes;
    fmd_comm *c = mpi_comm;
    fmd_reduction *r = NULL;
    if (RANKS_PER_NODE > 0) {
        if (nodes.size == 0)
            nodes = pretend_nodes(mpi_comm, RANKS_PER_NODE);
        c = &nodes;
    }
    assert_all_ok(fmd_reduction_create(&r, mode, ALLREDUCE, false, BUCKET_BYTES, c, counts, TENSORS,
                                       n_counters));
    return r;
}

/* Values arrive in order, each exactly once. */
typedef struct taken {
    float *sums;
    size_t n;
} taken;

static void take(void *self, size_t first, size_t n, const float *values)
{
    taken *t = self;
    assert_int_equal(first, t->n);
    memcpy(t->sums + first, values, n * sizeof *values);
    t->n += n;
}

/* Collective. `sums` receives all of them times `scale`, if there are any. */
static fmd_reduced finish(fmd_reduction *r, int64_t *counters, double scale, float *sums)
{
    const fmd_reduced outcome = fmd_reduction_finish(r, counters);
    taken t = {.sums = sums};
    if (outcome == FMD_REDUCED) {
        fmd_reduction_apply(r, scale, 0, fmd_reduction_n_pieces(r), take, &t);
        fmd_reduction_rescale(r);
        assert_all_ranks(t.n == VALUES);
    }
    return outcome;
}

/* Collective. One step: this rank adds its microbatches, panel by panel as layers do. */
static fmd_reduced sum_exact(fmd_reduction *r, const batch *b, const assignment *a, double scale,
                             int64_t *counters, float *sums)
{
    int mine = 0;
    for (int i = 0; i < b->n; i++)
        mine += a->owner[i] == rank_of();
    fmd_reduction_begin_step(r, b->n, mine);
    for (size_t s = TENSORS; s-- > 0; fmd_reduction_complete(r, s))
        for (size_t at = 0; at < counts[s]; at += PANEL) {
            const size_t n = counts[s] - at < PANEL ? counts[s] - at : PANEL;
            for (int i = 0; i < b->n; i++) {
                const int microbatch = a->backwards ? b->n - 1 - i : i;
                if (a->owner[microbatch] != rank_of())
                    continue;
                memcpy(fmd_reduction_begin_range(r, s, at, n),
                       b->microbatch[microbatch] + offsets[s] + at, n * sizeof(float));
                fmd_reduction_commit_range(r, s, at, n);
            }
        }
    return finish(r, counters, scale, sums);
}

/* Collective. One native step: a rank's microbatches are one microbatch, written once. */
static fmd_reduced sum_native(fmd_reduction *r, const batch *b, const assignment *a, double scale,
                              int64_t *counters, float *sums)
{
    float mine[VALUES] = {0};
    bool any = false;
    for (int i = 0; i < b->n; i++) {
        if (a->owner[i] != rank_of())
            continue;
        any = true;
        for (size_t j = 0; j < VALUES; j++)
            mine[j] += b->microbatch[i][j];
    }
    fmd_reduction_begin_step(r, size_of(), any);
    for (size_t s = TENSORS; any && s-- > 0; fmd_reduction_complete(r, s)) {
        memcpy(fmd_reduction_begin_range(r, s, 0, counts[s]), mine + offsets[s],
               counts[s] * sizeof(float));
        fmd_reduction_commit_range(r, s, 0, counts[s]);
    }
    return finish(r, counters, scale, sums);
}

/* The same step on one process, in microbatch order. */
static fmd_reduced sum_serial(serial_sum *r, const batch *b, double scale, float *sums)
{
    serial_sum_begin(r, b->n);
    for (int i = 0; i < b->n; i++)
        for (size_t s = 0; s < TENSORS; s++)
            serial_sum_add(r, s, 0, counts[s], b->microbatch[i] + offsets[s]);
    return serial_sum_finish(r, scale, sums);
}

/* Collective. Repeats both steps until the sums are complete; all outcomes and bits must be equal. */
static fmd_reduced same_step(fmd_reduction *r, serial_sum *serial, const batch *b,
                             const assignment *a, double scale, float *sums)
{
    float expected[VALUES];
    fmd_reduced outcome;
    do {
        outcome = sum_exact(r, b, a, scale, NULL, sums);
        assert_all_ranks(outcome == sum_serial(serial, b, scale, expected));
        assert_all_ranks(fmd_reduction_repeats(r) == serial->repeats);
    } while (outcome == FMD_REDUCED_REPEAT);
    if (outcome == FMD_REDUCED)
        assert_all_ranks(memcmp(sums, expected, sizeof expected) == 0);
    return outcome;
}

static void exact_sums_are_those_of_one_process_bit_for_bit(void **state)
{
    (void)state;
    const assignment assignments[] = {contiguous(MICROBATCHES), scattered(MICROBATCHES),
                                      all_on_one(0), all_on_one(size_of() - 1)};
    for (size_t k = 0; k < sizeof assignments / sizeof *assignments; k++) {
        fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
        serial_sum serial;
        serial_sum_open(&serial, counts, TENSORS);
        float sums[VALUES];
        for (uint64_t step = 0; step < 4; step++) {
            const batch b = random_batch(step, magnitudes);
            assert_all_ranks(same_step(r, &serial, &b, &assignments[k], 1.0 / 250, sums) ==
                             FMD_REDUCED);
        }
        serial_sum_close(&serial);
        fmd_reduction_destroy(r);
    }
}

static void fewer_microbatches_than_ranks_are_enough(void **state)
{
    (void)state;
    for (int microbatches = 1; microbatches < MICROBATCHES; microbatches += 2) {
        fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
        serial_sum serial;
        serial_sum_open(&serial, counts, TENSORS);
        batch b = random_batch(7, magnitudes);
        b.n = microbatches;
        const assignment a = contiguous(microbatches);
        float sums[VALUES];
        for (int step = 0; step < 2; step++)
            assert_all_ranks(same_step(r, &serial, &b, &a, 1, sums) == FMD_REDUCED);
        serial_sum_close(&serial);
        fmd_reduction_destroy(r);
    }
}

/* After a step the scale's unit is at most 2^-24 of the tensor's largest total, and each microbatch is
 * rounded to half a unit. */
static void exact_sums_are_within_the_grid_of_sums_of_doubles(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    const batch b = random_batch(3, magnitudes);
    const assignment a = contiguous(MICROBATCHES);
    float sums[VALUES];
    for (int step = 0; step < 4; step++)
        while (sum_exact(r, &b, &a, 1, NULL, sums) == FMD_REDUCED_REPEAT)
            continue;
    int wrong = 0;
    for (size_t s = 0; s < TENSORS; s++) {
        double total[VALUES] = {0}, most = 0;
        for (size_t i = 0; i < counts[s]; i++) {
            for (int microbatch = 0; microbatch < MICROBATCHES; microbatch++)
                total[i] += (double)b.microbatch[microbatch][offsets[s] + i];
            if (fabs(total[i]) > most) /* fmax here crashes gcc 12 for aarch64 */
                most = fabs(total[i]);
        }
        for (size_t i = 0; i < counts[s]; i++) {
            const double error = fabs((double)sums[offsets[s] + i] - total[i]);
            wrong += !(error <= MICROBATCHES / 2 * most * 0x1p-24 + fabs(total[i]) * 0x1p-24);
        }
    }
    assert_all_ranks(wrong == 0);
    fmd_reduction_destroy(r);
}

/* With two microbatches announced, each may use half of the 32-bit range. Four values of one sign
 * overflow, within a rank and between ranks; the four values of the other sign undo the overflow. */
static void partial_sums_may_wrap_around(void **state)
{
    (void)state;
    const assignment a = contiguous(MICROBATCHES);
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    float sums[VALUES];
    fmd_reduction_begin_step(r, 2, MICROBATCHES);
    for (int i = 0; i < MICROBATCHES; i++) {
        if (a.owner[i] != rank_of())
            continue;
        float *range = fmd_reduction_begin_range(r, 1, 0, counts[1]);
        for (size_t j = 0; j < counts[1]; j++)
            range[j] = i < MICROBATCHES / 2 ? 500 : -499;
        fmd_reduction_commit_range(r, 1, 0, counts[1]);
    }
    assert_all_ranks(finish(r, NULL, 1, sums) == FMD_REDUCED);
    int wrong = 0;
    for (size_t i = 0; i < VALUES; i++)
        wrong += sums[i] != (i >= offsets[1] && i < offsets[2] ? MICROBATCHES / 2 : 0);
    assert_all_ranks(wrong == 0);
    fmd_reduction_destroy(r);
}

/* The range at the start is 2^10, an eighth of it for each of eight microbatches. */
static void a_value_out_of_range_on_one_rank_repeats_the_step_on_all(void **state)
{
    (void)state;
    static const struct {
        float value;
        int repeats;
    } cases[] = {{127, 0}, {-129, 1}, {1000, 1}, {-5000, 2}, {1e30f, 24}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        fmd_reduction *r = create(FMD_REDUCE_EXACT, 1);
        serial_sum serial;
        serial_sum_open(&serial, counts, TENSORS);
        const double ones[TENSORS] = {1, 1, 1};
        batch b = random_batch(11, ones);
        b.microbatch[MICROBATCHES - 1][40] = cases[k].value;
        const assignment a = contiguous(MICROBATCHES);
        float sums[VALUES], expected[VALUES];
        for (int i = 0; i < cases[k].repeats; i++) {
            int64_t counter = 1;
            assert_all_ranks(fmd_reduction_repeats(r) == i);
            assert_all_ranks(sum_exact(r, &b, &a, 1, &counter, sums) == FMD_REDUCED_REPEAT);
            assert_all_ranks(sum_serial(&serial, &b, 1, expected) == FMD_REDUCED_REPEAT);
        }
        int64_t counter = 1;
        assert_all_ranks(sum_exact(r, &b, &a, 1, &counter, sums) == FMD_REDUCED);
        assert_all_ranks(counter == size_of());
        assert_all_ranks(fmd_reduction_repeats(r) == cases[k].repeats);
        /* The other tensors keep their scale. */
        assert_all_ranks(sum_serial(&serial, &b, 1, expected) == FMD_REDUCED);
        assert_all_ranks(memcmp(sums, expected, sizeof sums) == 0);
        assert_all_ranks(fabsf(sums[40] - cases[k].value) <= 8 + 1e-6f * fabsf(cases[k].value));
        serial_sum_close(&serial);
        fmd_reduction_destroy(r);
    }
}

static void a_value_near_the_largest_float_ends_in_not_finite(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    batch b = random_batch(11, magnitudes);
    b.microbatch[MICROBATCHES - 1][40] = 3e38f;
    const assignment a = contiguous(MICROBATCHES);
    float sums[VALUES];
    fmd_reduced outcome = FMD_REDUCED_REPEAT;
    int times = 0;
    for (; outcome == FMD_REDUCED_REPEAT && times < 100; times++)
        outcome = sum_exact(r, &b, &a, 1, NULL, sums);
    assert_all_ranks(outcome == FMD_REDUCED_NOT_FINITE);
    assert_equal_on_all_ranks(&times, sizeof times);
    fmd_reduction_destroy(r);
}

/* Collective. One step: each of `microbatches` microbatches fills a tensor with the value or its
 * negative. True if the sums are right or the step must be repeated. */
static bool right_or_repeated(int microbatches, float value, bool *repeated)
{
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    const fmd_range mine = fmd_share((size_t)microbatches, rank_of(), size_of());
    float sums[VALUES];
    int wrong = 0;
    fmd_reduction_begin_step(r, microbatches, (int)mine.count);
    for (size_t i = 0; i < mine.count; i++) {
        float *range = fmd_reduction_begin_range(r, 1, 0, counts[1]);
        for (size_t j = 0; j < counts[1]; j++)
            range[j] = j % 2 != 0 ? value : -value;
        fmd_reduction_commit_range(r, 1, 0, counts[1]);
    }
    *repeated = finish(r, NULL, 1, sums) == FMD_REDUCED_REPEAT;
    for (size_t j = 0; !*repeated && j < counts[1]; j++) {
        const float total = (float)microbatches * (j % 2 != 0 ? value : -value);
        wrong += !(fabsf(sums[offsets[1] + j] - total) < 1);
    }
    fmd_reduction_destroy(r);
    return wrong == 0;
}

/* Many microbatches, each at the edge of its part of the range: rounding must not push the sum over
 * 2^31. Starts one float above the edge. */
static void many_microbatches_at_the_edge_of_the_range_do_not_overflow(void **state)
{
    (void)state;
    static const int microbatches[] = {7, 512, 1000, 1024, 1500};
    for (size_t k = 0; k < sizeof microbatches / sizeof *microbatches; k++) {
        float value = nextafterf(0x1p10f / (float)microbatches[k], INFINITY);
        bool repeated = true;
        for (int below = 0; below < 24; below++, value = nextafterf(value, 0)) {
            assert_all_ranks(right_or_repeated(microbatches[k], value, &repeated));
            assert_all_ranks(repeated || below > 0);
        }
        assert_all_ranks(!repeated);
    }
}

static void a_gradient_that_is_not_finite_on_one_rank_is_seen_on_all(void **state)
{
    (void)state;
    static const float faults[] = {NAN, INFINITY, -INFINITY};
    for (int mode = FMD_REDUCE_EXACT; mode <= FMD_REDUCE_NATIVE; mode++) {
        fmd_reduction *r = create((fmd_reduction_mode)mode, 1);
        const double ones[TENSORS] = {1, 1, 1};
        const assignment a = contiguous(MICROBATCHES);
        float sums[VALUES];
        for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
            for (size_t place = 0; place < VALUES; place += 77) {
                batch b = random_batch(13, ones);
                b.microbatch[MICROBATCHES - 1][place] = faults[k];
                b.microbatch[0][offsets[1]] = 1e4f; /* out of range besides */
                int64_t counter = rank_of() == culprit(&b, &a) ? 1000 : 1;
                const fmd_reduced outcome = mode == FMD_REDUCE_EXACT
                                                ? sum_exact(r, &b, &a, 1, &counter, sums)
                                                : sum_native(r, &b, &a, 1, &counter, sums);
                assert_all_ranks(outcome == FMD_REDUCED_NOT_FINITE);
                assert_all_ranks(counter == 1000 + size_of() - 1);
            }
        assert_all_ranks(fmd_reduction_repeats(r) == 0);
        /* The next step is unaffected. */
        const batch b = random_batch(13, ones);
        int64_t counter = 0;
        assert_all_ranks((mode == FMD_REDUCE_EXACT
                              ? sum_exact(r, &b, &a, 1, &counter, sums)
                              : sum_native(r, &b, &a, 1, &counter, sums)) == FMD_REDUCED);
        fmd_reduction_destroy(r);
    }
}

static void counters_of_either_sign_and_64_bits_add_up_exactly(void **state)
{
    (void)state;
    const int n = size_of();
    const batch b = random_batch(17, (double[TENSORS]){1, 1, 1});
    const assignment a = contiguous(MICROBATCHES);
    for (int mode = FMD_REDUCE_EXACT; mode <= FMD_REDUCE_NATIVE; mode++) {
        fmd_reduction *r = create((fmd_reduction_mode)mode, COUNTERS);
        float sums[VALUES];
        for (int step = 0; step < 2; step++) {
            int64_t c[COUNTERS] = {-1 - rank_of(), (INT64_C(1) << 50) + 255,
                                   rank_of() == n - 1 ? INT64_MIN + 1 : 0};
            assert_all_ranks((mode == FMD_REDUCE_EXACT
                                  ? sum_exact(r, &b, &a, 1, c, sums)
                                  : sum_native(r, &b, &a, 1, c, sums)) == FMD_REDUCED);
            assert_all_ranks(c[0] == -n - n * (n - 1) / 2);
            assert_all_ranks(c[1] == n * ((INT64_C(1) << 50) + 255));
            assert_all_ranks(c[2] == INT64_MIN + 1);
        }
        fmd_reduction_destroy(r);
    }
}

static void the_grid_becomes_finer_after_small_gradients(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    serial_sum serial;
    serial_sum_open(&serial, counts, TENSORS);
    const double small[TENSORS] = {0x1p-18, 0x1p-18, 0x1p-18};
    const batch first = random_batch(19, small);
    batch fine = {.n = MICROBATCHES};
    for (int microbatch = 0; microbatch < MICROBATCHES; microbatch++)
        for (size_t i = 0; i < VALUES; i++)
            fine.microbatch[microbatch][i] = 0x1p-38f;
    const assignment a = contiguous(MICROBATCHES);
    float sums[VALUES];

    /* These values round to zero on the first scale. */
    assert_all_ranks(same_step(r, &serial, &fine, &a, 1, sums) == FMD_REDUCED);
    int zeros = 0, right = 0;
    for (size_t i = 0; i < VALUES; i++)
        zeros += sums[i] == 0;
    assert_all_ranks(zeros == VALUES);

    assert_all_ranks(same_step(r, &serial, &first, &a, 1, sums) == FMD_REDUCED);
    assert_all_ranks(same_step(r, &serial, &fine, &a, 1, sums) == FMD_REDUCED);
    for (size_t i = 0; i < VALUES; i++)
        right += sums[i] == MICROBATCHES * 0x1p-38f;
    assert_all_ranks(right == VALUES);
    serial_sum_close(&serial);
    fmd_reduction_destroy(r);
}

static void gradients_that_are_all_zero_sum_to_zero(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    serial_sum serial;
    serial_sum_open(&serial, counts, TENSORS);
    const batch zero = {.n = MICROBATCHES}, b = random_batch(23, magnitudes);
    const assignment a = contiguous(MICROBATCHES);
    float sums[VALUES];
    for (int step = 0; step < 3; step++) {
        memset(sums, 0xff, sizeof sums);
        assert_all_ranks(same_step(r, &serial, &zero, &a, 1, sums) == FMD_REDUCED);
        int zeros = 0;
        for (size_t i = 0; i < VALUES; i++)
            zeros += sums[i] == 0;
        assert_all_ranks(zeros == VALUES);
        /* The scale widens until the values fit. */
        fmd_reduced outcome = FMD_REDUCED_REPEAT;
        for (int i = 0; i < 20 && outcome == FMD_REDUCED_REPEAT; i++)
            outcome = same_step(r, &serial, &b, &a, 1, sums);
        assert_all_ranks(outcome == FMD_REDUCED);
    }
    serial_sum_close(&serial);
    fmd_reduction_destroy(r);
}

/* A deep sigmoid network starts with gradients far below the first scale; later steps must recover
 * them. */
static void gradients_below_the_first_scale_are_found_within_three_steps(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, 0);
    serial_sum serial;
    serial_sum_open(&serial, counts, TENSORS);
    batch faint = {.n = MICROBATCHES};
    for (int microbatch = 0; microbatch < MICROBATCHES; microbatch++)
        for (size_t i = 0; i < VALUES; i++)
            faint.microbatch[microbatch][i] = 0x1p-45f;
    const assignment a = contiguous(MICROBATCHES);
    float sums[VALUES];
    for (int step = 0; step < 3; step++)
        assert_all_ranks(same_step(r, &serial, &faint, &a, 1, sums) == FMD_REDUCED);
    int right = 0;
    for (size_t i = 0; i < VALUES; i++)
        right += sums[i] == MICROBATCHES * 0x1p-45f;
    assert_all_ranks(right == VALUES);
    serial_sum_close(&serial);
    fmd_reduction_destroy(r);
}

static void native_sums_are_close_to_sums_of_doubles(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_NATIVE, 0);
    const batch b = random_batch(29, magnitudes);
    const assignment assignments[] = {contiguous(MICROBATCHES), all_on_one(size_of() - 1)};
    for (int k = 0; k < 2; k++) {
        float sums[VALUES];
        assert_all_ranks(sum_native(r, &b, &assignments[k], 0.25, NULL, sums) == FMD_REDUCED);
        int wrong = 0;
        for (size_t i = 0; i < VALUES; i++) {
            double total = 0, magnitude = 0;
            for (int microbatch = 0; microbatch < MICROBATCHES; microbatch++) {
                total += (double)b.microbatch[microbatch][i];
                magnitude += fabs((double)b.microbatch[microbatch][i]);
            }
            const double error = fabs((double)sums[i] - total / 4);
            wrong += !(error <= MICROBATCHES * 0x1p-24 * magnitude / 4);
        }
        assert_all_ranks(wrong == 0);
        assert_equal_on_all_ranks(sums, sizeof sums);
    }
    fmd_reduction_destroy(r);
}

/* The pattern of models with batch statistics. The second step starts from zero. */
static void native_sums_may_be_fed_microbatch_by_microbatch(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_NATIVE, 0);
    const batch b = random_batch(37, magnitudes);
    const assignment assignments[] = {contiguous(MICROBATCHES), all_on_one(size_of() - 1)};
    for (int k = 0; k < 4; k++) {
        float whole[VALUES], sums[VALUES];
        assert_all_ranks(sum_native(r, &b, &assignments[k % 2], 1, NULL, whole) == FMD_REDUCED);
        assert_all_ranks(sum_exact(r, &b, &assignments[k % 2], 1, NULL, sums) == FMD_REDUCED);
        assert_all_ranks(memcmp(sums, whole, sizeof whole) == 0);
    }
    fmd_reduction_destroy(r);
}

/* Control for the tests above: a different assignment of microbatches changes the bits of float sums
 * only. With one rank there is only one assignment. */
static void other_ranks_for_the_microbatches_change_native_sums_but_not_exact_ones(void **state)
{
    (void)state;
    if (size_of() == 1)
        skip();
    const batch b = random_batch(31, magnitudes);
    const assignment assignments[] = {contiguous(MICROBATCHES), scattered(MICROBATCHES)};
    float native[2][VALUES], exact[2][VALUES];
    for (int k = 0; k < 2; k++) {
        fmd_reduction *r = create(FMD_REDUCE_NATIVE, 0);
        assert_all_ranks(sum_native(r, &b, &assignments[k], 1, NULL, native[k]) == FMD_REDUCED);
        fmd_reduction_destroy(r);
        r = create(FMD_REDUCE_EXACT, 0);
        while (sum_exact(r, &b, &assignments[k], 1, NULL, exact[k]) == FMD_REDUCED_REPEAT)
            continue;
        fmd_reduction_destroy(r);
    }
    assert_all_ranks(memcmp(native[0], native[1], sizeof native[0]) != 0);
    assert_all_ranks(memcmp(exact[0], exact[1], sizeof exact[0]) == 0);
}

static void only_exact_reductions_are_fed_microbatch_by_microbatch(void **state)
{
    (void)state;
    fmd_reduction *exact = create(FMD_REDUCE_EXACT, 0), *native = create(FMD_REDUCE_NATIVE, 0);
    assert_all_ranks(fmd_reduction_by_microbatch(exact));
    assert_all_ranks(!fmd_reduction_by_microbatch(native));
    fmd_reduction_destroy(exact);
    fmd_reduction_destroy(native);
    fmd_reduction_destroy(NULL);
}

static void more_values_than_one_message_holds_are_refused(void **state)
{
    (void)state;
    fmd_reduction *r = NULL;
    const size_t huge[] = {(size_t)1 << 30, (size_t)1 << 30};
    assert_all_fail(
        fmd_reduction_create(&r, FMD_REDUCE_EXACT, ALLREDUCE, false, 0, mpi_comm, huge, 2, 0),
        FMD_EUSAGE, "the model has 2147483648 parameters: more than one message holds");
    assert_all_ranks(r == NULL);
}

static void seconds_are_added_as_long_as_they_are_measured(void **state)
{
    (void)state;
    const bool travels = RANKS_PER_NODE > 0 || (ALLREDUCE == FMD_ALLREDUCE_MPI && size_of() > 1);
    for (fmd_reduction_mode mode = FMD_REDUCE_EXACT; mode <= FMD_REDUCE_NATIVE; mode++) {
        fmd_reduction *r = create(mode, 0);
        fmd_reduction_seconds s = {0};
        fmd_reduction_time(r, &s);
        for (int i = 0; i < 2; i++) {
            const fmd_reduction_seconds before = s;
            fmd_reduction_begin_step(r, 1, 0);
            fmd_reduction_complete(r, TENSORS - 1);
            assert_all_ranks((s.progress > before.progress) == travels && s.sum == before.sum);
            assert_all_ranks(fmd_reduction_finish(r, NULL) == FMD_REDUCED);
            assert_all_ranks(s.sum > before.sum);
        }
        const fmd_reduction_seconds before = s;
        fmd_reduction_time(r, NULL);
        fmd_reduction_begin_step(r, 1, 0);
        assert_all_ranks(fmd_reduction_finish(r, NULL) == FMD_REDUCED);
        assert_all_ranks(s.progress == before.progress && s.sum == before.sum);
        fmd_reduction_destroy(r);
    }
}

static void all_ranks_choose_the_faster_way_and_native_sums_never_follow_the_clock(void **state)
{
    (void)state;
    fmd_allreduce_choice choice;
    assert_all_ok(fmd_allreduce_choose(&choice, mpi_comm, FMD_REDUCE_EXACT, VALUES));
    assert_all_ranks(choice.measured == (size_of() > 1));
    assert_all_ranks((choice.mpi_seconds < choice.shared_seconds) ==
                     (choice.allreduce == FMD_ALLREDUCE_MPI));
    assert_all_ok(fmd_comm_same(mpi_comm, &choice.shared_seconds, sizeof(double), "the times"));
    assert_all_ok(fmd_comm_same(mpi_comm, &choice.mpi_seconds, sizeof(double), "the times"));
    for (int i = 0; i < 20; i++) {
        assert_all_ok(fmd_allreduce_choose(&choice, mpi_comm, FMD_REDUCE_NATIVE, VALUES));
        assert_all_ranks(!choice.measured && choice.allreduce == FMD_ALLREDUCE_SHARED);
    }
}

static void a_message_has_the_bytes_of_its_elements(void **state)
{
    (void)state;
    fmd_reduction *r = create(FMD_REDUCE_EXACT, COUNTERS);
    /* one element for each tensor, one for values not finite, 8 for each counter, a checksum: two cache
     * lines; then the values */
    assert_true(TENSORS + 1 + 8 * COUNTERS + 1 == 29);
    assert_all_ranks(fmd_reduction_bytes(r) == 2 * 64 + 4 * VALUES);
    fmd_reduction_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_sums_are_those_of_one_process_bit_for_bit),
        cmocka_unit_test(fewer_microbatches_than_ranks_are_enough),
        cmocka_unit_test(exact_sums_are_within_the_grid_of_sums_of_doubles),
        cmocka_unit_test(partial_sums_may_wrap_around),
        cmocka_unit_test(a_value_out_of_range_on_one_rank_repeats_the_step_on_all),
        cmocka_unit_test(a_value_near_the_largest_float_ends_in_not_finite),
        cmocka_unit_test(many_microbatches_at_the_edge_of_the_range_do_not_overflow),
        cmocka_unit_test(a_gradient_that_is_not_finite_on_one_rank_is_seen_on_all),
        cmocka_unit_test(counters_of_either_sign_and_64_bits_add_up_exactly),
        cmocka_unit_test(the_grid_becomes_finer_after_small_gradients),
        cmocka_unit_test(gradients_that_are_all_zero_sum_to_zero),
        cmocka_unit_test(gradients_below_the_first_scale_are_found_within_three_steps),
        cmocka_unit_test(native_sums_are_close_to_sums_of_doubles),
        cmocka_unit_test(native_sums_may_be_fed_microbatch_by_microbatch),
        cmocka_unit_test(other_ranks_for_the_microbatches_change_native_sums_but_not_exact_ones),
        cmocka_unit_test(only_exact_reductions_are_fed_microbatch_by_microbatch),
        cmocka_unit_test(more_values_than_one_message_holds_are_refused),
        cmocka_unit_test(seconds_are_added_as_long_as_they_are_measured),
        cmocka_unit_test(all_ranks_choose_the_faster_way_and_native_sums_never_follow_the_clock),
        cmocka_unit_test(a_message_has_the_bytes_of_its_elements),
    };
    return mpi_run_tests(tests);
}
