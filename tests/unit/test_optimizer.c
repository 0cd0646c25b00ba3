/* Optimizers: what golden numbers do not show. */
#include "support/fmd_test.h"

#include "nn/optimizers/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IN = 70, UNITS = 31, KERNEL = IN * UNITS, PARAMS = KERNEL + UNITS };

/* Two tensors; the kernel is longer than a block. */
static fmd_model *create_model(void)
{
    fmd_model *m;
    assert_ok(fmd_model_create(&m, "dense:31:softmax", (fmd_shape){.rank = 1, .dim = {IN}}, 1));
    assert_int_equal(fmd_model_n_params(m), PARAMS);
    return m;
}

static float value(size_t i, size_t seed)
{
    return (float)((double)((i * 37 + seed * 101) % 211) / 211 - 0.4);
}

static fmd_optimizer *create(const char *spec, const fmd_model *m, float *params)
{
    fmd_optimizer *o;
    assert_ok(fmd_optimizer_create(&o, spec, PARAMS));
    assert_ok(fmd_optimizer_set_model(o, m));
    for (size_t i = 0; i < PARAMS; i++)
        params[i] = value(i, 0);
    return o;
}

static void make_grads(size_t step, float *grads)
{
    for (size_t i = 0; i < PARAMS; i++)
        grads[i] = value(i, 1 + step);
}

static double norm_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* Algorithm 1 of You et al., 2017, in double, for one tensor. */
static void lars_alone(size_t n, double *w, double *v, const float *g, double rate, double decay)
{
    double ww = 0, gg = 0;
    for (size_t i = 0; i < n; i++) {
        ww += w[i] * w[i];
        gg += (double)g[i] * (double)g[i];
    }
    const double local = 0.001 * sqrt(ww) / (sqrt(gg) + decay * sqrt(ww));
    for (size_t i = 0; i < n; i++) {
        v[i] = 0.9 * v[i] + rate * local * ((double)g[i] + decay * w[i]);
        w[i] -= v[i];
    }
}

static void test_optimizer__lars_is_the_algorithm_of_the_paper(void **state)
{
    (void)state;
    static double w[PARAMS], v[PARAMS];
    float params[PARAMS], grads[PARAMS];
    fmd_model *m = create_model();
    fmd_optimizer *o = create("lars:weight_decay=0.05", m, params);
    for (size_t i = 0; i < PARAMS; i++)
        w[i] = (double)params[i];
    for (size_t step = 0; step < 5; step++) {
        make_grads(step, grads);
        fmd_optimizer_step(o, params, grads, 10);
        lars_alone(KERNEL, w, v, grads, 10, 0.05);
        lars_alone(UNITS, w + KERNEL, v + KERNEL, grads + KERNEL, 10, 0.05);
    }
    for (size_t i = 0; i < PARAMS; i++)
        assert_float_equal((double)params[i], w[i], 2e-6);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

/* One step of `spec` over both tensors. */
static void one_step(const char *spec, float *params)
{
    float grads[PARAMS];
    fmd_model *m = create_model();
    fmd_optimizer *o = create(spec, m, params);
    make_grads(0, grads);
    fmd_optimizer_step(o, params, grads, 0.5);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

static void test_optimizer__kernels_only_leaves_biases_out_of_decay_and_trust_ratio(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *all, *kernels;
    } cases[] = {
        {"sgd", "sgd:weight_decay=0.1", "sgd:weight_decay=0.1:kernels_only"},
        {"sgd:momentum=0.9", "lars:weight_decay=0.1", "lars:weight_decay=0.1:kernels_only"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float plain[PARAMS], all[PARAMS], kernels[PARAMS];
        one_step(cases[i].plain, plain);
        one_step(cases[i].all, all);
        one_step(cases[i].kernels, kernels);
        assert_memory_equal(kernels, all, KERNEL * sizeof(float));
        assert_memory_equal(kernels + KERNEL, plain + KERNEL, UNITS * sizeof(float));
        assert_true(memcmp(all + KERNEL, plain + KERNEL, UNITS * sizeof(float)) != 0);
    }
}

static void test_optimizer__clipped_steps_have_the_norm_that_was_asked_for(void **state)
{
    (void)state;
    float before[PARAMS], after[PARAMS];
    for (size_t i = 0; i < PARAMS; i++)
        before[i] = value(i, 0);
    static const struct {
        const char *spec;
        double kernel, bias, all;
    } cases[] = {{"sgd:clipnorm=0.01", 0.005, 0.005, (double)NAN},
                 {"sgd:global_clipnorm=0.01", (double)NAN, (double)NAN, 0.005}};
    for (size_t i = 0; i < 2; i++) {
        one_step(cases[i].spec, after);
        for (size_t k = 0; k < PARAMS; k++)
            after[k] -= before[k];
        if (!isnan(cases[i].all)) {
            assert_float_equal(norm_of(after, PARAMS), cases[i].all, 1e-6);
            continue;
        }
        assert_float_equal(norm_of(after, KERNEL), cases[i].kernel, 1e-6);
        assert_float_equal(norm_of(after + KERNEL, UNITS), cases[i].bias, 1e-6);
    }
}

/* An optimizer reads its arguments and the common ones from one table. */
static void test_optimizer__arguments_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"adma", "--optimizer: 'adma' is not one of "
                 "adam|sgd|rmsprop|adamw|nadam|adamax|adagrad|adadelta|ftrl|"
                 "lion|lamb|lars (did you mean 'adam'?)"},
        {"adam:clipnorm=1:clipvalue=1",
         "--optimizer adam: only one of clipnorm, global_clipnorm and clipvalue may be given"},
        {"sgd:ema_momentum=0.9",
         "--optimizer sgd: ema_momentum and ema_overwrite_frequency need use_ema"},
        {"sgd:ema_overwrite_frequency=3",
         "--optimizer sgd: ema_momentum and ema_overwrite_frequency need use_ema"},
        {"adam:kernels_only", "--optimizer adam: kernels_only needs weight_decay"},
        {"adam:clipnorm=0",
         "--optimizer adam: clipnorm: '0' is not a number from 1e-09 to 1000000000, or none"},
        {"adam:weight_decay=-1",
         "--optimizer adam: weight_decay: '-1' is not a number from 0 to 1000, or none"},
    };
    fmd_optimizer *o = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_fails(fmd_optimizer_create(&o, wrong[i][0], 4), FMD_EUSAGE, wrong[i][1]);
    assert_null(o);
    static const char *const good[] = {"lamb:kernels_only", "adamw:kernels_only",
                                       "adamw:weight_decay=none", "lars:0.5:0.01"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(fmd_optimizer_create(&o, good[i], 4));
        fmd_optimizer_destroy(o);
    }
}

/* Keras' names are unique in the merged table, and the table fits. */
static void test_optimizer__own_arguments_do_not_hide_common_ones(void **state)
{
    (void)state;
    size_t n;
    const fmd_option *common = fmd_optimizer_common_args(&n);
    const fmd_optimizer_ops *ops;
    for (size_t i = 0; (ops = fmd_optimizer_ops_at(i)) != NULL; i++) {
        assert_non_null(ops->help);
        assert_true(ops->learning_rate > 0);
        assert_int_equal(ops->measure == NULL, ops->ratio == NULL);
        for (size_t k = 0; k < n; k++)
            assert_null(fmd_option_find(ops->args, ops->n_args, common[k].name));
    }
}

static void test_optimizer__averages_replace_the_parameters_at_the_end(void **state)
{
    (void)state;
    float params[PARAMS], grads[PARAMS], average[PARAMS];
    fmd_model *m = create_model();
    fmd_optimizer *o = create("sgd:use_ema:ema_momentum=0.75", m, params);
    float start[PARAMS];
    memcpy(start, params, sizeof start);
    fmd_optimizer_finish(o, params); /* no step is done: there is no average */
    assert_memory_equal(params, start, sizeof start);
    for (size_t step = 0; step < 3; step++) {
        make_grads(step, grads);
        fmd_optimizer_step(o, params, grads, 0.1);
        for (size_t i = 0; i < PARAMS; i++)
            average[i] = step == 0 ? params[i] : 0.75f * average[i] + 0.25f * params[i];
    }
    assert_memory_not_equal(params, average, sizeof average);
    fmd_optimizer_finish(o, params);
    for (size_t i = 0; i < PARAMS; i++)
        assert_float_equal((double)params[i], (double)average[i], 1e-7);
    assert_string_equal(fmd_optimizer_slot_name(o, 0), "average");
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizer__lars_is_the_algorithm_of_the_paper),
        cmocka_unit_test(test_optimizer__kernels_only_leaves_biases_out_of_decay_and_trust_ratio),
        cmocka_unit_test(test_optimizer__clipped_steps_have_the_norm_that_was_asked_for),
        cmocka_unit_test(test_optimizer__arguments_are_checked),
        cmocka_unit_test(test_optimizer__own_arguments_do_not_hide_common_ones),
        cmocka_unit_test(test_optimizer__averages_replace_the_parameters_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
