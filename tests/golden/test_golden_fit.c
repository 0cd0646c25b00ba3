/* Whole fit()s against real Keras (tests/golden/README.md), in batches of 32, not shuffled, with Adam:
 * the tutorial's model, and a residual network with batch normalisation. Skipped where Fashion-MNIST
 * is not at hand. */
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/plain_sink.h"

#include "data/source.h"
#include "io/keras/spec.h"
#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, TEST_ROWS = 64 };

typedef struct plan {
    const char *golden;
    int epochs;
    size_t batches, test_images, variables;
    double loss_limit, weight_limit, rms_limit;
} plan;

static const plan tutorial = {"fit", 2, 200, 10000, 4, 5e-6, 2e-4, 5e-6};
static const plan residual = {"fit_cnn", 3, 16, 256, 12, 2e-5, 2e-3, 2e-3};

static const double image_limit = 2;

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
    assert_true(data.train.n >= tutorial.batches * BATCH);
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

/* The model of the file, with its first weights. */
static fmd_model *open_model(const golden *g)
{
    char layers[4096];
    fmd_model *m;
    fmd_shape in = data.info.image;
    if (golden_has(g, "layers"))
        snprintf(layers, sizeof layers, "%s", golden_text(g, "layers"));
    else
        assert_ok(fmd_keras_spec("fit", golden_text(g, "config"), layers, sizeof layers, &in));
    assert_ok(fmd_model_create(&m, layers, in, TEST_ROWS));
    return m;
}

/* Array number i in Keras' order. */
static const fmd_tensor *variable(const fmd_model *m, size_t i)
{
    for (size_t k = 0; k < fmd_model_n_layers(m); k++) {
        const fmd_layer *l = fmd_model_layer(m, k);
        if (i < fmd_layer_n_variables(l))
            return fmd_model_tensor(m, fmd_layer_variable(l, i));
        i -= fmd_layer_n_variables(l);
    }
    return NULL;
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
    plain_sink_reset(sink);
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, fmd_model_forward(m, &pass, &sink->sink),
                     &(fmd_targets){.labels = data.train.labels + first}, BATCH, BATCH,
                     (size_t)fmd_model_classes(m), fmd_model_logit_grads(m), sums);
    fmd_model_backward(m, &pass, &sink->sink);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        sink->sums[i] /= BATCH;
    fmd_optimizer_step(o, fmd_model_params(m), sink->sums, rate);
    for (size_t i = fmd_model_n_trainable_tensors(m); i < fmd_model_n_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        fmd_model_update_state(m, t->offset, t->count, sink->sums + t->offset);
    }
}

static fmd_loss_sums evaluate(fmd_model *m, size_t images)
{
    fmd_loss_sums sums = {0};
    for (size_t first = 0; first < images; first += TEST_ROWS) {
        const size_t n = images - first < TEST_ROWS ? images - first : TEST_ROWS;
        const fmd_pass pass = {.microbatches = 1, .microbatch_size = (int)n};
        fill_input(m, &data.test, first, n);
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, fmd_model_forward(m, &pass, NULL),
                         &(fmd_targets){.labels = data.test.labels + first}, n, n,
                         (size_t)fmd_model_classes(m), NULL, &sums);
    }
    assert_int_equal(sums.failed, 0);
    return sums;
}

typedef struct differences {
    closeness loss, loss64, running, accuracy, test_loss, test_loss64, test_accuracy, weights, rms;
    size_t arrays; /* of weights that were compared */
} differences;

/* Weights after an epoch, if the file has them; of the large kernel it has some rows. */
static void compare_weights(const golden *g, const plan *p, const fmd_model *m, int epoch,
                            differences *d)
{
    for (size_t i = 0; i < p->variables; i++) {
        const fmd_tensor *t = variable(m, i);
        const float *w = fmd_model_params(m) + t->offset;
        const bool some = golden_has(g, "epochs%d/w%zu_rows", epoch, i);
        if (!some && !golden_has(g, "epochs%d/w%zu", epoch, i))
            return;
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
        closeness_add(&d->weights, most, p->weight_limit, "w%zu, epoch %d", i, epoch);
        closeness_add(&d->rms, sqrt(squares / (double)n), p->rms_limit, "w%zu, epoch %d", i, epoch);
        d->arrays++;
    }
}

static double float_at(const golden *g, size_t n, const char *name, int i)
{
    return (double)golden_floats(g, n, "%s", name)[i];
}

static void compare_epoch(const golden *g, const plan *p, fmd_model *m, int epoch,
                          const fmd_loss_sums *train, differences *d)
{
    const int e = epoch - 1;
    const size_t n = (size_t)p->epochs;
    const double images = (double)(p->batches * BATCH), test_images = (double)p->test_images;
    const fmd_loss_sums test = evaluate(m, p->test_images);
    const double loss = (double)train->loss * FMD_LOSS_UNIT / images;
    const double test_loss = (double)test.loss * FMD_LOSS_UNIT / test_images;
    print_message("epoch %d: loss %.7f, %d of %.0f; test loss %.7f, %d of %.0f\n", epoch, loss,
                  (int)train->correct, images, test_loss, (int)test.correct, test_images);
    closeness_add(&d->loss, fabs(loss - float_at(g, n, "loss", e)), p->loss_limit, "epoch %d",
                  epoch);
    closeness_add(&d->loss64, fabs(loss - golden_doubles(g, n, "loss64")[e]), p->loss_limit,
                  "epoch %d", epoch);
    closeness_add(&d->test_loss, fabs(test_loss - float_at(g, n, "test_loss", e)), p->loss_limit,
                  "epoch %d", epoch);
    closeness_add(&d->test_loss64, fabs(test_loss - golden_doubles(g, n, "test_loss64")[e]),
                  p->loss_limit, "epoch %d", epoch);
    closeness_add(&d->accuracy,
                  fabs((double)train->correct - round(float_at(g, n, "accuracy", e) * images)),
                  image_limit, "epoch %d", epoch);
    closeness_add(
        &d->test_accuracy,
        fabs((double)test.correct - round(float_at(g, n, "test_accuracy", e) * test_images)),
        image_limit, "epoch %d", epoch);
    compare_weights(g, p, m, epoch, d);
}

/* Runs `epochs` epochs with an optimizer of this spec. */
static void fit(const golden *g, const plan *p, const char *spec, int epochs, differences *d)
{
    fmd_model *m = open_model(g);
    fmd_optimizer *o;
    plain_sink sink;
    assert_int_equal(fmd_model_n_tensors(m), p->variables);
    for (size_t i = 0; i < p->variables; i++) {
        const fmd_tensor *t = variable(m, i);
        memcpy(fmd_model_params(m) + t->offset, golden_floats(g, t->count, "w%zu", i),
               t->count * sizeof(float));
    }
    assert_ok(fmd_optimizer_create(&o, spec, fmd_model_n_trainable_params(m)));
    double rate = fmd_optimizer_ops_of(o)->learning_rate;
    plain_sink_open(&sink, m);
    const float *running = golden_floats(g, (size_t)p->epochs * p->batches, "running_loss");
    for (int epoch = 1; epoch <= epochs; epoch++) {
        fmd_loss_sums train = {0};
        for (size_t b = 0; b < p->batches; b++) {
            train_batch(m, o, &sink, b * BATCH, rate, &train);
            double mean = (double)train.loss * FMD_LOSS_UNIT / (double)((b + 1) * BATCH);
            double keras = (double)running[(size_t)(epoch - 1) * p->batches + b];
            closeness_add(&d->running, fabs(mean - keras), p->loss_limit, "epoch %d, batch %zu",
                          epoch, b + 1);
        }
        compare_epoch(g, p, m, epoch, &train, d);
    }
    plain_sink_close(&sink);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

/* `arrays`: weights that were compared. */
static void compare_fit(const plan *p, size_t arrays)
{
    if (memory == NULL)
        skip();
    golden *g = golden_open(p->golden);
    differences d = {.loss = {.what = "loss of the epoch"},
                     .loss64 = {.what = "loss of the epoch, to Keras' float64"},
                     .running = {.what = "running loss after each batch"},
                     .accuracy = {.what = "images classified right, training"},
                     .test_loss = {.what = "test loss"},
                     .test_loss64 = {.what = "test loss, to Keras' float64"},
                     .test_accuracy = {.what = "images classified right, test"},
                     .weights = {.what = "weights"},
                     .rms = {.what = "weights, root mean square of a tensor"}};
    fit(g, p, "adam", p->epochs, &d);
    closeness_check(&d.running);
    closeness_check(&d.loss);
    closeness_check(&d.loss64);
    closeness_check(&d.accuracy);
    closeness_check(&d.test_loss);
    closeness_check(&d.test_loss64);
    closeness_check(&d.test_accuracy);
    closeness_check(&d.weights);
    closeness_check(&d.rms);
    assert_int_equal(d.arrays, arrays);
    golden_close(g);
}

static void test_golden_fit__two_epochs_match_keras(void **state)
{
    (void)state;
    compare_fit(&tutorial, 2 * 4);
}

static void test_golden_fit__three_epochs_of_a_residual_network_match_keras(void **state)
{
    (void)state;
    compare_fit(&residual, 12);
}

static void see_another_epsilon(const plan *p, const char *spec, int epochs)
{
    if (memory == NULL)
        skip();
    golden *g = golden_open(p->golden);
    differences d = {0};
    fit(g, p, spec, epochs, &d);
    assert_true(d.loss.parts > 1);
    assert_true(d.test_loss.parts > 1);
    assert_true(d.weights.parts > 1);
    assert_true(d.rms.parts > 1);
    golden_close(g);
}

static void test_golden_fit__another_epsilon_is_seen(void **state)
{
    (void)state;
    see_another_epsilon(&tutorial, "adam:epsilon=1e-6", 1);
    see_another_epsilon(&residual, "adam:epsilon=1e-5", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_fit__two_epochs_match_keras),
        cmocka_unit_test(test_golden_fit__three_epochs_of_a_residual_network_match_keras),
        cmocka_unit_test(test_golden_fit__another_epsilon_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, open_data, close_data);
}
