/* Penalties and largest norms of kernels. */
#include "nn/regularizer.h"

#include "support/fmd_test.h"

#include <math.h>
#include <string.h>

static fmd_model *open_model(const char *layers)
{
    fmd_model *m;
    assert_ok(fmd_model_create(&m, layers, (fmd_shape){3, {4, 4, 2}}, 1));
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        fmd_model_params(m)[i] = (float)((double)(i * 37 % 101) / 50 - 1);
    return m;
}

static void test_regularizer__models_without_one_have_none(void **state)
{
    (void)state;
    fmd_model *m = open_model("conv2d:3:2,batch_normalization,flatten,dense:5");
    assert_false(fmd_regularizer_exists(m));
    assert_true(fmd_regularizer_loss(m) == 0);
    fmd_model_destroy(m);
}

static const char *const regularized[] = {
    "conv2d:3:2:l2=0.25,flatten,dense:5",
    "conv2d:3:2,flatten,dense:5:l2=0.5",
    "depthwise_conv2d:2:l2=0.25,flatten,dense:5:l2=0.125",
    "separable_conv2d:3:2:l2=0.25,flatten,dense:5",
    "separable_conv2d:3:2:pointwise_l2=0.25,flatten,dense:5",
};

/* The penalty of the kernels alone, and its derivative, in pieces of any size. */
static void test_regularizer__the_gradient_is_that_of_the_penalty(void **state)
{
    (void)state;
    float zeros[1024] = {0}, gradient[1024];
    for (size_t i = 0; i < sizeof regularized / sizeof *regularized; i++) {
        fmd_model *m = open_model(regularized[i]);
        const size_t n = fmd_model_n_trainable_params(m);
        size_t with_penalty = 0;
        assert_true(n <= 1024 && fmd_regularizer_exists(m));
        for (size_t first = 0; first < n; first += 7)
            fmd_regularizer_gradient(m, first, n - first < 7 ? n - first : 7, zeros + first,
                                     gradient + first);
        for (size_t k = 0; k < n; k++) {
            float *w = &fmd_model_params(m)[k];
            const float before = *w;
            *w = before + 0.125f;
            const double above = fmd_regularizer_loss(m);
            *w = before - 0.125f;
            const double slope = (above - fmd_regularizer_loss(m)) / 0.25;
            *w = before;
            assert_true(fabs(slope - (double)gradient[k]) < 1e-6);
            with_penalty += gradient[k] != 0;
        }
        assert_true(with_penalty > 0 && with_penalty < n);
        fmd_model_destroy(m);
    }
}

static void test_regularizer__the_penalty_is_added_to_the_gradient(void **state)
{
    (void)state;
    fmd_model *m = open_model("flatten,dense:2:l2=0.5");
    const float given[2] = {3, 5};
    float out[2];
    fmd_regularizer_gradient(m, 1, 2, given, out);
    assert_true(out[0] == 3 + fmd_model_params(m)[1] && out[1] == 5 + fmd_model_params(m)[2]);
    fmd_model_destroy(m);
}

/* As Keras' MaxNorm(axis=0): each column of a dense kernel. */
static void test_regularizer__columns_keep_a_largest_norm(void **state)
{
    (void)state;
    fmd_model *m = open_model("flatten,dense:2:max_norm=1.5");
    float *w = fmd_model_params(m), before[64];
    for (size_t i = 0; i < 32; i++) {
        w[2 * i] = 0.5f; /* norm 2.83 */
        w[2 * i + 1] = 0.125f;
    }
    memcpy(before, w, sizeof before);
    fmd_regularizer_constrain(m);
    double squares = 0;
    for (size_t i = 0; i < 32; i++) {
        squares += (double)w[2 * i] * (double)w[2 * i];
        assert_true(w[2 * i + 1] == before[2 * i + 1]);
    }
    assert_true(fabs(sqrt(squares) - 1.5) < 1e-5);
    fmd_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regularizer__models_without_one_have_none),
        cmocka_unit_test(test_regularizer__the_gradient_is_that_of_the_penalty),
        cmocka_unit_test(test_regularizer__the_penalty_is_added_to_the_gradient),
        cmocka_unit_test(test_regularizer__columns_keep_a_largest_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
