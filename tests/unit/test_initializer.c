/* Initialisers: mean, variance, bound and shape of each distribution, as Keras documents them. No
 * random numbers of Keras' are compared. */
#include "support/fmd_test.h"

#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum form { UNIFORM, CUT_NORMAL } form;

/* For kernels of 784 x 128 and 128 x 10: V, and the bound sqrt(3 V), or of the normal ones, which
 * are cut at two standard deviations and widened to have variance V, 2 sqrt(V) / 0.8796. */
typedef struct expected {
    const char *name;
    form form;
    double variance[2], bound[2];
} expected;

static const expected table[] = {
    {"glorot_uniform", UNIFORM, {2.0 / 912, 2.0 / 138}, {0.081111, 0.208514}},
    {"glorot_normal", CUT_NORMAL, {2.0 / 912, 2.0 / 138}, {0.106475, 0.273721}},
    {"he_uniform", UNIFORM, {2.0 / 784, 2.0 / 128}, {0.087482, 0.216506}},
    {"he_normal", CUT_NORMAL, {2.0 / 784, 2.0 / 128}, {0.114839, 0.284212}},
    {"lecun_uniform", UNIFORM, {1.0 / 784, 1.0 / 128}, {0.061859, 0.153093}},
    {"lecun_normal", CUT_NORMAL, {1.0 / 784, 1.0 / 128}, {0.081203, 0.200968}},
};

static fmd_model *new_model(const char *layers, int in, uint64_t seed)
{
    fmd_model *m;
    assert_ok(fmd_model_create(&m, layers, (fmd_shape){1, {in}}, 1));
    fmd_model_init(m, seed);
    return m;
}

static fmd_model *tutorial(const char *initializer, uint64_t seed)
{
    char layers[256];
    snprintf(layers, sizeof layers, "dense:128:%s,dense:10:softmax:%s", initializer, initializer);
    return new_model(layers, 784, seed);
}

static const float *values_of(const fmd_model *m, size_t tensor)
{
    return fmd_model_params(m) + fmd_model_tensor(m, tensor)->offset;
}

/* P(X <= x) for x in units of the bound, -1 to 1. */
static double distribution(form f, double x)
{
    if (f == UNIFORM)
        return (x + 1) / 2;
    return 0.5 + 0.5 * erf(2 * x / sqrt(2)) / erf(2 / sqrt(2));
}

static int compare_floats(const void *a, const void *b)
{
    float x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* sqrt(n) times the largest distance of the distributions (Kolmogorov and Smirnov): beyond 2 with
 * probability 7e-4. */
static double kolmogorov(const float *values, size_t n, form f, double bound)
{
    float *sorted = malloc(n * sizeof *sorted);
    assert_non_null(sorted);
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_floats);
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        double p = distribution(f, (double)sorted[i] / bound);
        const double below = fabs(p - (double)i / (double)n);
        const double above = fabs(p - (double)(i + 1) / (double)n);
        const double distance = below > above ? below : above;
        most = distance > most ? distance : most; /* fmax here crashes gcc 12 for aarch64 */
    }
    free(sorted);
    return most * sqrt((double)n);
}

typedef struct moments {
    double mean, variance, largest;
} moments;

static moments moments_of(const float *values, size_t n)
{
    double sum = 0, squares = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double v = (double)values[i];
        sum += v;
        squares += v * v;
        largest = fabs(v) > largest ? fabs(v) : largest; /* see above */
    }
    return (moments){sum / (double)n, squares / (double)n, largest};
}

static void test_initializer__mean_variance_and_bound_are_those_of_keras(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const expected *e = &table[i];
        fmd_model *m = tutorial(e->name, 1);
        for (size_t k = 0; k < 2; k++) {
            const fmd_tensor *t = fmd_model_tensor(m, 2 * k);
            const double n = (double)t->count, bound = e->bound[k];
            moments v = moments_of(values_of(m, 2 * k), t->count);
            /* Four standard deviations of the mean and, with E x^4 <= 2.2 V^2, of the variance. */
            assert_true(fabs(v.mean) < 4 * sqrt(e->variance[k] / n));
            assert_true(fabs(v.variance / e->variance[k] - 1) < 4 * sqrt(1.2 / n));
            /* The bound is rounded to six digits. The largest of many values comes near it. */
            assert_true(v.largest < bound + 1e-6);
            assert_true(v.largest > bound * (t->count > 10000 ? 0.999 : 0.98));
            assert_true(kolmogorov(values_of(m, 2 * k), t->count, e->form, bound) < 2);
        }
        fmd_model_destroy(m);
    }
}

/* The test above tells every initialiser from every other. */
static void test_initializer__another_distribution_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fmd_model *m = tutorial(table[i].name, 1);
        size_t n = fmd_model_tensor(m, 0)->count;
        for (size_t j = 0; j < sizeof table / sizeof table[0]; j++) {
            double k = kolmogorov(values_of(m, 0), n, table[j].form, table[j].bound[0]);
            assert_true(i == j ? k < 2 : k > 4);
        }
        fmd_model_destroy(m);
    }
}

static void test_initializer__kernels_are_glorot_uniform_and_biases_zero_by_default(void **state)
{
    (void)state;
    fmd_model *m = new_model("dense:128:relu,dense:10:softmax", 784, 1);
    fmd_model *glorot = tutorial("glorot_uniform", 1);
    size_t n = fmd_model_n_params(m);
    assert_int_equal(n, fmd_model_n_params(glorot));
    assert_memory_equal(fmd_model_params(m), fmd_model_params(glorot), n * sizeof(float));
    for (size_t i = 1; i < 4; i += 2)
        for (size_t j = 0; j < fmd_model_tensor(m, i)->count; j++)
            assert_true(values_of(m, i)[j] == 0);
    fmd_model_destroy(m);
    fmd_model_destroy(glorot);
}

static void test_initializer__zeros_and_ones(void **state)
{
    (void)state;
    const char *const names[] = {"zeros", "ones"};
    for (int i = 0; i < 2; i++) {
        fmd_model *m = tutorial(names[i], 1);
        for (size_t j = 0; j < fmd_model_tensor(m, 0)->count; j++)
            assert_true(values_of(m, 0)[j] == (float)i);
        fmd_model_destroy(m);
    }
}

/* Values depend on the seed and the number of the tensor only: not on earlier values, nor on the
 * initialisers of other tensors. */
static void test_initializer__order_and_history_do_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fmd_model *m = tutorial(table[i].name, 1);
        const size_t n = fmd_model_n_params(m), kernel = fmd_model_tensor(m, 0)->count;
        float *before = malloc(n * sizeof *before);
        assert_non_null(before);
        memcpy(before, fmd_model_params(m), n * sizeof *before);
        fmd_model_init(m, 2);
        assert_memory_not_equal(values_of(m, 0), before, kernel * sizeof *before);
        fmd_model_init(m, 1);
        assert_memory_equal(fmd_model_params(m), before, n * sizeof *before);

        char layers[256];
        snprintf(layers, sizeof layers, "dense:128:%s,dense:64,dense:3:softmax:ones",
                 table[i].name);
        fmd_model *other = new_model(layers, 784, 1);
        assert_memory_equal(values_of(other, 0), before, kernel * sizeof *before);
        free(before);
        fmd_model_destroy(m);
        fmd_model_destroy(other);
    }
}

/* n correlated pairs show a mean product of about V; independent ones of V / sqrt(n). */
static void test_initializer__tensors_and_neighbours_are_independent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char layers[256];
        snprintf(layers, sizeof layers, "dense:128:%s,dense:128:%s,dense:3:softmax", table[i].name,
                 table[i].name);
        fmd_model *m = new_model(layers, 128, 1);
        const float *a = values_of(m, 0), *b = values_of(m, 2);
        const size_t n = fmd_model_tensor(m, 0)->count;
        const size_t lags[] = {1, 2, 3, 4, 128};
        const double variance = moments_of(a, n).variance;
        double across = 0;
        for (size_t j = 0; j < n; j++)
            across += (double)a[j] * (double)b[j];
        assert_true(fabs(across / (double)n) < 4 * variance / sqrt((double)n));
        for (size_t k = 0; k < sizeof lags / sizeof lags[0]; k++) {
            double along = 0;
            for (size_t j = lags[k]; j < n; j++)
                along += (double)a[j] * (double)a[j - lags[k]];
            assert_true(fabs(along / (double)n) < 4 * variance / sqrt((double)n));
        }
        fmd_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initializer__mean_variance_and_bound_are_those_of_keras),
        cmocka_unit_test(test_initializer__another_distribution_is_seen),
        cmocka_unit_test(test_initializer__kernels_are_glorot_uniform_and_biases_zero_by_default),
        cmocka_unit_test(test_initializer__zeros_and_ones),
        cmocka_unit_test(test_initializer__order_and_history_do_not_matter),
        cmocka_unit_test(test_initializer__tensors_and_neighbours_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
