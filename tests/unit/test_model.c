#include "math/gemm.h"
#include "nn/model.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
        &m, "flatten, dense:8, leaky_re_lu, leaky_re_lu:0.1, dropout:0.5, dense:10:softmax", image,
        1));
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
        {"", "model: there is no layer"},
        {"dens:8", "model: there is no layer 'dens' (did you mean 'dense'?); 'fmnist-dist help "
                   "train' lists them"},
        {"flatten,,dense:8", "model: there is no layer ''; 'fmnist-dist help train' lists them"},
        {"dense",
         "model: dense: needs units; it takes units, activation, init, [no]bias, l2, max_norm"},
        {"dense:0", "model: dense:0: units: '0' is not an integer from 1 to 65536"},
        {"dense:8:rely", "model: dense:8:rely: does not understand 'rely' (did you mean "
                         "'relu'?); it takes units, "
                         "activation, init, [no]bias, l2, max_norm"},
        {"dense:8:activation=rely",
         "model: dense:8:activation=rely: activation: 'rely' is not one of "
         "linear|relu|leaky_relu|elu|gelu|sigmoid|tanh|softmax (did you mean 'relu'?)"},
        {"flatten:3", "model: flatten:3: does not understand '3'; it takes no arguments"},
        {"dropout:1.5", "model: dropout:1.5: rate: '1.5' is not a number from 0 to 0.99"},
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
                 "model: dense: its output (256, 256, 65536) has 4294967296 values: at most "
                 "2147483647");
    const fmd_shape long_row = {.rank = 1, .dim = {1 << 30}};
    assert_fails(fmd_model_create(&m, "relu,concatenate:input:input:input", long_row, 1),
                 FMD_EUSAGE,
                 "model: concatenate: axis 1 would have 4294967296 values: at most 2147483647");
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
    memcpy(whole, fmd_model_forward(m, &p, NULL), sizeof whole);
    p.microbatches = 1;
    p.first_sample = ROWS / 2;
    memcpy(part, fmd_model_forward(m, &p, NULL), sizeof part);
    assert_memory_equal(part, whole + ROWS / 2 * OUT, sizeof part);
    p.step = 4;
    assert_memory_not_equal(fmd_model_forward(m, &p, NULL), part, sizeof part);
    p.training = false;
    assert_memory_equal(fmd_model_forward(m, &p, NULL), fmd_model_input(m), sizeof part);
    fmd_model_destroy(m);
}

/* The last layer's values for the samples in `x`. */
static const float *forward(fmd_model *m, const float *x, size_t samples)
{
    const fmd_pass p = {.microbatches = 1, .microbatch_size = (int)samples};
    memcpy(fmd_model_input(m), x, samples * fmd_shape_count(fmd_model_in(m)) * sizeof *x);
    return fmd_model_forward(m, &p, NULL);
}

static void test_model__names_join_branches(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        size_t n;
        float y[8];
    } cases[] = {
        {"relu,add:input", 2, {2, -2}},
        {"relu@a,from:input,add:a:a", 2, {3, -2}},
        {"relu@r,from:input,leaky_re_lu:0.5@l,concatenate:input:r", 6, {1, -1, 1, -2, 1, 0}},
        {"reshape:1x2@a,concatenate:a:axis=1,flatten", 4, {1, -2, 1, -2}},
        {"reshape:2x1@a,concatenate:a:axis=2,flatten", 4, {1, 1, -2, -2}},
        {"reshape:2x1@a,concatenate:a,flatten", 4, {1, 1, -2, -2}},
        {"relu@a,from:input,flatten@b,from:a,concatenate:b", 4, {1, 0, 1, -2}},
        {"relu@a,add:a@b,add:a:b@c,from:a,add:c", 2, {6, 0}},
    };
    const float x[] = {1, -2};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_model *m;
        assert_ok(fmd_model_create(&m, cases[i].spec, (fmd_shape){1, {2}}, 1));
        assert_int_equal(fmd_model_classes(m), cases[i].n);
        assert_memory_equal(forward(m, x, 1), cases[i].y, cases[i].n * sizeof(float));
        fmd_model_destroy(m);
    }
}

/* With a layer of images, wherever it stands, 28 x 28 pixels are 28 x 28 x 1. */
static void test_model__grey_images_get_a_channel_where_a_layer_needs_it(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        int rank;
    } cases[] = {{"conv2d:2:3,flatten,dense:10", 3},
                 {"relu, conv2d:2:3@a, flatten, dense:10", 3},
                 {"flatten,dense:10", 2},
                 {"relu@conv2d,add:conv2d,flatten", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_model *m;
        assert_ok(fmd_model_create(&m, cases[i].spec, image, 1));
        assert_int_equal(fmd_model_in(m).rank, cases[i].rank);
        fmd_model_destroy(m);
    }
}

static void test_model__faults_of_a_graph_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } faults[] = {
        {"flatten,add:a", "model: add:a: no layer before it is marked '@a': put '@a' behind "
                          "that layer; the marks so far: input"},
        {"flatten@block1,add:block2",
         "model: add:block2: no layer before it is marked "
         "'@block2': put '@block2' behind that layer; the marks so far: input|block1 (did "
         "you mean 'block1'?)"},
        {"flatten@a,add:a@b,add:b@a", "model: add:b@a: '@a' is marked twice"},
        {"flatten@input", "model: flatten@input: '@input' is the model's input"},
        {"flatten@", "model: flatten@: '@' marks a layer with a name of letters, digits and '_'"},
        {"flatten@a-b",
         "model: flatten@a-b: '@' marks a layer with a name of letters, digits and '_'"},
        {"flatten,add", "model: add: needs another input: 'add:NAME' takes the layer marked "
                        "'@NAME' besides the one before"},
        {"flatten@a,dense:3,add:a",
         "model: add: its inputs have shapes (3) and (784): they must "
         "be equal; use padding same, and bring channels and size into line with "
         "conv2d:FILTERS:1:strides=N"},
        {"flatten@a,dense:3,concatenate:input",
         "model: concatenate: its inputs have shapes (3) and (28, 28): they must be equal but "
         "for axis 1; use padding same and equal strides"},
        {"flatten@a,concatenate:a:axis=2",
         "model: concatenate: its inputs have shape (784): axis must be 1 to 1 or -1 to -1"},
        {"flatten@a,concatenate:a:axis=x",
         "model: concatenate:a:axis=x: axis: 'x' is not an integer from -4 to 4"},
        {"flatten,dense:3,from:input,dense:10:softmax",
         "model: nothing takes the output (3) of dense, layer 2 of 3: mark it '@a', and let "
         "add:a or concatenate:a take it"},
        {"flatten@a,dense:3,from:a", "model: no layer follows the last 'from'"},
        {"from:b,flatten", "model: from:b: no layer before it is marked '@b': put '@b' behind "
                           "that layer; the marks so far: input"},
        {"reshape:28x-1x3", "model: reshape: its input (28, 28) has 784 values, which do not make "
                            "the shape (28, 9, 3)"},
        {"reshape:-1x-1", "model: reshape: its input (28, 28) has 784 values, which do not make "
                          "the shape (-1, -1)"},
        {"reshape:3x", "model: reshape:3x: does not understand '3x'; it takes target_shape"},
        {"reshape", "model: reshape: needs target_shape; it takes target_shape"},
    };
    fmd_model *m;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_fails(fmd_model_create(&m, faults[i].spec, image, 1), FMD_EUSAGE, faults[i].message);
}

/* 100 blocks of five layers each, with a shortcut around it. */
static void test_model__500_layers(void **state)
{
    (void)state;
    enum { BLOCKS = 100, LAYERS = 5 * BLOCKS + 3 };
    char *spec = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&spec, &bytes);
    assert_non_null(out);
    fprintf(out, "flatten,dense:6@b0");
    for (int i = 0; i < BLOCKS; i++)
        fprintf(out, ",dense:6,batch_normalization,relu,dense:6,add:b%d@b%d", i, i + 1);
    fprintf(out, ",dense:10:softmax");
    assert_int_equal(fclose(out), 0);
    fmd_model *m;
    fmd_model_size size;
    assert_ok(fmd_model_create(&m, spec, image, 8));
    assert_int_equal(fmd_model_n_layers(m), LAYERS);
    assert_int_equal(fmd_model_n_trainable_tensors(m), 2 * (1 + BLOCKS * 3 + 1));
    assert_int_equal(fmd_model_n_tensors(m), 2 * (2 + BLOCKS * 4));
    assert_string_equal(fmd_model_spec(m), spec);
    assert_string_equal(fmd_model_layer(m, LAYERS - 1)->name, "dense_201");
    assert_ok(fmd_model_check_classes(m, 10, ""));
    fmd_model_init(m, 1);
    static float x[8 * 784];
    const float *y = forward(m, x, 8);
    for (int i = 0; i < 80; i++)
        assert_true(isfinite(y[i]));
    assert_ok(fmd_model_measure(&size, spec, image));
    assert_int_equal(size.params, fmd_model_n_params(m));
    fmd_model_destroy(m);
    free(spec);
}

/* State tensors follow all parameters; Keras counts them behind those of their layer. */
static void test_model__states_follow_the_parameters(void **state)
{
    (void)state;
    static const char *const names[] = {"kernel", "bias", "gamma",       "beta",
                                        "kernel", "bias", "moving_mean", "moving_variance"};
    static const float first[] = {0, 1}; /* of the states */
    fmd_model *m;
    assert_ok(
        fmd_model_create(&m, "flatten,dense:4,batch_normalization,dense:3:softmax", image, 1));
    assert_int_equal(fmd_model_n_tensors(m), 8);
    assert_int_equal(fmd_model_n_trainable_tensors(m), 6);
    assert_int_equal(fmd_model_n_params(m), 784 * 4 + 4 + 8 + 15 + 8);
    assert_int_equal(fmd_model_n_trainable_params(m), 784 * 4 + 4 + 8 + 15);
    fmd_model_init(m, 1);
    for (size_t i = 0; i < 8; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        assert_string_equal(t->name, names[i]);
        assert_int_equal(t->trainable, i < 6);
        assert_int_equal(t->decays, strcmp(t->name, "kernel") == 0);
        for (size_t k = 0; k < t->count && i >= 6; k++)
            assert_true(fmd_model_params(m)[t->offset + k] == first[i - 6]);
    }
    const fmd_layer *l = fmd_model_layer(m, 2);
    for (size_t i = 0; i < fmd_layer_n_variables(l); i++)
        assert_string_equal(fmd_model_tensor(m, fmd_layer_variable(l, i))->name,
                            names[i < 2 ? 2 + i : 4 + i]);
    const float mean[] = {2, 4};
    fmd_model_update_state(m, fmd_model_tensor(m, 7)->offset + 1, 2, mean);
    const float *variance = fmd_model_params(m) + fmd_model_tensor(m, 7)->offset;
    const float expected[] = {1, (float)(0.99 + 0.01 * 2), (float)(0.99 + 0.01 * 4), 1};
    for (size_t i = 0; i < 4; i++)
        assert_float_equal(variance[i], expected[i], 1e-7f);
    fmd_model_destroy(m);
}

/* Gradients of a deep model share memory, as do outputs that backward does not read. */
static void test_model__memory_is_used_again(void **state)
{
    (void)state;
    fmd_model_size shallow, deep, adds;
    const fmd_shape in = {.rank = 1, .dim = {64}};
    const size_t row = 64 * sizeof(float);
    assert_ok(fmd_model_measure(&shallow, "dense:64,dense:64,dense:64", in));
    assert_ok(fmd_model_measure(&deep, "dense:64,dense:64,dense:64,dense:64,dense:64", in));
    assert_int_equal(deep.sample_bytes, shallow.sample_bytes + 2 * row);
    assert_ok(fmd_model_measure(&adds, "dense:64@a,dense:64@b,dense:64,add:a,add:b,add:a", in));
    assert_true(adds.sample_bytes <= shallow.sample_bytes + 3 * row); /* of 14 arrays */
}

static void test_model__a_group_fits_into_the_cache_or_where_the_parameters_fit(void **state)
{
    (void)state;
    const fmd_model_size small = {.sample_bytes = 4096}, large = {.sample_bytes = 1 << 20},
                         wide = {.params = 2 << 20, .sample_bytes = 65536};
    assert_int_equal(fmd_model_size_group(&small, 32, 256), 256);
    assert_int_equal(fmd_model_size_group(&small, 32, 250), 256);
    assert_int_equal(fmd_model_size_group(&small, 32, 100000), 992);
    assert_int_equal(fmd_model_size_group(&large, 32, 256), 32);
    assert_int_equal(fmd_model_size_group(&large, 1, 256), 3);
    assert_int_equal(fmd_model_size_group(&wide, 32, 256), 96);
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
        cmocka_unit_test(test_model__names_join_branches),
        cmocka_unit_test(test_model__grey_images_get_a_channel_where_a_layer_needs_it),
        cmocka_unit_test(test_model__faults_of_a_graph_are_named),
        cmocka_unit_test(test_model__500_layers),
        cmocka_unit_test(test_model__states_follow_the_parameters),
        cmocka_unit_test(test_model__memory_is_used_again),
        cmocka_unit_test(test_model__a_group_fits_into_the_cache_or_where_the_parameters_fit),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
