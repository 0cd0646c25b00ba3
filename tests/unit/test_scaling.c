/* The arithmetic of scaling studies, on made-up measurements whose answers are known. */
#include "support/fmd_test.h"

#include "measure/scaling.h"

#include <math.h>
#include <stdint.h>

/* cmocka compares floats. */
#define assert_near(found, expected, limit) assert_true(fabs((found) - (expected)) <= (limit))

enum { N = 5 };

/* Amdahl: a share `serial` of the work is not divided. */
static void make_points(fmd_scaling_point *points, double serial, double overhead)
{
    for (int i = 0; i < N; i++) {
        const int p = 1 << i;
        points[i] = (fmd_scaling_point){.ranks = p, .counts = true};
        points[i].rate = 1000 / (serial + (1 - serial) / p + overhead * (p - 1));
    }
}

static void karp_flatt_finds_the_serial_fraction_of_amdahl(void **state)
{
    (void)state;
    fmd_scaling_point points[N];
    make_points(points, 0.05, 0);
    fmd_scaling_compare(points, N);
    assert_near(points[0].speedup, 1, 1e-9);
    assert_near(points[0].efficiency, 1, 1e-9);
    assert_true(isnan(points[0].serial_fraction));
    for (int i = 1; i < N; i++) {
        assert_near(points[i].serial_fraction, 0.05, 1e-9);
        assert_near(points[i].speedup, 1 / (0.05 + 0.95 / points[i].ranks), 1e-9);
        assert_near(points[i].efficiency, points[i].speedup / points[i].ranks, 1e-9);
    }
    assert_near(fmd_karp_flatt(4, 4), 0, 1e-9);
    assert_near(fmd_karp_flatt(1, 4), 1, 1e-9);
    assert_true(fmd_karp_flatt(5, 4) < 0);
}

static void a_growing_overhead_makes_the_serial_fraction_grow(void **state)
{
    (void)state;
    fmd_scaling_point points[N];
    make_points(points, 0.01, 0.005);
    fmd_scaling_compare(points, N);
    for (int i = 2; i < N; i++)
        assert_true(points[i].serial_fraction > points[i - 1].serial_fraction);
}

static void a_study_that_does_not_begin_with_one_rank_is_relative_to_its_first_point(void **state)
{
    (void)state;
    fmd_scaling_point points[2] = {{.ranks = 4, .rate = 400, .counts = true},
                                   {.ranks = 8, .rate = 600, .counts = true}};
    fmd_scaling_compare(points, 2);
    assert_near(points[0].speedup, 4, 1e-9);
    assert_near(points[1].speedup, 6, 1e-9);
    assert_near(points[1].efficiency, 0.75, 1e-9);
    assert_near(points[1].serial_fraction, fmd_karp_flatt(1.5, 2), 1e-9);
}

static void what_does_not_count_is_neither_base_nor_knee(void **state)
{
    (void)state;
    fmd_scaling_point points[3] = {{.ranks = 1, .rate = 50, .counts = false},
                                   {.ranks = 2, .rate = 200, .counts = true},
                                   {.ranks = 4, .rate = 4000, .counts = false}};
    fmd_scaling_compare(points, 3);
    assert_near(points[0].efficiency, 0.5, 1e-9);
    assert_near(points[2].efficiency, 10, 1e-9);
    assert_int_equal(fmd_scaling_knee(points, 3), 1);
    points[1].counts = false;
    fmd_scaling_compare(points, 3);
    assert_true(isnan(points[1].speedup) && isnan(points[2].efficiency));
    assert_true(fmd_scaling_knee(points, 3) == SIZE_MAX);
}

/* With an overhead of h for each further rank, S^2 / p is largest at 1 / sqrt(3 h), here 8. */
static void the_knee_is_where_more_ranks_cost_more_than_they_bring(void **state)
{
    (void)state;
    fmd_scaling_point points[N];
    make_points(points, 0, 1.0 / 192);
    fmd_scaling_compare(points, N);
    assert_int_equal(points[fmd_scaling_knee(points, N)].ranks, 8);
    make_points(points, 0, 0);
    fmd_scaling_compare(points, N);
    assert_int_equal(points[fmd_scaling_knee(points, N)].ranks, 16);
    make_points(points, 1, 0);
    fmd_scaling_compare(points, N);
    assert_int_equal(points[fmd_scaling_knee(points, N)].ranks, 1);
}

static void the_fit_finds_the_alpha_and_beta_of_made_up_times(void **state)
{
    (void)state;
    static const int ranks[] = {1, 2, 3, 8, 64};
    const fmd_allreduce_model truth = {2e-6, 1e-10};
    fmd_allreduce_sample samples[100];
    fmd_allreduce_model found;
    size_t n = 0;
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
        for (double bytes = 16; bytes < 1e7; bytes *= 4, n++) {
            samples[n] = (fmd_allreduce_sample){ranks[i], bytes, 0};
            samples[n].seconds = fmd_allreduce_seconds(&truth, ranks[i], bytes);
        }
    assert_true(fmd_allreduce_fit(samples, n, &found));
    assert_near(found.alpha / truth.alpha, 1, 1e-9);
    assert_near(found.beta / truth.beta, 1, 1e-9);
    for (size_t i = 0; i < n; i++) /* noise of 10 %, in turn up and down */
        samples[i].seconds *= i % 2 == 0 ? 1.1 : 0.9;
    assert_true(fmd_allreduce_fit(samples, n, &found));
    assert_near(found.alpha / truth.alpha, 1, 0.1);
    assert_near(found.beta / truth.beta, 1, 0.1);
    assert_true(fmd_allreduce_seconds(&truth, 1, 1e6) == 0);
    assert_near(fmd_allreduce_seconds(&truth, 8, 1e6), 12e-6 + 1.75e-4, 1e-9);
}

static void a_fit_needs_two_sizes_and_is_never_negative(void **state)
{
    (void)state;
    fmd_allreduce_model m;
    const fmd_allreduce_sample one[] = {{2, 1000, 1e-5}, {2, 1000, 1.1e-5}};
    assert_false(fmd_allreduce_fit(one, 2, &m));
    const fmd_allreduce_sample alone[] = {{1, 1000, 1e-5}, {1, 2000, 1e-5}};
    assert_false(fmd_allreduce_fit(alone, 2, &m));
    assert_false(fmd_allreduce_fit(NULL, 0, &m));
    const fmd_allreduce_sample falling[] = {{2, 1000, 2e-5}, {2, 2000, 1e-5}};
    assert_true(fmd_allreduce_fit(falling, 2, &m));
    assert_true(m.alpha > 0 && m.beta == 0);
    const fmd_allreduce_sample steep[] = {{2, 1000, 1e-6}, {2, 2000, 4e-6}};
    assert_true(fmd_allreduce_fit(steep, 2, &m));
    assert_true(m.alpha == 0 && m.beta > 0);
}

/* Slow messages want more work between them. */
static void the_models_knee_moves_with_the_work(void **state)
{
    (void)state;
    const fmd_allreduce_model slow = {1e-4, 0}, free_of_charge = {0, 0};
    assert_int_equal(fmd_scaling_model_knee(&free_of_charge, 1e-3, 4e5, 1024), 1024);
    const int small = fmd_scaling_model_knee(&slow, 1e-3, 4e5, 1024);
    const int large = fmd_scaling_model_knee(&slow, 1e-1, 4e5, 1024);
    assert_in_range(small, 1, 8);
    assert_in_range(large, 2 * small, 1024);
    assert_int_equal(fmd_scaling_model_knee(&slow, 1e-6, 4e5, 1024), 1);
    /* steps of 1, 0.52, 0.29, 0.185, 0.1425 ms, 0.131 ms: the fastest is not the knee */
    const fmd_allreduce_model latency = {1e-5, 0};
    assert_int_equal(fmd_scaling_model_knee(&latency, 1e-3, 4e5, 1024), 8);
}

static void test_scaling__a_point_within_the_intervals_rivals_the_knee(void **state)
{
    (void)state;
    fmd_scaling_point p[] = {
        {.ranks = 1, .rate = 100, .slowest = 98, .fastest = 101, .counts = true},
        {.ranks = 2, .rate = 50, .slowest = 20, .fastest = 180, .counts = true},
        {.ranks = 4, .rate = 900, .slowest = 10, .fastest = 999, .counts = false}};
    fmd_scaling_compare(p, 3);
    assert_int_equal(fmd_scaling_knee(p, 3), 0);
    assert_int_equal(fmd_scaling_rival(p, 3, 0), 1); /* 180^2 / 2 > 98^2 */
    p[1].fastest = 130;
    assert_int_equal(fmd_scaling_rival(p, 3, 0), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaling__a_point_within_the_intervals_rivals_the_knee),
        cmocka_unit_test(karp_flatt_finds_the_serial_fraction_of_amdahl),
        cmocka_unit_test(a_growing_overhead_makes_the_serial_fraction_grow),
        cmocka_unit_test(a_study_that_does_not_begin_with_one_rank_is_relative_to_its_first_point),
        cmocka_unit_test(what_does_not_count_is_neither_base_nor_knee),
        cmocka_unit_test(the_knee_is_where_more_ranks_cost_more_than_they_bring),
        cmocka_unit_test(the_fit_finds_the_alpha_and_beta_of_made_up_times),
        cmocka_unit_test(a_fit_needs_two_sizes_and_is_never_negative),
        cmocka_unit_test(the_models_knee_moves_with_the_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
