/* A whole fit() of the tutorial's model against real Keras (tests/golden/README.md): two epochs of
 * 200 batches of 32, not shuffled, Adam. Skipped where Fashion-MNIST is not at hand. */
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/plain_sink.h"

#include "data/source.h"
#include "fmd/model.h"
#include "fmd/optimizer.h"
#include "math/gemm.h"
#include "nn/losses/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPOCHS = 2,
    BATCHES = 200,
    BATCH = 32,
    TENSORS = 4,
    TRAIN = BATCHES * BATCH,
    TEST_ROWS = 250
};

static const double loss_limit = 5e-6, image_limit = 2, weight_limit = 2e-4, rms_limit = 5e-6;

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
    assert_true(data.train.n >= TRAIN);
    return 0;
}

static int close_data(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void fill_input(fmd_model *m, const fmd_split *s, size_t first, size_t n)
{
    size_t values = fmd_shape_count(fmd_model_in(m));
    float *input = fmd_model_input(m);
    for (size_t i = 0; i < n * values; i++)
        input[i] = (float)s->images[first * values + i] / 255.0f;
}

/* One step of Adam on images `first` to `first` + BATCH - 1, as one microbatch. */
static void train_batch(fmd_model *m, fmd_optimizer *o, plain_sink *sink, size_t first, double rate,
                        fmd_loss_sums *sums)
{
    fmd_pass pass = {.microbatches = 1,
                     .microbatch_size = BATCH,
                     .training = true,
                     .step = (uint32_t)fmd_optimizer_steps(o)};
    fill_input(m, &data.train, first, BATCH);
    fmd_loss_samples(fmd_model_forward(m, &pass, NULL), data.train.labels + first, BATCH, BATCH,
                     (size_t)fmd_model_classes(m), fmd_model_logit_grads(m), sums);
    plain_sink_reset(sink);
    fmd_model_backward(m, &pass, &sink->sink);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        sink->sums[i] /= BATCH;
    fmd_optimizer_step(o, fmd_model_params(m), sink->sums, rate);
}

static fmd_loss_sums evaluate(fmd_model *m)
{
    fmd_pass pass = {.microbatches = 1, .microbatch_size = TEST_ROWS};
    fmd_loss_sums sums = {0};
    assert_int_equal(data.test.n % TEST_ROWS, 0);
    for (size_t first = 0; first < data.test.n; first += TEST_ROWS) {
        fill_input(m, &data.test, first, TEST_ROWS);
        fmd_loss_samples(fmd_model_forward(m, &pass, NULL), data.test.labels + first, TEST_ROWS,
                         TEST_ROWS, (size_t)fmd_model_classes(m), NULL, &sums);
    }
    assert_int_equal(sums.failed, 0);
    return sums;
}

typedef struct differences {
    closeness loss, loss64, running, accuracy, test_loss, test_loss64, test_accuracy, weights, rms;
} differences;

/* Weights after an epoch; of the large kernel the file has some rows. */
static void compare_weights(const golden *g, const fmd_model *m, int epoch, differences *d)
{
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        const float *w = fmd_model_params(m) + t->offset;
        bool some = golden_has(g, "epochs%d/w%zu_rows", epoch, i);
        size_t cols = (size_t)t->shape.dim[t->shape.rank - 1], samples = t->count / cols;
        size_t step = some ? (size_t)atoi(golden_text(g, "row_step")) : 1, n = 0;
        size_t kept = (samples + step - 1) / step;
        const float *keras =
            golden_floats(g, kept * cols, "epochs%d/w%zu%s", epoch, i, some ? "_rows" : "");
        double most = 0, squares = 0;
        for (size_t row = 0; row < samples; row += step)
            for (size_t j = 0; j < cols; j++, n++) {
                double difference = fabs((double)w[row * cols + j] - (double)keras[n]);
                most = fmax(most, difference);
                squares += difference * difference;
            }
        closeness_add(&d->weights, most, weight_limit, "w%zu, epoch %d", i, epoch);
        closeness_add(&d->rms, sqrt(squares / (double)n), rms_limit, "w%zu, epoch %d", i, epoch);
    }
}

static void compare_epoch(const golden *g, fmd_model *m, int epoch, const fmd_loss_sums *train,
                          differences *d)
{
    int e = epoch - 1;
    fmd_loss_sums test = evaluate(m);
    double loss = (double)train->loss * FMD_LOSS_UNIT / TRAIN;
    double test_loss = (double)test.loss * FMD_LOSS_UNIT / (double)data.test.n;
    double right = (double)train->correct, test_right = (double)test.correct;
    double keras_right = (double)golden_floats(g, EPOCHS, "accuracy")[e] * TRAIN;
    double keras_test_right =
        (double)golden_floats(g, EPOCHS, "test_accuracy")[e] * (double)data.test.n;
    print_message("epoch %d: loss %.7f, %d of %d; test loss %.7f, %d of %zu\n", epoch, loss,
                  (int)train->correct, TRAIN, test_loss, (int)test.correct, data.test.n);
    closeness_add(&d->loss, fabs(loss - (double)golden_floats(g, EPOCHS, "loss")[e]), loss_limit,
                  "epoch %d", epoch);
    closeness_add(&d->loss64, fabs(loss - golden_doubles(g, EPOCHS, "loss64")[e]), loss_limit,
                  "epoch %d", epoch);
    closeness_add(&d->test_loss, fabs(test_loss - (double)golden_floats(g, EPOCHS, "test_loss")[e]),
                  loss_limit, "epoch %d", epoch);
    closeness_add(&d->test_loss64, fabs(test_loss - golden_doubles(g, EPOCHS, "test_loss64")[e]),
                  loss_limit, "epoch %d", epoch);
    closeness_add(&d->accuracy, fabs(right - round(keras_right)), image_limit, "epoch %d", epoch);
    closeness_add(&d->test_accuracy, fabs(test_right - round(keras_test_right)), image_limit,
                  "epoch %d", epoch);
    compare_weights(g, m, epoch, d);
}

/* Runs `epochs` epochs with an optimizer of this spec. */
static void fit(const golden *g, const char *spec, int epochs, differences *d)
{
    fmd_model *m;
    fmd_optimizer *o;
    plain_sink sink;
    assert_ok(fmd_model_create(&m, golden_text(g, "layers"), data.info.image, TEST_ROWS));
    assert_int_equal(fmd_model_n_tensors(m), TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        memcpy(fmd_model_params(m) + t->offset, golden_floats(g, t->count, "w%zu", i),
               t->count * sizeof(float));
    }
    assert_ok(fmd_optimizer_create(&o, spec, fmd_model_n_params(m)));
    double rate = fmd_optimizer_ops_of(o)->learning_rate;
    plain_sink_open(&sink, m);
    const float *running = golden_floats(g, EPOCHS * BATCHES, "running_loss");
    for (int epoch = 1; epoch <= epochs; epoch++) {
        fmd_loss_sums train = {0};
        for (size_t b = 0; b < BATCHES; b++) {
            train_batch(m, o, &sink, b * BATCH, rate, &train);
            double mean = (double)train.loss * FMD_LOSS_UNIT / (double)((b + 1) * BATCH);
            double keras = (double)running[(size_t)(epoch - 1) * BATCHES + b];
            closeness_add(&d->running, fabs(mean - keras), loss_limit, "epoch %d, batch %zu", epoch,
                          b + 1);
        }
        compare_epoch(g, m, epoch, &train, d);
    }
    plain_sink_close(&sink);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

static void test_golden_fit__two_epochs_match_keras(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    golden *g = golden_open("fit");
    differences d = {.loss = {.what = "loss of the epoch"},
                     .loss64 = {.what = "loss of the epoch, to Keras' float64"},
                     .running = {.what = "running loss after each batch"},
                     .accuracy = {.what = "images classified right, training"},
                     .test_loss = {.what = "test loss"},
                     .test_loss64 = {.what = "test loss, to Keras' float64"},
                     .test_accuracy = {.what = "images classified right, test"},
                     .weights = {.what = "weights"},
                     .rms = {.what = "weights, root mean square of a tensor"}};
    fit(g, "adam", EPOCHS, &d);
    closeness_check(&d.running);
    closeness_check(&d.loss);
    closeness_check(&d.loss64);
    closeness_check(&d.accuracy);
    closeness_check(&d.test_loss);
    closeness_check(&d.test_loss64);
    closeness_check(&d.test_accuracy);
    closeness_check(&d.weights);
    closeness_check(&d.rms);
    golden_close(g);
}

static void test_golden_fit__another_epsilon_is_seen(void **state)
{
    (void)state;
    if (memory == NULL)
        skip();
    golden *g = golden_open("fit");
    differences d = {0};
    fit(g, "adam:epsilon=1e-6", 1, &d);
    assert_true(d.loss.parts > 1);
    assert_true(d.test_loss.parts > 1);
    assert_true(d.weights.parts > 1);
    assert_true(d.rms.parts > 1);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_fit__two_epochs_match_keras),
        cmocka_unit_test(test_golden_fit__another_epsilon_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, open_data, close_data);
}
