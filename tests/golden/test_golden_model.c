/* Forward, loss and gradients of small models against real Keras (tests/golden/README.md). */
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/plain_sink.h"

#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double forward_limit = 2e-6, loss_limit = 2e-6, gradient_limit = 3e-6;

/* One case as it runs here. */
typedef struct run {
    fmd_model *model;
    size_t n, samples, classes; /* samples, and with padding */
    fmd_pass pass;
    const uint8_t *labels;
    float *probabilities; /* rows times classes */
} run;

/* A case in microbatches of `microbatch_size` rows; `layers` is the model. */
static void open_run(run *r, const golden *g, const char *name, const char *layers,
                     size_t microbatch_size)
{
    fmd_shape in = golden_shape(g, "%s/x", name);
    r->n = (size_t)in.dim[0];
    in.rank--;
    memmove(in.dim, in.dim + 1, (size_t)in.rank * sizeof in.dim[0]);
    size_t microbatches = (r->n + microbatch_size - 1) / microbatch_size;
    r->samples = microbatches * microbatch_size;
    r->pass = (fmd_pass){
        .microbatches = (int)microbatches, .microbatch_size = (int)microbatch_size, .seed = 1};
    assert_ok(fmd_model_create(&r->model, layers, in, r->samples));
    r->classes = (size_t)fmd_model_classes(r->model);
    size_t values = fmd_shape_count(in);
    float *input = fmd_model_input(r->model);
    memset(input, 0, r->samples * values * sizeof *input);
    memcpy(input, golden_floats(g, r->n * values, "%s/x", name), r->n * values * sizeof *input);
    r->labels = golden_bytes(g, r->n, "%s/y", name);
    r->probabilities = calloc(r->samples * r->classes, sizeof *r->probabilities);
    assert_non_null(r->probabilities);
}

static void close_run(run *r)
{
    free(r->probabilities);
    fmd_model_destroy(r->model);
}

/* Writes Keras' weights into the tensors from number `first` on, which must be all that are left. */
static void set_weights(run *r, const golden *g, const char *name, size_t first)
{
    size_t n = fmd_model_n_tensors(r->model);
    for (size_t i = first; i < n; i++) {
        const fmd_tensor *t = fmd_model_tensor(r->model, i);
        fmd_shape shape = golden_shape(g, "%s/w%zu", name, i - first);
        assert_int_equal(shape.rank, t->shape.rank);
        assert_memory_equal(shape.dim, t->shape.dim, (size_t)shape.rank * sizeof shape.dim[0]);
        memcpy(fmd_model_params(r->model) + t->offset,
               golden_floats(g, t->count, "%s/w%zu", name, i - first), t->count * sizeof(float));
    }
    assert_false(golden_has(g, "%s/w%zu", name, n - first));
}

static const float *forward(run *r, bool training)
{
    r->pass.training = training;
    return fmd_model_forward(r->model, &r->pass, NULL);
}

static double difference_of_forward(run *r, const golden *g, const char *name)
{
    const float *logits = forward(r, false);
    fmd_softmax_rows(r->samples, r->classes, logits, r->probabilities);
    size_t n = r->n * r->classes;
    return largest_difference(n, r->probabilities, golden_floats(g, n, "%s/forward", name));
}

/* Padding must be overwritten with zeros. */
static void poison(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = NAN;
}

static double mean_loss(run *r, float *grads)
{
    fmd_loss_sums sums = {0};
    if (grads != NULL)
        poison(grads, r->samples * r->classes);
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, forward(r, grads != NULL),
                     &(fmd_targets){.labels = r->labels}, r->n, r->samples, r->classes, grads,
                     &sums);
    assert_int_equal(sums.failed, 0);
    return (double)sums.loss * FMD_LOSS_UNIT / (double)r->n;
}

/* The largest |g| of the case. */
static double largest_gradient(const run *r, const golden *g, const char *name)
{
    double most = 0;
    for (size_t i = 0; i < fmd_model_n_tensors(r->model); i++) {
        bool some = golden_has(g, "%s/g%zu_rows", name, i);
        const char *form = some ? "_rows" : "";
        size_t n = fmd_shape_count(golden_shape(g, "%s/g%zu%s", name, i, form));
        double here = largest(n, golden_floats(g, n, "%s/g%zu%s", name, i, form));
        most = here > most ? here : most;
    }
    return most;
}

/* Compares gradient number i, or the rows of it that the file holds. */
static double difference_of_gradient(const run *r, const golden *g, const char *name, size_t i,
                                     const float *sums)
{
    const fmd_tensor *t = fmd_model_tensor(r->model, i);
    size_t n = t->count, cols = (size_t)t->shape.dim[t->shape.rank - 1], step = 1, most_rows = 0;
    const float *expected;
    if (golden_has(g, "%s/g%zu_rows", name, i)) {
        step = (size_t)atoi(golden_text(g, "row_step"));
        most_rows = (n / cols + step - 1) / step;
        expected = golden_floats(g, most_rows * cols, "%s/g%zu_rows", name, i);
    } else {
        most_rows = n / cols;
        expected = golden_floats(g, n, "%s/g%zu", name, i);
    }
    double most = 0;
    float mean[1024];
    assert_true(cols <= 1024);
    for (size_t row = 0; row < most_rows; row++) {
        for (size_t j = 0; j < cols; j++)
            mean[j] = sums[t->offset + row * step * cols + j] / (float)r->n;
        double here = largest_difference(cols, mean, expected + row * cols);
        most = here > most ? here : most;
    }
    return most;
}

typedef struct differences {
    closeness forward, forward64, loss, loss64, gradients;
} differences;

static void compare(const golden *g, const char *name, size_t microbatch_size, differences *d)
{
    run r;
    open_run(&r, g, name, golden_text(g, "%s/layers", name), microbatch_size);
    set_weights(&r, g, name, 0);

    closeness_add(&d->forward, difference_of_forward(&r, g, name), forward_limit,
                  "%s, microbatches of %zu", name, microbatch_size);
    size_t n = r.n * r.classes;
    closeness_add(
        &d->forward64,
        largest_difference64(n, r.probabilities, golden_doubles(g, n, "%s/forward64", name)),
        forward_limit, "%s, microbatches of %zu", name, microbatch_size);

    double loss = mean_loss(&r, NULL), expected = golden_doubles(g, 1, "%s/loss64", name)[0];
    double limit = expected > 1 ? loss_limit * expected : loss_limit;
    closeness_add(&d->loss, fabs(loss - (double)golden_floats(g, 1, "%s/loss", name)[0]), limit,
                  "%s, microbatches of %zu", name, microbatch_size);
    closeness_add(&d->loss64, fabs(loss - expected), limit, "%s, microbatches of %zu", name,
                  microbatch_size);

    plain_sink s;
    plain_sink_open(&s, r.model);
    mean_loss(&r, fmd_model_logit_grads(r.model));
    fmd_model_backward(r.model, &r.pass, &s.sink);
    size_t n_tensors = fmd_model_n_tensors(r.model);
    plain_sink_assert_complete(&s, 0, n_tensors, r.pass.microbatches);
    double most = largest_gradient(&r, g, name);
    for (size_t i = 0; i < n_tensors; i++)
        closeness_add(&d->gradients, difference_of_gradient(&r, g, name, i, s.sums) / most,
                      gradient_limit, "%s/g%zu, microbatches of %zu", name, i, microbatch_size);
    plain_sink_close(&s);
    close_run(&r);
}

static void compare_in_all_forms(const golden *g, const char *name, void *d)
{
    size_t n = (size_t)golden_shape(g, "%s/x", name).dim[0];
    const size_t microbatch_size[] = {n, 4, 5,
                                      1}; /* whole, a divisor of most, padded, one by one */
    for (size_t i = 0; i < sizeof microbatch_size / sizeof microbatch_size[0]; i++)
        compare(g, name, microbatch_size[i], d);
}

static void test_golden_model__every_case_matches_keras(void **state)
{
    (void)state;
    golden *g = golden_open("model");
    differences d = {.forward = {.what = "forward"},
                     .forward64 = {.what = "forward, to Keras' float64"},
                     .loss = {.what = "loss"},
                     .loss64 = {.what = "loss, to Keras' float64"},
                     .gradients = {.what = "gradients over the largest of the case"}};
    golden_each(g, "cases", compare_in_all_forms, &d);
    closeness_check(&d.forward);
    closeness_check(&d.forward64);
    closeness_check(&d.loss);
    closeness_check(&d.loss64);
    closeness_check(&d.gradients);
    golden_close(g);
}

/* The gradient of the input is that of the bias of an identity in front of the model, sample by
 * sample. */
static void compare_input_gradient(const golden *g, const char *name, void *context)
{
    closeness *c = context;
    if (!golden_has(g, "%s/grad_of_input", name))
        return;
    const char *layers = golden_text(g, "%s/layers", name), *flatten = "flatten,";
    assert_memory_equal(layers, flatten, strlen(flatten));
    fmd_shape in = golden_shape(g, "%s/x", name);
    size_t n = (size_t)in.dim[0], values = fmd_shape_count(in) / n;
    char text[256];
    snprintf(text, sizeof text, "%sdense:%zu,%s", flatten, values, layers + strlen(flatten));
    run r;
    open_run(&r, g, name, text, 1);
    set_weights(&r, g, name, 2);
    for (size_t i = 0; i < values; i++)
        fmd_model_params(r.model)[i * values + i] = 1;

    const float *x = golden_floats(g, n * values, "%s/x", name);
    const float *expected = golden_floats(g, n * values, "%s/grad_of_input", name);
    double most = largest(n * values, expected);
    size_t bias = fmd_model_tensor(r.model, 1)->offset;
    float *input = fmd_model_input(r.model), *mean = malloc(values * sizeof *mean);
    assert_non_null(mean);
    plain_sink s;
    plain_sink_open(&s, r.model);
    r.pass.microbatches = 1;
    for (size_t i = 0; i < n; i++) {
        fmd_loss_sums sums = {0};
        memcpy(input, x + i * values, values * sizeof *input);
        const float *logits = forward(&r, true);
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits, &(fmd_targets){.labels = r.labels + i},
                         1, 1, r.classes, fmd_model_logit_grads(r.model), &sums);
        plain_sink_reset(&s);
        fmd_model_backward(r.model, &r.pass, &s.sink);
        for (size_t j = 0; j < values; j++)
            mean[j] = s.sums[bias + j] / (float)n;
        closeness_add(c, largest_difference(values, mean, expected + i * values) / most,
                      gradient_limit, "%s, sample %zu", name, i);
    }
    free(mean);
    plain_sink_close(&s);
    close_run(&r);
}

static void test_golden_model__gradients_of_the_input_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("model");
    closeness c = {.what = "gradients of the input over the largest"};
    golden_each(g, "cases", compare_input_gradient, &c);
    closeness_check(&c);
    golden_close(g);
}

static void shift_last_bias(const golden *g, const char *name, void *context)
{
    (void)context;
    run r;
    size_t n = (size_t)golden_shape(g, "%s/x", name).dim[0];
    open_run(&r, g, name, golden_text(g, "%s/layers", name), n);
    set_weights(&r, g, name, 0);
    assert_true(difference_of_forward(&r, g, name) <= forward_limit);
    const fmd_tensor *bias = fmd_model_tensor(r.model, fmd_model_n_tensors(r.model) - 1);
    assert_string_equal(bias->name, "bias");
    fmd_model_params(r.model)[bias->offset] += 0.001f;
    if (difference_of_forward(&r, g, name) <= forward_limit)
        fail_msg("%s: a shifted bias was not seen", name);
    close_run(&r);
}

static void test_golden_model__a_shifted_bias_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("model");
    golden_each(g, "cases", shift_last_bias, NULL);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_model__every_case_matches_keras),
        cmocka_unit_test(test_golden_model__gradients_of_the_input_match_keras),
        cmocka_unit_test(test_golden_model__a_shifted_bias_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
