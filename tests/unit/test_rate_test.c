/* The learning rate range test, on made-up losses. */
#include "support/fmd_test.h"

#include "measure/rate_test.h"

#include <math.h>

enum { N = 200 };

static double rate[N], loss[N], smooth[N];

/* Falls around a rate of 1e-3, rises from 1e-1. */
static double made_up(double r)
{
    return 2.3 - 1.8 / (1 + exp(-4 * (log10(r) + 3))) + (r > 0.1 ? 30 * (r - 0.1) : 0);
}

static fmd_rate_test run(double (*f)(double r))
{
    fmd_rate_test t = {.planned = N, .rate = rate, .loss = loss, .smooth = smooth};
    for (int i = 0; i < N; i++) {
        const double r = 1e-6 * pow(1e6, i / (N - 1.0));
        if (fmd_rate_test_add(&t, r, f(r)))
            break;
    }
    return t;
}

static void test_rate_test__finds_descent_and_minimum_of_a_made_up_curve(void **state)
{
    (void)state;
    fmd_rate_test t = run(made_up);
    assert_true(t.n < N); /* ended when the loss had risen */
    assert_true(fmd_rate_test_choose(&t));
    assert_true(fabs(log10(t.steepest) + 3) < 0.4);
    assert_true(fabs(log10(t.lowest) + 1) < 0.4);
    assert_true(fabs(log10(t.suggestion) - (log10(t.steepest) + log10(t.lowest) - 1) / 2) < 1e-9);
}

static double constant(double r)
{
    (void)r;
    return 2.5;
}

/* The average is corrected for its start: a constant stays what it is. */
static void test_rate_test__a_loss_that_never_falls_gives_no_suggestion(void **state)
{
    (void)state;
    fmd_rate_test t = run(constant);
    assert_int_equal(t.n, N);
    for (int i = 0; i < N; i++)
        assert_true(fabs(t.smooth[i] - 2.5) < 1e-12);
    assert_false(fmd_rate_test_choose(&t));
}

static double breaks(double r)
{
    return r > 1e-3 ? (double)NAN : 2;
}

static void test_rate_test__a_loss_that_is_no_number_ends_the_test(void **state)
{
    (void)state;
    const fmd_rate_test t = run(breaks);
    assert_true(t.n < N);
    assert_true(isnan(t.smooth[t.n - 1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_test__finds_descent_and_minimum_of_a_made_up_curve),
        cmocka_unit_test(test_rate_test__a_loss_that_never_falls_gives_no_suggestion),
        cmocka_unit_test(test_rate_test__a_loss_that_is_no_number_ends_the_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
