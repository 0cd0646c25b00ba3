/* McNemar's test, on numbers that R and textbooks have. */
#include "support/fmd_test.h"

#include "measure/mcnemar.h"

#include <math.h>

#define assert_near(found, expected, limit) assert_true(fabs((found) - (expected)) <= (limit))

static double p_of(size_t b, size_t c)
{
    fmd_mcnemar m = {.only_first = b, .only_second = c};
    fmd_mcnemar_test(&m);
    return m.p;
}

static void test_mcnemar__counts_the_images_on_which_one_model_alone_is_right(void **state)
{
    (void)state;
    static const uint8_t labels[] = {0, 1, 2, 3, 4, 5}, first[] = {0, 1, 2, 0, 0, 5},
                         second[] = {0, 0, 0, 3, 1, 5};
    const fmd_mcnemar m = fmd_mcnemar_count(first, second, labels, 6);
    assert_int_equal(m.both, 2);
    assert_int_equal(m.only_first, 2);
    assert_int_equal(m.only_second, 1);
    assert_int_equal(m.neither, 1);
}

/* binom.test(b, b + c)$p.value of R. */
static void test_mcnemar__few_images_have_the_exact_binomial_probability(void **state)
{
    (void)state;
    assert_near(p_of(0, 0), 1, 0);
    assert_near(p_of(3, 3), 1, 0);
    assert_near(p_of(0, 5), 0.0625, 1e-12);
    assert_near(p_of(1, 9), 0.021484375, 1e-12);
    assert_near(p_of(9, 1), 0.021484375, 1e-12);
    assert_near(p_of(6, 18), 0.022655844688, 1e-10);
}

/* pchisq(63^2 / 236, 1, lower = FALSE) of R. */
static void test_mcnemar__many_images_have_the_corrected_chi_squared_probability(void **state)
{
    (void)state;
    assert_near(p_of(86, 150), 4.1145623e-05, 1e-10);
    assert_near(p_of(150, 86), 4.1145623e-05, 1e-10);
    assert_near(p_of(50, 50), 1, 0);
    fmd_mcnemar few = {.only_first = 12, .only_second = 12},
                many = {.only_first = 12, .only_second = 13};
    fmd_mcnemar_test(&few);
    fmd_mcnemar_test(&many);
    assert_true(few.exact && !many.exact);
}

/* p.adjust(c(0.01, 0.04, 0.03, 0.5), "holm") of R. */
static void test_holm__adjusts_as_r_does(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.5};
    static const double wanted[] = {0.04, 0.09, 0.09, 0.5};
    fmd_holm(p, 4);
    for (size_t i = 0; i < 4; i++)
        assert_near(p[i], wanted[i], 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mcnemar__counts_the_images_on_which_one_model_alone_is_right),
        cmocka_unit_test(test_mcnemar__few_images_have_the_exact_binomial_probability),
        cmocka_unit_test(test_mcnemar__many_images_have_the_corrected_chi_squared_probability),
        cmocka_unit_test(test_holm__adjusts_as_r_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
