/* Files that real Keras saved (tests/golden/README.md): their parameters give what Keras predicts.
 * Skipped where Fashion-MNIST is not at hand. */
#include "support/closeness.h"
#include "support/fmd_test.h"
#include "support/golden.h"

#include "data/source.h"
#include "io/keras/import.h"
#include "math/gemm.h"
#include "nn/losses/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 250, IMAGES = 32, CLASSES = 10 };

static const double probability_limit = 5e-6, loss_limit = 2e-6, image_limit = 1;

/* The data set; memory NULL: there is none. */
static void *memory;
static fmd_dataset data;

static int open_data(void **state)
{
    (void)state;
    fmd_source *source;
    fmd_status st = fmd_source_open(&source, "fashion-mnist", "");
    if (st == FMD_ENOINPUT) {
        print_message("skipped: %s\n", fmd_error_message());
        return 0;
    }
    assert_ok(st);
    memory = malloc(fmd_source_bytes(source));
    assert_non_null(memory);
    fmd_dataset_info info;
    assert_ok(fmd_source_load(source, memory, &info));
    fmd_source_close(source);
    fmd_dataset_view(&data, &info, memory);
    return 0;
}

static int close_data(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

/* The model in one of the files; where it does not say its layers, `layers` does. */
static fmd_model *load(const char *name, const char *layers)
{
    char path[512];
    const char *root = getenv("FMD_SOURCE_DIR");
    fmd_weights_info info;
    fmd_model *m = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/%s", root != NULL ? root : ".", name);
    assert_ok(fmd_weights_read_info(path, &info));
    assert_true(info.keras);
    if (info.model.in.rank == 0)
        info.model.in = data.info.image;
    else
        assert_string_equal(info.model.layers, layers);
    assert_ok(fmd_model_create(&m, layers, info.model.in, ROWS));
    assert_ok(fmd_weights_read_params(path, m));
    return m;
}

static const float *logits(fmd_model *m, size_t first, size_t n)
{
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = (int)n};
    const size_t values = fmd_shape_count(fmd_model_in(m));
    for (size_t i = 0; i < n * values; i++)
        fmd_model_input(m)[i] = (float)data.test.images[first * values + i] / 255.0f;
    return fmd_model_forward(m, &pass, NULL);
}

static void compare_probabilities(const golden *g, fmd_model *m, closeness *c)
{
    const float *expected = golden_floats(g, (size_t)IMAGES * CLASSES, "probabilities");
    const float *z = logits(m, 0, IMAGES);
    for (size_t i = 0; i < IMAGES; i++, z += CLASSES, expected += CLASSES) {
        double sum = 0;
        for (size_t j = 0; j < CLASSES; j++)
            sum += exp((double)z[j]);
        for (size_t j = 0; j < CLASSES; j++)
            closeness_add(c, fabs(exp((double)z[j]) / sum - (double)expected[j]), probability_limit,
                          "image %zu, class %zu", i, j);
    }
}

static void compare_evaluation(const golden *g, fmd_model *m, closeness *loss, closeness *right)
{
    fmd_loss_sums sums = {0};
    const double n = (double)data.test.n;
    assert_int_equal(data.test.n % ROWS, 0);
    for (size_t first = 0; first < data.test.n; first += ROWS)
        fmd_loss_samples(logits(m, first, ROWS), data.test.labels + first, ROWS, ROWS, CLASSES,
                         NULL, &sums);
    closeness_add(
        loss,
        fabs((double)sums.loss * FMD_LOSS_UNIT / n - (double)golden_floats(g, 1, "test_loss")[0]),
        loss_limit, "10,000 images");
    closeness_add(
        right,
        fabs((double)sums.correct - round(n * (double)golden_floats(g, 1, "test_accuracy")[0])),
        image_limit, "10,000 images");
}

static void check(const char *name)
{
    if (memory == NULL)
        skip();
    golden *g = golden_open("saved");
    fmd_model *m = load(name, golden_text(g, "layers"));
    closeness probabilities = {.what = "probabilities"}, loss = {.what = "test loss"};
    closeness right = {.what = "images classified right"};
    compare_probabilities(g, m, &probabilities);
    compare_evaluation(g, m, &loss, &right);
    closeness_check(&probabilities);
    closeness_check(&loss);
    closeness_check(&right);
    fmd_model_destroy(m);
    golden_close(g);
}

static void test_golden_saved__a_saved_model_predicts_what_keras_predicts(void **state)
{
    (void)state;
    check("mlp-keras-3.15.1.h5");
}

static void test_golden_saved__saved_weights_predict_what_keras_predicts(void **state)
{
    (void)state;
    check("mlp-keras-3.15.1.weights.h5");
}

static void test_golden_saved__a_changed_weight_is_seen(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    golden *g = golden_open("saved");
    fmd_model *m = load("mlp-keras-3.15.1.h5", golden_text(g, "layers"));
    closeness probabilities = {0}, loss = {0}, right = {0};
    fmd_model_params(m)[fmd_model_n_params(m) - 1] += 0.01f; /* the bias of the last class */
    compare_probabilities(g, m, &probabilities);
    compare_evaluation(g, m, &loss, &right);
    assert_true(probabilities.parts > 1);
    assert_true(loss.parts > 1);
    fmd_model_destroy(m);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_saved__a_saved_model_predicts_what_keras_predicts),
        cmocka_unit_test(test_golden_saved__saved_weights_predict_what_keras_predicts),
        cmocka_unit_test(test_golden_saved__a_changed_weight_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, open_data, close_data);
}
