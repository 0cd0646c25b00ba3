#include "fmd/model.h"

#include "support/fmd_test.h"

#include <string.h>

static const fmd_shape image = {.rank = 2, .dim = {28, 28}};

static void test_model__the_tutorial_has_101770_parameters(void **state)
{
    (void)state;
    fmd_model *m;
    assert_ok(fmd_model_create(&m, "flatten,dense:128:relu,dense:10:softmax", image, 8));
    assert_int_equal(fmd_model_n_params(m), 101770);
    assert_int_equal(fmd_model_n_tensors(m), 4);
    assert_int_equal(fmd_model_tensor(m, 2)->offset, 784 * 128 + 128);
    assert_int_equal(fmd_model_classes(m), 10);
    assert_ok(fmd_model_check_classes(m, 10, "Ankle boot"));
    fmd_model_destroy(m);
}

static void test_model__layers_are_named_as_keras_names_them(void **state)
{
    (void)state;
    static const char *const names[] = {"flatten",       "dense",   "leaky_re_lu",
                                        "leaky_re_lu_1", "dropout", "dense_1"};
    fmd_model *m;
    assert_ok(fmd_model_create(
        &m, "flatten, dense:8, leakyrelu, leakyrelu:0.1, dropout:0.5, dense:10:softmax", image, 1));
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(fmd_model_layer(m, i)->name, names[i]);
    fmd_model_destroy(m);
}

/* Exercise 3 of the tutorial: no Flatten. */
static void test_model__without_flatten_the_cure_is_named(void **state)
{
    (void)state;
    fmd_model *m;
    assert_ok(fmd_model_create(&m, "dense:128:relu,dense:10:softmax", image, 1));
    assert_fails(fmd_model_check_classes(m, 10, "Ankle boot"), FMD_EUSAGE,
                 "model output is (batch, 28, 10) but labels are (batch): the last layer must give "
                 "one row of class scores per image. Dense works on the last axis only; put "
                 "\"flatten\" before the first dense layer: "
                 "--layers 'flatten,dense:128:relu,dense:10:softmax'");
    fmd_model_destroy(m);
}

/* Exercise 4: five outputs. */
static void test_model__too_few_outputs_are_named(void **state)
{
    (void)state;
    fmd_model *m;
    assert_ok(fmd_model_create(&m, "flatten,dense:128:relu,dense:5:softmax", image, 1));
    assert_fails(fmd_model_check_classes(m, 10, "Ankle boot"), FMD_EUSAGE,
                 "labels go up to 9 (Ankle boot) but the last layer has 5 units: need 10, one for "
                 "each class");
    fmd_model_destroy(m);
}

static void test_model__a_model_must_end_in_a_softmax(void **state)
{
    (void)state;
    fmd_model *m;
    assert_ok(fmd_model_create(&m, "flatten,dense:10:relu", image, 1));
    assert_fails(fmd_model_check_classes(m, 10, "9"), FMD_EUSAGE,
                 "the model must end in a softmax, which makes probabilities of the scores: "
                 "--layers '...,dense:10:softmax'");
    fmd_model_destroy(m);
}

static void test_model__faults_in_a_spec_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } faults[] = {
        {"", "--layers: there is no layer"},
        {"dens:8", "--layers: there is no layer 'dens'; there are "
                   "dense|flatten|dropout|activation|leakyrelu (did you mean 'dense'?)"},
        {"flatten,,dense:8", "--layers: there is no layer ''; there are "
                             "dense|flatten|dropout|activation|leakyrelu"},
        {"dense", "--layers: dense: needs units; it takes units, activation, init, [no]bias"},
        {"dense:0", "--layers: dense:0: units: '0' is not an integer from 1 to 65536"},
        {"dense:8:rely", "--layers: dense:8:rely: does not understand 'rely' (did you mean "
                         "'relu'?); it takes units, "
                         "activation, init, [no]bias"},
        {"dense:8:activation=rely",
         "--layers: dense:8:activation=rely: activation: 'rely' is not one of "
         "linear|relu|leaky_relu|elu|gelu|sigmoid|tanh|softmax (did you mean 'relu'?)"},
        {"flatten:3", "--layers: flatten:3: does not understand '3'; it takes no arguments"},
        {"dropout:1.5", "--layers: dropout:1.5: rate: '1.5' is not a number from 0 to 0.99"},
    };
    fmd_model *untouched = NULL, *m = untouched;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_fails(fmd_model_create(&m, faults[i].spec, image, 1), FMD_EUSAGE, faults[i].message);
    assert_ptr_equal(m, untouched);
}

/* 2^32 values, which an int would take for none. */
static void test_model__a_row_that_is_too_long_is_refused(void **state)
{
    (void)state;
    fmd_model *m;
    const fmd_shape in = {.rank = 3, .dim = {256, 256, 1}};
    assert_fails(fmd_model_create(&m, "dense:65536,flatten,dense:10:softmax", in, 1), FMD_EUSAGE,
                 "--layers: flatten: its input, (256, 256, 65536), has 4294967296 values: at most "
                 "2147483647");
}

/* A tensor's values depend on the seed and its number alone. */
static void test_model__parameters_are_a_function_of_the_seed(void **state)
{
    (void)state;
    fmd_model *a, *b;
    assert_ok(fmd_model_create(&a, "flatten,dense:8,dense:10:softmax", image, 1));
    assert_ok(fmd_model_create(&b, "flatten,dense:8,dense:10:softmax", image, 64));
    fmd_model_init(a, 5);
    fmd_model_init(b, 5);
    assert_true(fmd_model_hash(a).low == fmd_model_hash(b).low);
    fmd_model_init(b, 6);
    assert_true(fmd_model_hash(a).low != fmd_model_hash(b).low);
    fmd_model_destroy(a);
    fmd_model_destroy(b);
}

/* Dropout's mask belongs to a place in the global batch, not to a row of this pass. */
static void test_model__a_mask_belongs_to_a_place_in_the_batch(void **state)
{
    (void)state;
    enum { ROWS = 8, OUT = 6 };
    static float whole[ROWS * OUT], part[ROWS / 2 * OUT];
    fmd_model *m;
    const fmd_shape in = {.rank = 1, .dim = {OUT}};
    assert_ok(fmd_model_create(&m, "dropout:0.5", in, ROWS));
    for (int i = 0; i < ROWS * OUT; i++)
        fmd_model_input(m)[i] = 1;
    fmd_pass p = {
        .microbatches = 2, .microbatch_size = ROWS / 2, .training = true, .seed = 1, .step = 3};
    memcpy(whole, fmd_model_forward(m, &p), sizeof whole);
    p.microbatches = 1;
    p.first_sample = ROWS / 2;
    memcpy(part, fmd_model_forward(m, &p), sizeof part);
    assert_memory_equal(part, whole + ROWS / 2 * OUT, sizeof part);
    p.step = 4;
    assert_memory_not_equal(fmd_model_forward(m, &p), part, sizeof part);
    p.training = false;
    assert_memory_equal(fmd_model_forward(m, &p), fmd_model_input(m), sizeof part);
    fmd_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model__the_tutorial_has_101770_parameters),
        cmocka_unit_test(test_model__layers_are_named_as_keras_names_them),
        cmocka_unit_test(test_model__without_flatten_the_cure_is_named),
        cmocka_unit_test(test_model__too_few_outputs_are_named),
        cmocka_unit_test(test_model__a_model_must_end_in_a_softmax),
        cmocka_unit_test(test_model__faults_in_a_spec_are_named),
        cmocka_unit_test(test_model__a_row_that_is_too_long_is_refused),
        cmocka_unit_test(test_model__parameters_are_a_function_of_the_seed),
        cmocka_unit_test(test_model__a_mask_belongs_to_a_place_in_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
