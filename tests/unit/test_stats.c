#include "measure/stats.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double found, double expected)
{
    assert_true(fabs(found - expected) <= 1e-12 * (1 + fabs(expected)));
}

/* numpy.percentile and numpy.std(ddof=1) of NumPy 1.24.2. */
static void test_stats__percentiles_and_deviation_are_those_of_numpy(void **state)
{
    (void)state;
    double x[] = {3.0, 1.5, 2.25, 9.0, 4.0, 7.5, -1.0};
    const size_t n = sizeof x / sizeof *x;
    const fmd_stats s = fmd_stats_of(x, n);
    assert_near(s.min, -1);
    assert_near(s.q1, 1.875);
    assert_near(s.median, 3);
    assert_near(s.q3, 5.75);
    assert_near(s.max, 9);
    assert_near(s.mean, 3.75);
    assert_near(s.stddev, 3.467107343785787);
    assert_near(fmd_percentile(x, n, 0.1), 0.5);
    assert_near(fmd_percentile(x, n, 0.99), 8.91);
    assert_near(fmd_percentile(x, n, 0), -1);
    assert_near(fmd_percentile(x, n, 1), 9);
}

static void test_stats__median_of_an_even_number_is_between_the_middle_ones(void **state)
{
    (void)state;
    double x[] = {4, 1, 3, 2};
    assert_near(fmd_stats_of(x, 4).median, 2.5);
}

/* The places k of the interval's ends, from exact binomial sums in Python. */
static void test_stats__interval_of_the_median_has_95_percent(void **state)
{
    (void)state;
    static const struct {
        size_t n, k;
    } cases[] = {{6, 1},  {8, 1},  {9, 2},    {10, 2},    {11, 2},
                 {12, 3}, {20, 6}, {100, 40}, {1000, 469}};
    double x[1000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = cases[i].n, k = cases[i].k;
        for (size_t j = 0; j < n; j++)
            x[j] = (double)(n - j); /* 1 to n, from the largest */
        const fmd_stats s = fmd_stats_of(x, n);
        assert_near(s.low, (double)k);
        assert_near(s.high, (double)(n + 1 - k));
    }
}

/* Of 2,000 samples of ten values with the median 0 the interval should miss it in 2.1 %. */
static void test_stats__interval_covers_the_median_as_often_as_it_says(void **state)
{
    (void)state;
    enum { SAMPLES = 2000, N = 10 };
    unsigned short seed[] = {1, 2, 3};
    int missed = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double x[N];
        for (int j = 0; j < N; j++) {
            const double u = erand48(seed) * 2 - 1;
            x[j] = u * u * u; /* far from a normal distribution */
        }
        const fmd_stats s = fmd_stats_of(x, N);
        missed += s.low > 0 || s.high < 0;
    }
    assert_in_range(missed, 1, SAMPLES / 20);
}

static void test_stats__few_values_have_no_interval(void **state)
{
    (void)state;
    double x[] = {1, 2, 3, 4, 5};
    const fmd_stats five = fmd_stats_of(x, 5), one = fmd_stats_of(x, 1), none = fmd_stats_of(x, 0);
    assert_true(isnan(five.low) && isnan(five.high));
    assert_true(one.median == 1 && one.q1 == 1 && one.max == 1 && one.stddev == 0);
    assert_true(isnan(none.median) && isnan(none.mean) && isnan(fmd_percentile(x, 0, 0.5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats__percentiles_and_deviation_are_those_of_numpy),
        cmocka_unit_test(test_stats__median_of_an_even_number_is_between_the_middle_ones),
        cmocka_unit_test(test_stats__interval_of_the_median_has_95_percent),
        cmocka_unit_test(test_stats__interval_covers_the_median_as_often_as_it_says),
        cmocka_unit_test(test_stats__few_values_have_no_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
