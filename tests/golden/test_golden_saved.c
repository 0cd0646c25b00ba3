/* Files that real Keras saved (tests/golden/README.md): their parameters give what Keras predicts.
 * Skipped where Fashion-MNIST is not at hand. */
#include "support/closeness.h"
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/temp_folder.h"

#include "data/source.h"
#include "io/keras/import.h"
#include "math/gemm.h"

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
    temp_folder_make(state);
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
    temp_folder_remove(state);
    free(memory);
    return 0;
}

/* A file, the prefix of its values, and its layers. */
typedef struct saved {
    const char *file, *golden, *prefix, *layers;
    bool tells; /* the file describes exactly these layers */
} saved;

static const char mlp[] = "flatten,dense:32:relu,dense:10:softmax";
static const char res_cnn[] =
    "conv2d:8:3:same:strides=2:nobias,batch_normalization,activation:relu@a,"
    "conv2d:8:3:same:nobias,batch_normalization,activation:relu,conv2d:8:3:same:nobias,"
    "batch_normalization,add:a,activation:relu@b,conv2d:16:3:same:strides=2:nobias,"
    "batch_normalization,activation:relu,conv2d:16:3:same:nobias,batch_normalization@c,"
    "from:b,conv2d:16:1:strides=2:nobias@d,from:c,add:d,activation:relu,"
    "global_average_pooling2d,dense:10:softmax";
/* Without the spatial dropout of the file, which has no weights. */
static const char seq_cnn[] =
    "conv2d:6:3:same:relu,batch_normalization,max_pooling2d:2,depthwise_conv2d:3:nobias,"
    "batch_normalization:noscale,activation:relu,conv2d:12:3:same:strides=2,"
    "batch_normalization:momentum=0.9:epsilon=0.0001,relu,flatten,dense:16:gelu,dropout:0.25,dense:"
    "10:softmax";

/* The model in one of the files. */
static fmd_model *load(const saved *s)
{
    char path[512];
    const char *root = getenv("FMD_SOURCE_DIR");
    fmd_weights_info info;
    fmd_model *m = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/%s", root != NULL ? root : ".", s->file);
    assert_ok(fmd_weights_read_info(path, &info));
    assert_true(info.keras);
    if (s->tells)
        assert_string_equal(info.model.layers, s->layers);
    if (info.model.in.rank == 0)
        info.model.in = data.info.image;
    assert_ok(fmd_model_create(&m, s->layers, info.model.in, ROWS));
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

/* The probabilities of one image; Keras clips them for its loss. */
static void softmax(const float *z, double p[CLASSES])
{
    double sum = 0;
    for (size_t j = 0; j < CLASSES; j++)
        sum += exp((double)z[j]);
    for (size_t j = 0; j < CLASSES; j++)
        p[j] = exp((double)z[j]) / sum;
}

static void compare_probabilities(const golden *g, const saved *s, fmd_model *m, closeness *c)
{
    const float *expected =
        golden_floats(g, (size_t)IMAGES * CLASSES, "%sprobabilities", s->prefix);
    const float *z = logits(m, 0, IMAGES);
    for (size_t i = 0; i < IMAGES; i++, z += CLASSES, expected += CLASSES) {
        double p[CLASSES];
        softmax(z, p);
        for (size_t j = 0; j < CLASSES; j++)
            closeness_add(c, fabs(p[j] - (double)expected[j]), probability_limit,
                          "image %zu, class %zu", i, j);
    }
}

static void compare_evaluation(const golden *g, const saved *s, fmd_model *m, closeness *loss,
                               closeness *right)
{
    const double n = (double)data.test.n, least = 1e-7;
    double sum = 0, correct = 0;
    assert_int_equal(data.test.n % ROWS, 0);
    for (size_t first = 0; first < data.test.n; first += ROWS) {
        const float *z = logits(m, first, ROWS);
        for (size_t i = 0; i < ROWS; i++, z += CLASSES) {
            const size_t label = data.test.labels[first + i];
            double p[CLASSES];
            size_t best = 0;
            softmax(z, p);
            for (size_t j = 1; j < CLASSES; j++)
                best = z[j] > z[best] ? j : best;
            sum -= log(fmin(fmax(p[label], least), 1 - least));
            correct += best == label;
        }
    }
    closeness_add(loss, fabs(sum / n - (double)golden_floats(g, 1, "%stest_loss", s->prefix)[0]),
                  loss_limit, "10,000 images");
    closeness_add(
        right,
        fabs(correct - round(n * (double)golden_floats(g, 1, "%stest_accuracy", s->prefix)[0])),
        image_limit, "10,000 images");
}

static void check(const saved *s)
{
    golden *g = golden_open(s->golden);
    fmd_model *m = load(s);
    closeness probabilities = {.what = "probabilities"}, loss = {.what = "test loss"};
    closeness right = {.what = "images classified right"};
    compare_probabilities(g, s, m, &probabilities);
    compare_evaluation(g, s, m, &loss, &right);
    closeness_check(&probabilities);
    closeness_check(&loss);
    closeness_check(&right);
    fmd_model_destroy(m);
    golden_close(g);
}

static const saved files[] = {
    {"mlp-keras-3.15.1.h5", "saved", "", mlp, true},
    {"mlp-keras-3.15.1.weights.h5", "saved", "", mlp, false},
    {"res_cnn-keras-3.15.1.keras", "saved_convolutional", "res_cnn/", res_cnn, true},
    {"res_cnn-keras-3.15.1.h5", "saved_convolutional", "res_cnn/", res_cnn, true},
    {"res_cnn-keras-3.3.3.keras", "saved_convolutional", "res_cnn/", res_cnn, true},
    {"res_cnn-keras-3.15.1.weights.h5", "saved_convolutional", "res_cnn/", res_cnn, false},
    {"seq_cnn-keras-3.15.1.keras", "saved_convolutional", "seq_cnn/", seq_cnn, false},
    {"seq_cnn-keras-3.15.1.h5", "saved_convolutional", "seq_cnn/", seq_cnn, false},
    {"seq_cnn-keras-3.3.3.weights.h5", "saved_convolutional", "seq_cnn/", seq_cnn, false},
};

static void test_golden_saved__saved_models_predict_what_keras_predicts(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        print_message("%s\n", files[i].file);
        check(&files[i]);
    }
}

static void test_golden_saved__a_changed_weight_is_seen(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    for (size_t i = 0; i < 3; i++) {
        golden *g = golden_open(files[i].golden);
        fmd_model *m = load(&files[i]);
        closeness probabilities = {0}, loss = {0}, right = {0};
        /* The bias of the last class. */
        fmd_model_params(m)[fmd_model_n_trainable_params(m) - 1] += 0.01f;
        compare_probabilities(g, &files[i], m, &probabilities);
        compare_evaluation(g, &files[i], m, &loss, &right);
        assert_true(probabilities.parts > 1);
        assert_true(loss.parts > 1);
        fmd_model_destroy(m);
        golden_close(g);
    }
}

/* What comes out of Keras goes back into Keras: the description, and every value. */
static void test_golden_saved__a_checkpoint_of_a_saved_model_is_lossless(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    const char *path = temp_path("again.weights.h5");
    fmd_model *m = load(&files[2]), *again;
    fmd_optimizer *o;
    fmd_checkpoint_info info;
    assert_ok(fmd_optimizer_create(&o, "sgd", fmd_model_n_trainable_params(m)));
    assert_ok(
        fmd_checkpoint_write(path, &(fmd_state){.model = m, .optimizer = o, .learning_rate = 0.1}));
    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_string_equal(info.layers, res_cnn);
    assert_ok(fmd_model_create(&again, info.layers, info.in, 1));
    assert_ok(fmd_checkpoint_read_params(path, again));
    assert_memory_equal(fmd_model_params(m), fmd_model_params(again),
                        fmd_model_n_params(m) * sizeof(float));
    fmd_optimizer_destroy(o);
    fmd_model_destroy(again);
    fmd_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_saved__saved_models_predict_what_keras_predicts),
        cmocka_unit_test(test_golden_saved__a_changed_weight_is_seen),
        cmocka_unit_test(test_golden_saved__a_checkpoint_of_a_saved_model_is_lossless),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, open_data, close_data);
}
