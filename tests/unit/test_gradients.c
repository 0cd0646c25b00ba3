/* Every layer of the registry against finite differences, made from its entry alone.
 *
 * A layer's test function is f = sum c_i y_i with random c, so that f's derivatives are those that
 * backward gives for dy = c. Every single derivative is compared. */
#include "support/closeness.h"
#include "support/fmd_test.h"
#include "support/plain_sink.h"

#include "math/gemm.h"
#include "nn/activations/activation.h"
#include "nn/losses/loss.h"
#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MICROBATCHES = 2,
    MICROBATCH_SIZE = 3,
    ROWS = MICROBATCHES * MICROBATCH_SIZE,
    MOST_INPUTS = 3,
    SPEC_BYTES = 256
};

/* Errors count in parts of the largest derivative of the tensor. */
static const double limit = 2e-3;

/* Damage to the analytic derivatives, which a comparison must notice: none, or a factor on those of an
 * input (DAMAGE_INPUT - 1 is the second one) or, from 0 on, of the tensor with that number. */
enum { SOUND = -100, DAMAGE_INPUT = -1 };
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
        if (fabs((double)analytic[i]) > most) /* fmax here crashes gcc 12 for aarch64 */
            most = fabs((double)analytic[i]);
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
    int inputs;
    size_t in[MOST_INPUTS], out; /* values of all rows */
    float *x[MOST_INPUTS], *dx[MOST_INPUTS], *y, *c, *dy;
    plain_sink sink;
} probe;

/* The spec of the layer; one that merges takes three inputs. */
static void layer_spec(const char *spec, const char *input, char text[SPEC_BYTES])
{
    const fmd_layer_ops *ops;
    char name[SPEC_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    assert_ok(fmd_layer_find(&ops, name));
    if (ops->merges)
        snprintf(text, SPEC_BYTES, "%s:%s:%s", spec, input, input);
    else
        snprintf(text, SPEC_BYTES, "%s", spec);
}

static void open_probe(probe *p, const char *spec, fmd_shape in)
{
    char layer[SPEC_BYTES], text[2 * SPEC_BYTES];
    layer_spec(spec, "input", layer);
    snprintf(text, sizeof text, "%s,flatten,dense:3:softmax", layer);
    *p = (probe){.pass = {.microbatches = MICROBATCHES,
                          .microbatch_size = MICROBATCH_SIZE,
                          .training = true,
                          .seed = 7,
                          .step = 3,
                          .first_sample = 5 * ROWS}};
    assert_ok(fmd_model_create(&p->model, text, in, ROWS));
    p->layer = fmd_model_layer(p->model, 0);
    p->inputs = p->layer->n_inputs;
    p->out = ROWS * fmd_shape_count(p->layer->out);
    for (int i = 0; i < p->inputs; i++) {
        p->in[i] = ROWS * fmd_shape_count(p->layer->in[i]);
        p->x[i] = new_floats(p->in[i]);
        p->dx[i] = new_floats(p->in[i]);
        fill_random(p->x[i], p->in[i], i == 0 ? 2 : 3 + (uint32_t)i, 2);
    }
    p->y = new_floats(p->out);
    p->dy = new_floats(p->out);
    p->c = new_floats(p->out);
    plain_sink_open(&p->sink, p->model);
    fill_random(fmd_model_params(p->model), fmd_model_n_params(p->model), 1, 1);
    fill_random(p->c, p->out, 3, 1);
}

static void close_probe(probe *p)
{
    for (int i = 0; i < p->inputs; i++) {
        free(p->x[i]);
        free(p->dx[i]);
    }
    free(p->y);
    free(p->dy);
    free(p->c);
    plain_sink_close(&p->sink);
    fmd_model_destroy(p->model);
}

/* What the layer reads and writes, from row `row` on. */
typedef struct view {
    const float *x[MOST_INPUTS];
    float *dx[MOST_INPUTS];
    fmd_values values;
} view;

static void view_rows(probe *p, size_t row, bool with_dx, view *v)
{
    const fmd_values *model = fmd_model_values(p->model, 0);
    for (int i = 0; i < p->inputs; i++) {
        v->x[i] = p->x[i] + row * p->in[i] / ROWS;
        v->dx[i] = with_dx ? p->dx[i] + row * p->in[i] / ROWS : NULL;
    }
    v->values = (fmd_values){.x = v->x,
                             .y = p->y + row * p->out / ROWS,
                             .dy = p->dy + row * p->out / ROWS,
                             .dx = v->dx,
                             .saved = model->saved,
                             .workspace = model->workspace};
}

/* y of the rows of the pass, which begin at `row`. */
static void probe_forward(probe *p, const fmd_pass *pass, size_t row, const fmd_gradient_sink *sink)
{
    const fmd_layer *l = p->layer;
    const size_t n = fmd_pass_samples(pass) * p->out / ROWS;
    view v;
    view_rows(p, row, true, &v);
    for (size_t i = 0; i < n; i++)
        v.values.y[i] = NAN; /* to be overwritten */
    if (l->ops->forward != NULL)
        l->ops->forward(l, pass, &v.values, sink);
    else
        memcpy(v.values.y, v.x[0], n * sizeof(float));
}

static double probe_value(void *self)
{
    probe *p = self;
    probe_forward(p, &p->pass, 0, NULL);
    double sum = 0;
    for (size_t i = 0; i < p->out; i++)
        sum += (double)p->c[i] * (double)p->y[i];
    return sum;
}

/* dx and the gradient sums, after forward of the same rows. */
static void probe_backward(probe *p, const fmd_pass *pass, size_t row, bool with_dx)
{
    const fmd_layer *l = p->layer;
    const size_t n = fmd_pass_samples(pass);
    view v;
    view_rows(p, row, with_dx, &v);
    memcpy(v.values.dy, p->c + row * p->out / ROWS, n * p->out / ROWS * sizeof(float));
    for (int k = 0; k < p->inputs; k++)
        for (size_t i = 0; i < n * p->in[k] / ROWS; i++)
            p->dx[k][row * p->in[k] / ROWS + i] = NAN;
    if (l->ops->backward != NULL)
        l->ops->backward(l, pass, &v.values, &p->sink.sink);
    else if (with_dx)
        memcpy(v.dx[0], v.values.dy, n * p->out / ROWS * sizeof(float));
}

/* Layers with a forward alone pass no gradient on. */
static bool has_derivative(const fmd_layer_ops *ops)
{
    return ops->forward == NULL || ops->backward != NULL;
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
    probe_forward(&p, &p.pass, 0, &p.sink.sink);
    probe_backward(&p, &p.pass, 0, true);
    plain_sink_assert_complete(&p.sink, p.layer->first_tensor, p.layer->n_tensors, MICROBATCHES);
    plain_sink_assert_complete(&p.sink, p.layer->first_state, p.layer->n_states, MICROBATCHES);
    for (int i = 0; i < p.inputs; i++) {
        char name[32];
        snprintf(name, sizeof name, "input %d", i);
        if (damage == DAMAGE_INPUT - i)
            scale(p.dx[i], p.in[i]);
        compare_derivatives(probe_value, &p, p.x[i], p.dx[i], p.in[i], spec, name, c);
    }
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
        if (has_derivative(ops))
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
        if (!has_derivative(ops))
            continue;
        probe p;
        open_probe(&p, ops->example, ops->example_in);
        const int tensors = (int)p.layer->n_tensors, inputs = p.inputs;
        close_probe(&p);
        for (int damage = -inputs; damage < tensors; damage++) {
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

static void assert_equal_probes(const probe *a, const probe *b)
{
    assert_memory_equal(a->y, b->y, b->out * sizeof(float));
    for (int i = 0; i < b->inputs && has_derivative(b->layer->ops); i++)
        assert_memory_equal(a->dx[i], b->dx[i], b->in[i] * sizeof(float));
    assert_memory_equal(a->sink.sums, b->sink.sums, fmd_model_n_params(b->model) * sizeof(float));
}

/* Two microbatches at once, or one after the other: the same bits; and sums do not depend on whether
 * somebody needs dx. */
static void test_gradients__a_row_does_not_depend_on_other_microbatches(void **state)
{
    (void)state;
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        probe together, apart;
        open_probe(&together, ops->example, ops->example_in);
        open_probe(&apart, ops->example, ops->example_in);
        probe_forward(&together, &together.pass, 0, &together.sink.sink);
        probe_backward(&together, &together.pass, 0, true);
        for (size_t microbatch = 0; microbatch < MICROBATCHES; microbatch++) {
            fmd_pass one = apart.pass;
            one.microbatches = 1;
            one.first_sample += microbatch * MICROBATCH_SIZE;
            probe_forward(&apart, &one, microbatch * MICROBATCH_SIZE, &apart.sink.sink);
            probe_backward(&apart, &one, microbatch * MICROBATCH_SIZE, true);
        }
        assert_equal_probes(&apart, &together);

        plain_sink_reset(&apart.sink);
        probe_forward(&apart, &apart.pass, 0, &apart.sink.sink);
        probe_backward(&apart, &apart.pass, 0, false);
        assert_memory_equal(apart.sink.sums, together.sink.sums,
                            fmd_model_n_params(together.model) * sizeof(float));
        close_probe(&together);
        close_probe(&apart);
    }
}

/* Whether y of some row changes with the input of another row of its microbatch: in layers that say
 * so, and in no other. */
static void test_gradients__only_batch_statistics_join_the_rows_of_a_microbatch(void **state)
{
    (void)state;
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        probe before, after;
        open_probe(&before, ops->example, ops->example_in);
        open_probe(&after, ops->example, ops->example_in);
        const size_t row = before.out / ROWS;
        for (int k = 0; k < after.inputs; k++)
            for (size_t j = 0; j < after.in[k] / ROWS; j++)
                after.x[k][j] += 1; /* of row 0 */
        probe_forward(&before, &before.pass, 0, NULL);
        probe_forward(&after, &after.pass, 0, NULL);
        const bool joined =
            memcmp(before.y + row, after.y + row, (MICROBATCH_SIZE - 1) * row * sizeof(float)) != 0;
        assert_int_equal(joined, ops->batch_statistics);
        assert_memory_equal(before.y + MICROBATCH_SIZE * row, after.y + MICROBATCH_SIZE * row,
                            (ROWS - MICROBATCH_SIZE) * row * sizeof(float));
        close_probe(&before);
        close_probe(&after);
    }
}

/* A whole model with the loss. */
typedef struct classifier {
    fmd_model *model;
    fmd_pass pass;
    uint8_t labels[ROWS];
    size_t n; /* samples; the rows behind them are padding */
} classifier;

static double loss_of(classifier *m, float *grads, const fmd_gradient_sink *statistics)
{
    fmd_loss_sums sums = {0};
    size_t n = ROWS * (size_t)fmd_model_classes(m->model);
    for (size_t i = 0; grads != NULL && i < n; i++)
        grads[i] = NAN; /* to be overwritten, padding too */
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, fmd_model_forward(m->model, &m->pass, statistics),
                     &(fmd_targets){.labels = m->labels}, m->n, ROWS,
                     (size_t)fmd_model_classes(m->model), grads, &sums);
    assert_int_equal(sums.failed, 0);
    return (double)sums.loss * FMD_LOSS_UNIT;
}

static double classifier_value(void *self)
{
    return loss_of(self, NULL, NULL);
}

static void compare_model(const char *spec, fmd_shape in, int damage, closeness *c)
{
    classifier m = {.pass = {.microbatches = MICROBATCHES,
                             .microbatch_size = MICROBATCH_SIZE,
                             .padding = 1,
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
    loss_of(&m, fmd_model_logit_grads(m.model), &sink.sink);
    fmd_model_backward(m.model, &m.pass, &sink.sink);
    plain_sink_assert_complete(&sink, 0, fmd_model_n_tensors(m.model), MICROBATCHES);
    for (size_t i = 0; i < fmd_model_n_trainable_tensors(m.model); i++) {
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

/* The layer between others, or with branches around it: its input goes another way, too, and to a
 * layer that merges, three times. One without a derivative comes first. */
static void embed(const fmd_layer_ops *ops, bool branches, char text[4 * SPEC_BYTES], fmd_shape *in)
{
    char layer[SPEC_BYTES], shape[64] = "";
    layer_spec(ops->example, has_derivative(ops) ? "a" : "input", layer);
    const fmd_shape s = ops->example_in;
    for (int i = 0, used = 0; i < s.rank; i++)
        used +=
            snprintf(shape + used, sizeof shape - (size_t)used, "%s%d", i > 0 ? "x" : "", s.dim[i]);
    if (!has_derivative(ops)) {
        *in = s;
        snprintf(text, 4 * SPEC_BYTES, "%s,flatten,dense:4:tanh,dense:3:softmax", layer);
        return;
    }
    *in = (fmd_shape){2, {2, 4}};
    snprintf(text, 4 * SPEC_BYTES, "flatten,dense:%zu:tanh,reshape:%s@a,%s,flatten,dense:3%s",
             fmd_shape_count(s), shape, layer,
             branches ? "@b,from:a,flatten,dense:3,add:b,softmax" : ":softmax");
}

static void test_gradients__every_layer_in_a_model_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "models of one layer each"};
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++)
        for (int branches = 0; branches < 2; branches++) {
            char spec[4 * SPEC_BYTES];
            fmd_shape in;
            embed(ops, branches == 1, spec, &in);
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

/* A residual block with batch normalisation, an output with three consumers, two ways that meet. */
static const char *const branching =
    "flatten,dense:6@a,batch_normalization,activation:tanh,dense:6,add:a@b,dense:5:gelu@c,from:b,"
    "dense:5:tanh,concatenate:c:b,dense:4:elu,concatenate:c,dense:3,softmax";

static void test_gradients__a_branching_model_matches_finite_differences(void **state)
{
    (void)state;
    closeness c = {.what = "a branching model"};
    compare_model(branching, deep_in, SOUND, &c);
    closeness_check(&c);
    for (int damage = 0; damage < 14; damage++) {
        closeness damaged = {0};
        compare_model(branching, deep_in, damage, &damaged);
        if (!(damaged.parts > 1))
            fail_msg("damage %d was not seen", damage);
    }
}

static void test_gradients__dropout_was_active(void **state)
{
    (void)state;
    probe p;
    open_probe(&p, "dropout:0.4", (fmd_shape){1, {50}});
    probe_forward(&p, &p.pass, 0, NULL);
    size_t zeros = 0;
    for (size_t i = 0; i < p.out; i++) {
        zeros += p.y[i] == 0;
        assert_true(p.y[i] == 0 || fabsf(p.y[i] - p.x[0][i] / 0.6f) <= 1e-6f * fabsf(p.x[0][i]));
    }
    assert_in_range(zeros, 90, 150); /* 120 of 300, within 3.5 standard deviations */
    p.pass.training = false;
    probe_forward(&p, &p.pass, 0, NULL);
    assert_memory_equal(p.y, p.x[0], p.in[0] * sizeof(float));
    close_probe(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients__every_layer_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_damaged_derivative_is_seen),
        cmocka_unit_test(test_gradients__every_activation_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_row_does_not_depend_on_other_microbatches),
        cmocka_unit_test(test_gradients__only_batch_statistics_join_the_rows_of_a_microbatch),
        cmocka_unit_test(test_gradients__every_layer_in_a_model_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_deep_model_with_dropout_matches_finite_differences),
        cmocka_unit_test(test_gradients__a_branching_model_matches_finite_differences),
        cmocka_unit_test(test_gradients__dropout_was_active),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
