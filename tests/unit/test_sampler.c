#include "data/sampler.h"

#include "support/fmd_test.h"

#include <stdlib.h>
#include <string.h>

/* The order is a permutation of 0 to n - 1. */
static void assert_each_once(const uint32_t *order, size_t n)
{
    uint8_t *seen = calloc(n + 1, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < n; i++) {
        assert_in_range(order[i], 0, n - 1);
        if (seen[order[i]]++ != 0)
            fail_msg("sample %u of %zu occurs twice", order[i], n);
    }
    free(seen);
}

static void test_sampler__each_sample_once_per_epoch(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 4, 5, 31, 32, 33, 1000, 59999, 60000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        fmd_sampler *s;
        assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = sizes[k]}, 42));
        assert_each_once(fmd_sampler_order(s), sizes[k]);
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            fmd_sampler_shuffle(s, epoch);
            assert_each_once(fmd_sampler_order(s), sizes[k]);
        }
        fmd_sampler_destroy(s);
    }
}

/* Batches, microbatches and ranks as the training loop cuts them. */
static void test_sampler__each_sample_once_for_any_rank_count(void **state)
{
    (void)state;
    static const size_t samples[] = {1, 7, 100, 257}, batches[] = {1, 8, 32, 100, 300};
    for (size_t c = 0; c < 4 * 5 * 9; c++) {
        size_t n = samples[c % 4], batch = batches[c / 4 % 5], microbatch = (batch + 7) / 8;
        int size = (int)(c / 20) + 1;
        uint8_t seen[257] = {0};
        fmd_sampler *s;
        assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = n}, 1));
        fmd_sampler_shuffle(s, 3);
        for (size_t first = 0; first < n; first += batch) {
            size_t count = n - first < batch ? n - first : batch;
            for (int rank = 0; rank < size; rank++) {
                fmd_range microbatches =
                    fmd_share((count + microbatch - 1) / microbatch, rank, size);
                size_t end = (microbatches.first + microbatches.count) * microbatch;
                for (size_t i = microbatches.first * microbatch; i < (end < count ? end : count);
                     i++)
                    seen[fmd_sampler_order(s)[first + i]]++;
            }
        }
        for (size_t i = 0; i < n; i++)
            assert_int_equal(seen[i], 1);
        fmd_sampler_destroy(s);
    }
}

static void test_sampler__unshuffled_order_is_that_of_the_files(void **state)
{
    (void)state;
    fmd_sampler *s;
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = 100}, 42));
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(fmd_sampler_order(s)[i], i);
    fmd_sampler_destroy(s);
}

/* Written down from a separate Philox4x32-10 and shuffle in Python. */
static void test_sampler__order_is_the_known_one(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint64_t seed;
        uint32_t epoch, order[12];
    } cases[] = {
        {12, 42, 0, {8, 2, 6, 0, 1, 4, 7, 10, 11, 3, 5, 9}},
        {12, 42, 7, {4, 6, 8, 9, 5, 11, 1, 7, 0, 2, 10, 3}},
        {11, 0x123456789abcdef0, 1, {5, 7, 6, 8, 2, 1, 9, 4, 0, 10, 3}},
    };
    static const uint32_t begin[] = {51495, 26066, 21206, 10752, 8894, 45848, 369, 42761};
    fmd_sampler *s;
    for (int c = 0; c < 3; c++) {
        assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = cases[c].n}, cases[c].seed));
        fmd_sampler_shuffle(s, cases[c].epoch);
        assert_memory_equal(fmd_sampler_order(s), cases[c].order, cases[c].n * sizeof(uint32_t));
        fmd_sampler_destroy(s);
    }
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = 60000}, 42));
    fmd_sampler_shuffle(s, 0);
    assert_memory_equal(fmd_sampler_order(s), begin, sizeof begin);
    fmd_sampler_destroy(s);
}

/* How many places of the two orders hold the same sample; of unrelated orders, one on average. */
static int equal_locations(const fmd_sampler *a, const fmd_sampler *b, size_t n)
{
    int equal = 0;
    for (size_t i = 0; i < n; i++)
        equal += fmd_sampler_order(a)[i] == fmd_sampler_order(b)[i];
    return equal;
}

static void test_sampler__epochs_and_seeds_differ(void **state)
{
    (void)state;
    fmd_sampler *a, *b, *c;
    assert_ok(fmd_sampler_create(&a, &(fmd_split){.n = 1000}, 1));
    assert_ok(fmd_sampler_create(&b, &(fmd_split){.n = 1000}, 1));
    assert_ok(fmd_sampler_create(&c, &(fmd_split){.n = 1000}, 2));
    fmd_sampler_shuffle(a, 0);
    fmd_sampler_shuffle(b, 1);
    fmd_sampler_shuffle(c, 0);
    assert_in_range(equal_locations(a, b, 1000), 0, 10);
    assert_in_range(equal_locations(a, c, 1000), 0, 10);
    fmd_sampler_destroy(a);
    fmd_sampler_destroy(b);
    fmd_sampler_destroy(c);
}

static void test_sampler__order_does_not_depend_on_earlier_epochs(void **state)
{
    (void)state;
    fmd_sampler *a, *b;
    assert_ok(fmd_sampler_create(&a, &(fmd_split){.n = 1000}, 1));
    assert_ok(fmd_sampler_create(&b, &(fmd_split){.n = 1000}, 1));
    for (uint32_t epoch = 0; epoch <= 5; epoch++)
        fmd_sampler_shuffle(a, epoch);
    fmd_sampler_shuffle(b, 5);
    assert_int_equal(equal_locations(a, b, 1000), 1000);
    fmd_sampler_destroy(a);
    fmd_sampler_destroy(b);
}

/* 10,000 epochs of 8 samples: each sample in each place about 1250 times; 5 standard deviations of
 * the binomial distribution are 165. */
static void test_sampler__every_place_gets_every_sample(void **state)
{
    (void)state;
    int count[8][8] = {{0}};
    fmd_sampler *s;
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = 8}, 5));
    for (uint32_t epoch = 0; epoch < 10000; epoch++) {
        fmd_sampler_shuffle(s, epoch);
        for (int i = 0; i < 8; i++)
            count[i][fmd_sampler_order(s)[i]]++;
    }
    for (int i = 0; i < 64; i++)
        assert_in_range(count[i / 8][i % 8], 1250 - 165, 1250 + 165);
    fmd_sampler_destroy(s);
}

static void test_sampler__too_many_samples_are_refused(void **state)
{
    (void)state;
    if (SIZE_MAX == UINT32_MAX)
        skip();
    fmd_sampler *s;
    assert_fails(fmd_sampler_create(&s, &(fmd_split){.n = (size_t)UINT32_MAX + 1}, 0), FMD_EDATA,
                 "found 4294967296 samples, expected at most 4294967295");
}

static void test_share__covers_each_exactly_once(void **state)
{
    (void)state;
    for (size_t total = 0; total < 70; total++) {
        for (int size = 1; size < 40; size++) {
            size_t next = 0;
            for (int rank = 0; rank < size; rank++) {
                fmd_range run = fmd_share(total, rank, size);
                assert_int_equal(run.first, next);
                assert_in_range(run.count, total / (size_t)size,
                                (total + (size_t)size - 1) / (size_t)size);
                next += run.count;
            }
            assert_int_equal(next, total);
        }
    }
}

static void test_share__huge_totals_do_not_overflow(void **state)
{
    (void)state;
    fmd_range last = fmd_share(SIZE_MAX, 6, 7);
    assert_int_equal(last.first + last.count, SIZE_MAX);
}

static void assert_window_order(size_t n, size_t window)
{
    fmd_sampler *s;
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = n}, 5));
    assert_ok(fmd_sampler_set_window(s, window));
    bool *seen = calloc(n, sizeof *seen);
    assert_non_null(seen);
    fmd_sampler_shuffle(s, 3);
    for (size_t i = 0; i < n; i++) {
        const uint32_t sample = fmd_sampler_order(s)[i];
        assert_true(sample < n && !seen[sample]);
        seen[sample] = true;
    }
    free(seen);
    fmd_sampler_destroy(s);
}

static void test_sampler__windows_have_each_sample_once(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1},       {7, 1},       {1000, 64},
                                      {1000, 1000}, {1000, 5000}, {777, 100}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_window_order(sizes[i][0], sizes[i][1]);
}

/* A window reads few ranges of the file: shards of window / 64 samples. */
static void test_sampler__a_window_has_whole_shards(void **state)
{
    (void)state;
    enum { N = 64 * 256, WINDOW = 64 * 16, SHARD = 16 };
    fmd_sampler *s;
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = N}, 5));
    assert_ok(fmd_sampler_set_window(s, WINDOW));
    fmd_sampler_shuffle(s, 0);
    int in_place = 0;
    for (size_t first = 0; first < N; first += WINDOW) {
        int found[N / SHARD] = {0}, shards = 0;
        for (size_t i = first; i < first + WINDOW; i++) {
            const uint32_t sample = fmd_sampler_order(s)[i];
            shards += found[sample / SHARD]++ == 0;
            in_place += sample == i;
        }
        assert_int_equal(shards, WINDOW / SHARD);
        for (int k = 0; k < N / SHARD; k++)
            assert_true(found[k] == 0 || found[k] == SHARD);
    }
    assert_true(in_place < 32); /* it is shuffled */
    fmd_sampler_destroy(s);
}

static void test_sampler__windows_depend_on_seed_and_epoch(void **state)
{
    (void)state;
    enum { N = 2000 };
    fmd_sampler *a, *b;
    assert_ok(fmd_sampler_create(&a, &(fmd_split){.n = N}, 5));
    assert_ok(fmd_sampler_create(&b, &(fmd_split){.n = N}, 5));
    assert_ok(fmd_sampler_set_window(a, 200));
    assert_ok(fmd_sampler_set_window(b, 200));
    fmd_sampler_shuffle(a, 1);
    fmd_sampler_shuffle(b, 7);
    assert_memory_not_equal(fmd_sampler_order(a), fmd_sampler_order(b), N * sizeof(uint32_t));
    fmd_sampler_shuffle(b, 1);
    assert_memory_equal(fmd_sampler_order(a), fmd_sampler_order(b), N * sizeof(uint32_t));
    fmd_sampler_destroy(a);
    fmd_sampler_destroy(b);
}

/* Image i has the bytes i, i + 1, ... modulo 256; label i is i % 10. */
enum { IMAGES = 300, IMAGE_BYTES = 37 };

typedef struct split_bytes {
    uint8_t images[IMAGES * IMAGE_BYTES], labels[IMAGES];
} split_bytes;

static fmd_split fill_split(split_bytes *b)
{
    for (int i = 0; i < IMAGES * IMAGE_BYTES; i++)
        b->images[i] = (uint8_t)(i / IMAGE_BYTES + i % IMAGE_BYTES);
    for (int i = 0; i < IMAGES; i++)
        b->labels[i] = (uint8_t)(i % 10);
    return (fmd_split){.n = IMAGES, .images = b->images, .labels = b->labels};
}

/* float(double(x) / 255.0) is what Keras' x_train / 255.0 becomes. */
static void test_gather__images_are_divided_as_in_keras(void **state)
{
    (void)state;
    split_bytes bytes;
    fmd_split split = fill_split(&bytes);
    float x[IMAGES * IMAGE_BYTES];
    fmd_gather_images(&split, IMAGE_BYTES, NULL, IMAGES, IMAGES, 255, x);
    for (int i = 0; i < IMAGES * IMAGE_BYTES; i++) {
        float expected = (float)((double)bytes.images[i] / 255.0);
        assert_memory_equal(&x[i], &expected, sizeof expected);
    }
}

static void test_gather__rows_follow_the_order_and_the_rest_is_zero(void **state)
{
    (void)state;
    split_bytes bytes;
    fmd_split split = fill_split(&bytes);
    static const uint32_t order[] = {299, 0, 17, 17};
    float x[7 * IMAGE_BYTES];
    memset(x, 0xff, sizeof x);
    fmd_gather_images(&split, IMAGE_BYTES, order, 4, 6, 1, x);
    for (int i = 0; i < 6 * IMAGE_BYTES; i++) {
        int row = i / IMAGE_BYTES, j = i % IMAGE_BYTES;
        float expected = row < 4 ? (float)bytes.images[order[row] * IMAGE_BYTES + (uint32_t)j] : 0;
        assert_memory_equal(&x[i], &expected, sizeof expected);
    }
    for (size_t i = 6 * IMAGE_BYTES * sizeof *x; i < sizeof x; i++)
        assert_int_equal(((const uint8_t *)x)[i], 0xff);
}

static void test_gather__labels_follow_the_order(void **state)
{
    (void)state;
    split_bytes bytes;
    fmd_split split = fill_split(&bytes);
    static const uint32_t order[] = {299, 0, 17};
    uint8_t labels[4] = {99, 99, 99, 99};
    fmd_gather_labels(&split, order, 3, labels);
    assert_memory_equal(labels, ((uint8_t[]){9, 0, 7, 99}), 4);
    fmd_gather_labels(&split, NULL, 3, labels);
    assert_memory_equal(labels, ((uint8_t[]){0, 1, 2, 99}), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler__each_sample_once_per_epoch),
        cmocka_unit_test(test_sampler__each_sample_once_for_any_rank_count),
        cmocka_unit_test(test_sampler__unshuffled_order_is_that_of_the_files),
        cmocka_unit_test(test_sampler__order_is_the_known_one),
        cmocka_unit_test(test_sampler__epochs_and_seeds_differ),
        cmocka_unit_test(test_sampler__order_does_not_depend_on_earlier_epochs),
        cmocka_unit_test(test_sampler__every_place_gets_every_sample),
        cmocka_unit_test(test_sampler__too_many_samples_are_refused),
        cmocka_unit_test(test_share__covers_each_exactly_once),
        cmocka_unit_test(test_share__huge_totals_do_not_overflow),
        cmocka_unit_test(test_sampler__windows_have_each_sample_once),
        cmocka_unit_test(test_sampler__a_window_has_whole_shards),
        cmocka_unit_test(test_sampler__windows_depend_on_seed_and_epoch),
        cmocka_unit_test(test_gather__images_are_divided_as_in_keras),
        cmocka_unit_test(test_gather__rows_follow_the_order_and_the_rest_is_zero),
        cmocka_unit_test(test_gather__labels_follow_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
