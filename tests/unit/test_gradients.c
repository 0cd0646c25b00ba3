/* Every layer of the registry against finite differences, made from its entry alone.
 *
 * A layer's test function is f = sum c_i y_i with random c, so that f's derivatives are those that
 * backward gives for dy = c. Every single derivative is compared. */
#include "support/closeness.h"
#include "support/fmd_test.h"
#include "support/plain_sink.h"

#include "fmd/model.h"
#include "math/gemm.h"
#include "nn/activations/activation.h"
#include "nn/losses/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MICROBATCHES = 2,
    MICROBATCH_SIZE = 3,
    ROWS = MICROBATCHES * MICROBATCH_SIZE,
    SPEC_BYTES = 256
};

/* Errors count in parts of the largest derivative of the tensor. */
static const double limit = 2e-3;

/* What is done to the analytic derivatives, to see that it is noticed. */
enum { SOUND = -2, DAMAGE_INPUT = -1 /* from 0 on: the tensor of that number */ };
static const float damage_factor = 1.01f;

static float *new_floats(size_t n)
{
    float *p = calloc(n + 1, sizeof *p);
    assert_non_null(p);
    return p;
}

/* Uniform in [-scale, scale). */
static void fill_random(float *values, size_t n, uint32_t stream, float scale)
{
    fmd_rng r = {.seed = 42, .purpose = FMD_RNG_INIT, .stream = stream};
    for (size_t i = 0; i < n; i++) {
        uint32_t u[4];
        fmd_rng_block(&r, i, u);
        values[i] = scale * (2 * fmd_rng_unit(u[0]) - 1);
    }
}

/* A function of values that lie somewhere in memory. */
typedef double (*function)(void *self);

/* (f(v + h) - f(v - h)) / 2h. */
static double central_difference(function f, void *self, float *v, float h)
{
    float middle = *v, above = middle + h, below = middle - h;
    *v = above;
    double up = f(self);
    *v = below;
    double down = f(self);
    *v = middle;
    return (up - down) / ((double)above - (double)below);
}

/* Compares df/dv with `analytic` for each of n values; the numeric derivative is extrapolated from
 * two step sizes (Richardson). Where these disagree, f has a kink nearby (relu) and the value is
 * passed over; a quarter of them at most. */
static void compare_derivatives(function f, void *self, float *values, const float *analytic,
                                size_t n, const char *spec, const char *tensor, closeness *c)
{
    const float h = 0x1p-6f;
    double *numeric = calloc(n, sizeof *numeric);
    bool *smooth = calloc(n, sizeof *smooth);
    assert_true(numeric != NULL && smooth != NULL);
    double most = 1e-3;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)analytic[i]));
    for (size_t i = 0; i < n; i++) {
        double whole = central_difference(f, self, &values[i], h);
        double half = central_difference(f, self, &values[i], h / 2);
        numeric[i] = (4 * half - whole) / 3;
        most = fmax(most, fabs(numeric[i]));
        smooth[i] = fabs(whole - half) <= limit * most;
    }
    size_t passed_over = 0;
    for (size_t i = 0; i < n; i++)
        if (smooth[i])
            closeness_add(c, fabs(numeric[i] - (double)analytic[i]) / most, limit, "%s, %s[%zu]",
                          spec, tensor, i);
        else
            passed_over++;
    if (passed_over > n / 4)
        fail_msg("%s, %s: %zu of %zu derivatives could not be tested", spec, tensor, passed_over,
                 n);
    free(numeric);
    free(smooth);
}

/* A layer as the first one of a model, with random parameters and inputs. */
typedef struct probe {
    fmd_model *model;
    const fmd_layer *layer;
    fmd_pass pass;
    size_t in, out; /* values of all rows */
    float *x, *y, *c, *dy, *dx;
    plain_sink sink;
} probe;

static void open_probe(probe *p, const char *spec, fmd_shape in)
{
    char text[SPEC_BYTES];
    snprintf(text, sizeof text, "%s,flatten,dense:3:softmax", spec);
    *p = (probe){.pass = {.microbatches = MICROBATCHES,
                          .microbatch_size = MICROBATCH_SIZE,
                          .training = true,
                          .seed = 7,
                          .step = 3,
                          .first_sample = 5 * ROWS}};
    assert_ok(fmd_model_create(&p->model, text, in, ROWS));
    p->layer = fmd_model_layer(p->model, 0);
    p->in = ROWS * fmd_shape_count(p->layer->in);
    p->out = ROWS * fmd_shape_count(p->layer->out);
    p->x = new_floats(p->in);
    p->dx = new_floats(p->in);
    p->y = new_floats(p->out);
    p->dy = new_floats(p->out);
    p->c = new_floats(p->out);
    plain_sink_open(&p->sink, p->model);
    fill_random(fmd_model_params(p->model), fmd_model_n_params(p->model), 1, 1);
    fill_random(p->x, p->in, 2, 2);
    fill_random(p->c, p->out, 3, 1);
}

static void close_probe(probe *p)
{
    free(p->x);
    free(p->dx);
    free(p->y);
    free(p->dy);
    free(p->c);
    plain_sink_close(&p->sink);
    fmd_model_destroy(p->model);
}

/* y, for the rows from `row` on that the pass has. */
static void probe_forward(probe *p, const fmd_pass *pass, size_t row)
{
    const fmd_layer *l = p->layer;
    const size_t in = p->in / ROWS, out = p->out / ROWS, n = fmd_pass_samples(pass);
    float *y = p->y + row * out;
    for (size_t i = 0; i < n * out; i++)
        y[i] = NAN; /* to be overwritten */
    if (l->ops->forward != NULL)
        l->ops->forward(l, pass, p->x + row * in, y);
    else
        memcpy(y, p->x + row * in, n * out * sizeof *y);
}

static double probe_value(void *self)
{
    probe *p = self;
    probe_forward(p, &p->pass, 0);
    double sum = 0;
    for (size_t i = 0; i < p->out; i++)
        sum += (double)p->c[i] * (double)p->y[i];
    return sum;
}

/* dx and the gradient sums, after forward of the same rows. */
static void probe_backward(probe *p, const fmd_pass *pass, size_t row, bool with_dx)
{
    const fmd_layer *l = p->layer;
    const size_t in = p->in / ROWS, out = p->out / ROWS, n = fmd_pass_samples(pass);
    float *dy = p->dy + row * out, *dx = p->dx + row * in;
    memcpy(dy, p->c + row * out, n * out * sizeof *dy);
    for (size_t i = 0; i < n * in; i++)
        dx[i] = NAN;
    if (l->ops->backward != NULL)
        l->ops->backward(l, pass, p->x + row * in, p->y + row * out, dy, with_dx ? dx : NULL,
                         &p->sink.sink);
    else
        memcpy(dx, dy, n * in * sizeof *dx);
}

static void scale(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] *= damage_factor;
}

/* All derivatives of one layer, sound or with one of them damaged. */
static void compare_layer(const char *spec, fmd_shape in, int damage, closeness *c)
{
    probe p;
    open_probe(&p, spec, in);
    probe_forward(&p, &p.pass, 0);
    probe_backward(&p, &p.pass, 0, true);
    plain_sink_assert_complete(&p.sink, p.layer->first_tensor, p.layer->n_tensors, MICROBATCHES);
    if (damage == DAMAGE_INPUT)
        scale(p.dx, p.in);
    compare_derivatives(probe_value, &p, p.x, p.dx, p.in, spec, "input", c);
    for (size_t i = 0; i < p.layer->n_tensors; i++) {
        const fmd_tensor *t = fmd_model_tensor(p.model, p.layer->first_tensor + i);
        float *sums = p.sink.sums + t->offset;
        if (damage == (int)i)
            scale(sums, t->count);
        compare_derivatives(probe_value, &p, fmd_model_params(p.model) + t->offset, sums, t->count,
                            spec, t->name, c);
    }
    close_probe(&p);
}

static void test_gradients__every_layer_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "layers"};
    const fmd_layer_ops *ops;
    size_t i = 0;
    for (; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        /* The example is of the layer that has it. */
        assert_memory_equal(ops->example, ops->name, strlen(ops->name));
        compare_layer(ops->example, ops->example_in, SOUND, &c);
    }
    assert_true(i > 0);
    closeness_check(&c);
}

static void test_gradients__a_damaged_derivative_is_seen(void **state)
{
    (void)state;
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        probe p;
        open_probe(&p, ops->example, ops->example_in);
        int n = (int)p.layer->n_tensors;
        close_probe(&p);
        for (int damage = DAMAGE_INPUT; damage < n; damage++) {
            closeness c = {0};
            compare_layer(ops->example, ops->example_in, damage, &c);
            if (!(c.parts > 1))
                fail_msg("%s: damage %d was not seen", ops->example, damage);
        }
    }
}

static const char *const activations[] = {
#define NAME(name) #name,
    FMD_ACTIVATION_LIST(NAME)
#undef NAME
};

static void test_gradients__every_activation_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "activations"};
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        const char *const forms[] = {"dense:5:%s", "dense:4:%s:nobias", "activation:%s"};
        for (size_t j = 0; j < sizeof forms / sizeof forms[0]; j++) {
            char spec[SPEC_BYTES];
            size_t before = strcspn(forms[j], "%");
            snprintf(spec, sizeof spec, "%.*s%s%s", (int)before, forms[j], activations[i],
                     forms[j] + before + 2);
            compare_layer(spec, (fmd_shape){1, {6}}, SOUND, &c);
            compare_layer(spec, (fmd_shape){2, {3, 4}}, SOUND, &c); /* works on the last axis */
        }
    }
    closeness_check(&c);
}

/* Two microbatches at once, or one after the other: the same bits; and dx is nobody else's business. */
static void test_gradients__a_row_does_not_depend_on_other_microbatches(void **state)
{
    (void)state;
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        probe together, apart;
        open_probe(&together, ops->example, ops->example_in);
        open_probe(&apart, ops->example, ops->example_in);
        probe_forward(&together, &together.pass, 0);
        probe_backward(&together, &together.pass, 0, true);
        for (size_t microbatch = 0; microbatch < MICROBATCHES; microbatch++) {
            fmd_pass one = apart.pass;
            one.microbatches = 1;
            one.first_sample += microbatch * MICROBATCH_SIZE;
            probe_forward(&apart, &one, microbatch * MICROBATCH_SIZE);
            probe_backward(&apart, &one, microbatch * MICROBATCH_SIZE, true);
        }
        size_t n = fmd_model_n_params(together.model);
        assert_memory_equal(apart.y, together.y, together.out * sizeof(float));
        assert_memory_equal(apart.dx, together.dx, together.in * sizeof(float));
        assert_memory_equal(apart.sink.sums, together.sink.sums, n * sizeof(float));

        plain_sink_reset(&apart.sink);
        probe_forward(&apart, &apart.pass, 0);
        probe_backward(&apart, &apart.pass, 0, false);
        assert_memory_equal(apart.sink.sums, together.sink.sums, n * sizeof(float));
        close_probe(&together);
        close_probe(&apart);
    }
}

/* A whole model with the loss. */
typedef struct classifier {
    fmd_model *model;
    fmd_pass pass;
    uint8_t labels[ROWS];
    size_t n; /* rows that count; the others are padding */
} classifier;

static double loss_of(classifier *m, float *grads)
{
    fmd_loss_sums sums = {0};
    size_t n = ROWS * (size_t)fmd_model_classes(m->model);
    for (size_t i = 0; grads != NULL && i < n; i++)
        grads[i] = NAN; /* to be overwritten, padding too */
    fmd_loss_samples(fmd_model_forward(m->model, &m->pass), m->labels, m->n, ROWS,
                     (size_t)fmd_model_classes(m->model), grads, &sums);
    assert_int_equal(sums.failed, 0);
    return (double)sums.loss * FMD_LOSS_UNIT;
}

static double classifier_value(void *self)
{
    return loss_of(self, NULL);
}

static void compare_model(const char *spec, fmd_shape in, int damage, closeness *c)
{
    classifier m = {.pass = {.microbatches = MICROBATCHES,
                             .microbatch_size = MICROBATCH_SIZE,
                             .training = true,
                             .seed = 7,
                             .step = 3,
                             .first_sample = ROWS},
                    .n = ROWS - 1};
    assert_ok(fmd_model_create(&m.model, spec, in, ROWS));
    fill_random(fmd_model_params(m.model), fmd_model_n_params(m.model), 1, 1);
    fill_random(fmd_model_input(m.model), ROWS * fmd_shape_count(in), 2, 2);
    for (size_t i = 0; i < ROWS; i++)
        m.labels[i] = (uint8_t)(i % (size_t)fmd_model_classes(m.model));
    plain_sink sink;
    plain_sink_open(&sink, m.model);
    loss_of(&m, fmd_model_logit_grads(m.model));
    fmd_model_backward(m.model, &m.pass, &sink.sink);
    size_t n = fmd_model_n_tensors(m.model);
    plain_sink_assert_complete(&sink, 0, n, MICROBATCHES);
    for (size_t i = 0; i < n; i++) {
        const fmd_tensor *t = fmd_model_tensor(m.model, i);
        char name[64];
        snprintf(name, sizeof name, "tensor %zu", i);
        if (damage == (int)i)
            scale(sink.sums + t->offset, t->count);
        compare_derivatives(classifier_value, &m, fmd_model_params(m.model) + t->offset,
                            sink.sums + t->offset, t->count, spec, name, c);
    }
    plain_sink_close(&sink);
    fmd_model_destroy(m.model);
}

/* The layer between others where its input is a row, else in front of them. */
static void embed(const fmd_layer_ops *ops, char spec[SPEC_BYTES], fmd_shape *in)
{
    *in = ops->example_in;
    if (ops->example_in.rank > 1) {
        snprintf(spec, SPEC_BYTES, "%s,flatten,dense:4:tanh,dense:3:softmax", ops->example);
        return;
    }
    *in = (fmd_shape){2, {2, 4}};
    snprintf(spec, SPEC_BYTES, "flatten,dense:%d:tanh,%s,flatten,dense:3:softmax",
             ops->example_in.dim[0], ops->example);
}

static void test_gradients__every_layer_in_a_model_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "models of one layer each"};
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        char spec[SPEC_BYTES];
        fmd_shape in;
        embed(ops, spec, &in);
        compare_model(spec, in, SOUND, &c);
    }
    closeness_check(&c);
}

static const char *const deep =
    "flatten,dense:6:gelu,dropout:0.3,dense:5:elu,activation:sigmoid,dropout:0.2,dense:4,"
    "activation:tanh,dense:3,activation:softmax";
static const fmd_shape deep_in = {2, {2, 4}};

static void test_gradients__a_deep_model_with_dropout_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "a deep model"};
    compare_model(deep, deep_in, SOUND, &c);
    closeness_check(&c);
    for (int damage = 0; damage < 8; damage++) {
        closeness damaged = {0};
        compare_model(deep, deep_in, damage, &damaged);
        assert_true(damaged.parts > 1);
    }
}

static void test_gradients__dropout_was_active(void **state)
{
    (void)state;
    probe p;
    open_probe(&p, "dropout:0.4", (fmd_shape){1, {50}});
    probe_forward(&p, &p.pass, 0);
    size_t zeros = 0;
    for (size_t i = 0; i < p.out; i++) {
        zeros += p.y[i] == 0;
        assert_true(p.y[i] == 0 || fabsf(p.y[i] - p.x[i] / 0.6f) <= 1e-6f * fabsf(p.x[i]));
    }
    assert_in_range(zeros, 90, 150); /* 120 of 300, give or take 3.5 standard deviations */
    p.pass.training = false;
    probe_forward(&p, &p.pass, 0);
    assert_memory_equal(p.y, p.x, p.in * sizeof(float));
    close_probe(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients__every_layer_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_damaged_derivative_is_seen),
        cmocka_unit_test(test_gradients__every_activation_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_row_does_not_depend_on_other_microbatches),
        cmocka_unit_test(test_gradients__every_layer_in_a_model_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_deep_model_with_dropout_matches_finite_differences),
        cmocka_unit_test(test_gradients__dropout_was_active),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
