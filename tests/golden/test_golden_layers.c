/* Outputs, gradients and moving statistics of layers and small graphs against real Keras in float64
 * (tests/golden/README.md). The models are read from Keras' own descriptions. A layer in front, an
 * identity, has the gradient of the input. */
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/plain_sink.h"

#include "io/keras/spec.h"
#include "math/gemm.h"
#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double output_limit = 2e-6, gradient_limit = 2e-5, statistics_limit = 2e-6;

/* What this program lacks, and a part of the message that says so. Every other case runs. */
static const struct {
    const char *name, *message;
} lacking[] = {
    {"bn/frozen_train", "frozen"}, /* a warning: training goes on without the setting */
    {"conv/act_exponential", "activation"},
    {"conv/act_hard_sigmoid", "activation"},
    {"conv/act_hard_silu", "activation"},
    {"conv/act_log_softmax", "activation"},
    {"conv/act_mish", "activation"},
    {"conv/act_relu6", "activation"},
    {"conv/act_selu", "activation"},
    {"conv/act_silu", "activation"},
    {"conv/act_softplus", "activation"},
    {"conv/act_softsign", "activation"},
    {"gn/4of8", "GroupNormalization"},
    {"gn/instance", "GroupNormalization"},
    {"graph/multiply_broadcast", "several inputs"},
    {"graph/shared_layer", "called several times"},
    {"shape/crop", "Cropping2D"},
    {"shape/permute", "Permute"},
    {"shape/upsample", "UpSampling2D"},
};
enum { LACKING = sizeof lacking / sizeof *lacking, CASES = 157 };

static bool is_lacking(const char *name)
{
    for (size_t i = 0; i < LACKING; i++)
        if (strcmp(lacking[i].name, name) == 0)
            return true;
    return false;
}

/* One case as it runs here: the identity, then the layers of the case. */
typedef struct run {
    fmd_model *model;
    fmd_pass pass;
    size_t n;       /* samples */
    size_t in, out; /* values of all samples */
    size_t weights; /* arrays of the case */
} run;

/* Keras' model behind the layer "x": what took the model's input takes that. */
static void take_input_from_x(const char *layers, char *text)
{
    for (const char *c = layers; *c != '\0'; c++) {
        const bool starts = c > layers && c[-1] == ':' && strncmp(c, "input", 5) == 0;
        if (starts && strchr(":,@", c[5]) != NULL) { /* finds the NUL too */
            *text++ = 'x';
            c += 4;
        } else {
            *text++ = *c;
        }
    }
    *text = '\0';
}

/* `shape` is that of the input, with the batch. */
static void open_run(run *r, const golden *g, const char *name, fmd_shape shape)
{
    char text[4096], layers[4096], behind_x[4096];
    fmd_shape in;
    assert_ok(fmd_keras_spec(name, golden_text(g, "%s/config", name), layers, sizeof layers, &in));
    take_input_from_x(layers, behind_x);
    assert_int_equal(in.rank, shape.rank - 1);
    assert_memory_equal(in.dim, shape.dim + 1, (size_t)in.rank * sizeof in.dim[0]);
    if (in.rank == 2 && strstr(layers, "conv2d") != NULL) /* a model of images takes one channel */
        in = (fmd_shape){3, {in.dim[0], in.dim[1], 1}};
    const int last = in.dim[in.rank - 1];
    *r = (run){.n = (size_t)shape.dim[0]};
    r->pass = (fmd_pass){.microbatches = 1, .microbatch_size = (int)r->n, .seed = 1};
    /* The model leaves a softmax at its end to the loss: here it is not the end. */
    const int used = snprintf(text, sizeof text, "dense:%d@x,%s,activation:linear", last, behind_x);
    assert_true(used < (int)sizeof text);
    assert_ok(fmd_model_create(&r->model, text, in, r->n));
    for (int i = 0; i < last; i++)
        fmd_model_params(r->model)[i * last + i] = 1;
    r->in = r->n * fmd_shape_count(in);
    r->out =
        r->n * fmd_shape_count(fmd_model_layer(r->model, fmd_model_n_layers(r->model) - 1)->out);
}

/* Array number i of the case in Keras' order; NULL past the last. */
static const fmd_tensor *weight(const run *r, size_t i)
{
    for (size_t k = 1; k < fmd_model_n_layers(r->model); k++) {
        const fmd_layer *l = fmd_model_layer(r->model, k);
        if (i < fmd_layer_n_variables(l))
            return fmd_model_tensor(r->model, fmd_layer_variable(l, i));
        i -= fmd_layer_n_variables(l);
    }
    return NULL;
}

static void set_weights(run *r, const golden *g, const char *name)
{
    const fmd_tensor *t;
    for (; (t = weight(r, r->weights)) != NULL; r->weights++)
        memcpy(fmd_model_params(r->model) + t->offset,
               golden_floats(g, t->count, "%s/w%zu", name, r->weights), t->count * sizeof(float));
    assert_false(golden_has(g, "%s/w%zu", name, r->weights));
}

static void take_statistics(run *r, const plain_sink *s)
{
    float mean[256];
    for (size_t i = fmd_model_n_trainable_tensors(r->model); i < fmd_model_n_tensors(r->model);
         i++) {
        const fmd_tensor *t = fmd_model_tensor(r->model, i);
        assert_true(t->count <= 256);
        for (size_t k = 0; k < t->count; k++)
            mean[k] = s->sums[t->offset + k] / (float)r->n;
        fmd_model_update_state(r->model, t->offset, t->count, mean);
    }
}

/* Over max(1, |value|). */
static double difference(size_t n, const float *found, const double *expected)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)found[i] - expected[i]) / fmax(1, fabs(expected[i]));
        most = d > most || isnan(d) ? d : most;
    }
    return most;
}

static double largest64(size_t n, const double *values)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(values[i]));
    return most;
}

typedef struct differences {
    closeness output, gradients, statistics;
    size_t cases;
} differences;

/* Over the largest of the array, and at least 1e-2 of the largest of the case: a bias in front of a
 * batch normalisation has a gradient of zero but for rounding. */
static void compare_gradient(differences *d, size_t n, const float *found, const double *expected,
                             double least, const char *name, const char *what, size_t i)
{
    const double over = fmax(fmax(largest64(n, expected), 1e-2 * least), 1e-30);
    closeness_add(&d->gradients, largest_difference64(n, found, expected) / over, gradient_limit,
                  "%s/%s%zu", name, what, i);
}

static void compare_case(const golden *g, const char *name, void *context)
{
    differences *d = context;
    run r;
    plain_sink s;
    if (is_lacking(name))
        return;
    d->cases++;
    open_run(&r, g, name, golden_shape(g, "%s/x", name));
    set_weights(&r, g, name);
    plain_sink_open(&s, r.model);
    r.pass.training = atoi(golden_text(g, "%s/training", name)) != 0;
    memcpy(fmd_model_input(r.model), golden_floats(g, r.in, "%s/x", name), r.in * sizeof(float));
    const float *y = fmd_model_forward(r.model, &r.pass, &s.sink);
    closeness_add(&d->output, difference(r.out, y, golden_doubles(g, r.out, "%s/y64", name)),
                  output_limit, "%s/y", name);
    memcpy(fmd_model_logit_grads(r.model), golden_floats(g, r.out, "%s/dy", name),
           r.out * sizeof(float));
    fmd_model_backward(r.model, &r.pass, &s.sink);

    const double *gx = golden_doubles(g, r.in, "%s/gx64", name);
    double most = largest64(r.in, gx);
    for (size_t i = 0; i < r.weights; i++)
        if (golden_has(g, "%s/g64_%zu", name, i)) {
            const size_t n = weight(&r, i)->count;
            most = fmax(most, largest64(n, golden_doubles(g, n, "%s/g64_%zu", name, i)));
        }
    compare_gradient(d, r.in, fmd_model_values(r.model, 0)->dy, gx, most, name, "gx", 0);
    for (size_t i = 0; i < r.weights; i++)
        if (golden_has(g, "%s/g64_%zu", name, i)) {
            const fmd_tensor *t = weight(&r, i);
            assert_true(t->trainable);
            compare_gradient(d, t->count, s.sums + t->offset,
                             golden_doubles(g, t->count, "%s/g64_%zu", name, i), most, name, "g",
                             i);
        }
    if (r.pass.training)
        take_statistics(&r, &s);
    for (size_t i = 0; i < r.weights; i++)
        if (golden_has(g, "%s/after64_%zu", name, i)) {
            const fmd_tensor *t = weight(&r, i);
            closeness_add(&d->statistics,
                          difference(t->count, fmd_model_params(r.model) + t->offset,
                                     golden_doubles(g, t->count, "%s/after64_%zu", name, i)),
                          statistics_limit, "%s/after%zu", name, i);
        }
    plain_sink_close(&s);
    fmd_model_destroy(r.model);
}

static void test_golden_layers__every_case_matches_keras(void **state)
{
    (void)state;
    golden *g = golden_open("layers");
    differences d = {.output = {.what = "outputs"},
                     .gradients = {.what = "gradients over the largest"},
                     .statistics = {.what = "moving statistics"}};
    golden_each(g, "cases", compare_case, &d);
    assert_int_equal(d.cases, CASES - LACKING);
    closeness_check(&d.output);
    closeness_check(&d.gradients);
    closeness_check(&d.statistics);
    golden_close(g);
}

static void test_golden_layers__a_case_is_left_out_only_if_the_program_says_why(void **state)
{
    (void)state;
    golden *g = golden_open("layers");
    for (size_t i = 1; i < LACKING; i++) {
        char layers[4096];
        fmd_shape in;
        assert_int_equal(fmd_keras_spec(lacking[i].name,
                                        golden_text(g, "%s/config", lacking[i].name), layers,
                                        sizeof layers, &in),
                         FMD_EDATA);
        assert_non_null(strstr(fmd_error_message(), lacking[i].message));
    }
    golden_close(g);
}

/* Five training batches without a change of the weights, then inference. */
static void compare_steps(const golden *g, const char *name, void *context)
{
    enum { STEPS = 5 };
    differences *d = context;
    run r;
    plain_sink s;
    fmd_shape shape = golden_shape(g, "%s/x", name);
    assert_int_equal(shape.dim[0] % STEPS, 0);
    shape.dim[0] /= STEPS;
    open_run(&r, g, name, shape);
    set_weights(&r, g, name);
    plain_sink_open(&s, r.model);
    const fmd_tensor *mean = weight(&r, r.weights - 2), *variance = weight(&r, r.weights - 1);
    const size_t c = mean->count;
    const float *x = golden_floats(g, STEPS * r.in, "%s/x", name);
    const double *y = golden_doubles(g, STEPS * r.out, "%s/y_train64", name);
    const double *means = golden_doubles(g, STEPS * c, "%s/moving_mean64", name);
    const double *variances = golden_doubles(g, STEPS * c, "%s/moving_variance64", name);
    for (size_t i = 0; i < STEPS; i++) {
        r.pass.training = true;
        plain_sink_reset(&s);
        memcpy(fmd_model_input(r.model), x + i * r.in, r.in * sizeof(float));
        closeness_add(
            &d->output,
            difference(r.out, fmd_model_forward(r.model, &r.pass, &s.sink), y + i * r.out),
            output_limit, "%s, batch %zu", name, i);
        take_statistics(&r, &s);
        const float *params = fmd_model_params(r.model);
        closeness_add(&d->statistics, difference(c, params + mean->offset, means + i * c),
                      statistics_limit, "%s, mean after batch %zu", name, i);
        closeness_add(&d->statistics, difference(c, params + variance->offset, variances + i * c),
                      statistics_limit, "%s, variance after batch %zu", name, i);
    }
    r.pass.training = false;
    closeness_add(&d->output,
                  difference(r.out, fmd_model_forward(r.model, &r.pass, NULL),
                             golden_doubles(g, r.out, "%s/y_infer64", name)),
                  output_limit, "%s, inference", name);
    plain_sink_close(&s);
    fmd_model_destroy(r.model);
}

static void test_golden_layers__moving_statistics_over_five_batches_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("layers");
    differences d = {.output = {.what = "outputs"}, .statistics = {.what = "moving statistics"}};
    golden_each(g, "steps", compare_steps, &d);
    closeness_check(&d.output);
    closeness_check(&d.statistics);
    golden_close(g);
}

/* All arrays of every case that trains some, 0.01 off. */
static void compare_changed(const golden *g, const char *name, void *context)
{
    size_t *seen = context;
    run r;
    if (is_lacking(name) || !golden_has(g, "%s/g64_0", name))
        return;
    open_run(&r, g, name, golden_shape(g, "%s/x", name));
    set_weights(&r, g, name);
    r.pass.training = atoi(golden_text(g, "%s/training", name)) != 0;
    memcpy(fmd_model_input(r.model), golden_floats(g, r.in, "%s/x", name), r.in * sizeof(float));
    for (size_t k = 0; k < r.weights; k++) {
        const fmd_tensor *t = weight(&r, k);
        for (size_t i = 0; i < t->count; i++)
            fmd_model_params(r.model)[t->offset + i] += i % 2 == 0 ? 0.01f : -0.01f;
    }
    const double *expected = golden_doubles(g, r.out, "%s/y64", name);
    if (!(difference(r.out, fmd_model_forward(r.model, &r.pass, NULL), expected) > output_limit))
        fail_msg("%s: another weight was not seen", name);
    *seen += 1;
    fmd_model_destroy(r.model);
}

static void test_golden_layers__other_weights_are_seen_in_each_case(void **state)
{
    (void)state;
    golden *g = golden_open("layers");
    size_t seen = 0;
    golden_each(g, "cases", compare_changed, &seen);
    assert_true(seen > 80);
    golden_close(g);
}

/* Another epsilon, another momentum, a weight that is a little off. */
static void test_golden_layers__a_change_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("layers");
    static const char name[] = "bn/dense_train";
    const double *expected;
    run r;
    open_run(&r, g, name, golden_shape(g, "%s/x", name));
    set_weights(&r, g, name);
    r.pass.training = true;
    memcpy(fmd_model_input(r.model), golden_floats(g, r.in, "%s/x", name), r.in * sizeof(float));
    expected = golden_doubles(g, r.out, "%s/y64", name);
    assert_true(difference(r.out, fmd_model_forward(r.model, &r.pass, NULL), expected) <
                output_limit);
    for (size_t i = 0; i < 4; i++) { /* kernel, bias, gamma, beta */
        float *w = fmd_model_params(r.model) + weight(&r, i)->offset;
        const float before = *w;
        *w *= 1.001f;
        const double changed =
            difference(r.out, fmd_model_forward(r.model, &r.pass, NULL), expected);
        /* The mean takes a bias away. */
        assert_true(i == 1 ? changed < output_limit : changed > output_limit);
        *w = before;
    }
    r.pass.training = false;
    assert_true(difference(r.out, fmd_model_forward(r.model, &r.pass, NULL), expected) >
                output_limit);
    fmd_model_destroy(r.model);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_layers__every_case_matches_keras),
        cmocka_unit_test(test_golden_layers__a_case_is_left_out_only_if_the_program_says_why),
        cmocka_unit_test(test_golden_layers__moving_statistics_over_five_batches_match_keras),
        cmocka_unit_test(test_golden_layers__other_weights_are_seen_in_each_case),
        cmocka_unit_test(test_golden_layers__a_change_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
