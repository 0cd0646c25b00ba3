/* Value and derivative of the activations against real Keras (tests/golden/README.md). Softmax is
 * in test_golden_model. */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "nn/activations/activation.h"

#include <math.h>
#include <string.h>

enum { N = 243 };

static const double limit = 4e-6; /* of the largest value */

static const char *const names[] = {
#define NAME(name) #name,
    FMD_ACTIVATION_LIST(NAME)
#undef NAME
};

typedef struct differences {
    closeness value, derivative, value64, derivative64, small;
} differences;

static const fmd_activation *activation_called(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return fmd_activation_at((int)i);
    fail_msg("there is no activation '%s'", name);
    return NULL;
}

/* f(x) and f'(x) for x as `rows` rows. `in_place`: y may be x, and then only y is left where the
 * activation says that it does not need x. */
static void apply(const fmd_activation *a, size_t samples, bool in_place, const float *x, float *y,
                  float *dydx)
{
    size_t cols = N / samples;
    memcpy(y, x, N * sizeof *y);
    a->forward(samples, cols, in_place ? y : x, y);
    for (size_t i = 0; i < N; i++)
        dydx[i] = 1;
    if (a->backward != NULL)
        a->backward(samples, cols, a->needs_input ? x : NULL, y, dydx);
}

static void compare(const golden *g, const char *name, void *context)
{
    differences *d = context;
    const fmd_activation *a = activation_called(name);
    assert_string_equal(a->name, name);
    const float *x = golden_floats(g, N, "x");
    const float *keras_y = golden_floats(g, N, "%s/y", name);
    const float *keras_dydx = golden_floats(g, N, "%s/dydx", name);
    const double *true_y = golden_doubles(g, N, "%s/y64", name);
    const double *true_dydx = golden_doubles(g, N, "%s/dydx64", name);
    float y[N], dydx[N], y2[N], dydx2[N];
    apply(a, 1, false, x, y, dydx);
    double most_y = largest(N, keras_y), most_dydx = largest(N, keras_dydx);
    closeness_add(&d->value, largest_difference(N, y, keras_y) / most_y, limit, "%s", name);
    closeness_add(&d->derivative, largest_difference(N, dydx, keras_dydx) / most_dydx, limit, "%s",
                  name);
    closeness_add(&d->value64, largest_difference64(N, y, true_y) / most_y, limit, "%s", name);
    closeness_add(&d->derivative64, largest_difference64(N, dydx, true_dydx) / most_dydx, limit,
                  "%s", name);
    /* The largest value of most is 100, which says little about the others. */
    for (size_t i = 0; i < N; i++) {
        closeness_add(&d->small, fabs((double)y[i] - true_y[i]), limit * fmax(1, fabs(true_y[i])),
                      "%s(%g)", name, (double)x[i]);
        closeness_add(&d->small, fabs((double)dydx[i] - true_dydx[i]), limit, "%s'(%g)", name,
                      (double)x[i]);
    }
    /* The same bits in other forms. */
    for (size_t samples = 1; samples <= N; samples *= 3) {
        apply(a, samples, true, x, y2, dydx2);
        assert_memory_equal(y2, y, sizeof y);
        assert_memory_equal(dydx2, dydx, sizeof dydx);
    }
}

static void test_golden_activation__values_and_derivatives_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("activation");
    differences d = {.value = {.what = "values over the largest"},
                     .derivative = {.what = "derivatives over the largest"},
                     .value64 = {.what = "values over the largest, to Keras' float64"},
                     .derivative64 = {.what = "derivatives over the largest, to Keras' float64"},
                     .small = {.what = "each value and derivative"}};
    golden_each(g, "cases", compare, &d);
    closeness_check(&d.value);
    closeness_check(&d.derivative);
    closeness_check(&d.value64);
    closeness_check(&d.derivative64);
    closeness_check(&d.small);
    golden_close(g);
}

static void count_name(const golden *g, const char *name, void *count)
{
    (void)g;
    *(size_t *)count += activation_called(name) != NULL;
}

static void test_golden_activation__all_but_softmax_are_in_the_file(void **state)
{
    (void)state;
    golden *g = golden_open("activation");
    size_t n = 0;
    golden_each(g, "cases", count_name, &n);
    assert_int_equal(n, sizeof names / sizeof names[0] - 1);
    assert_non_null(activation_called("softmax"));
    golden_close(g);
}

/* Mistakes that others have made: a slope of 0.3, and gelu by tanh. */
static void test_golden_activation__near_misses_are_seen(void **state)
{
    (void)state;
    golden *g = golden_open("activation");
    const float *x = golden_floats(g, N, "x");
    const double *leaky = golden_doubles(g, N, "leaky_relu/y64");
    const double *gelu = golden_doubles(g, N, "gelu/y64");
    float slope[N], by_tanh[N];
    for (size_t i = 0; i < N; i++) {
        double v = (double)x[i];
        slope[i] = (float)(v > 0 ? v : 0.3 * v);
        by_tanh[i] = (float)(0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))));
    }
    assert_true(largest_difference64(N, slope, leaky) > 100 * limit * 100);
    assert_true(largest_difference64(N, by_tanh, gelu) > 20 * limit);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_activation__values_and_derivatives_match_keras),
        cmocka_unit_test(test_golden_activation__all_but_softmax_are_in_the_file),
        cmocka_unit_test(test_golden_activation__near_misses_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
