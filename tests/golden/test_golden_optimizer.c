/* Twenty steps of each optimizer against real Keras (tests/golden/README.md). The gradients are
 * those of our own model. */
#include "support/fmd_test.h"
#include "support/golden.h"
#include "support/plain_sink.h"

#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 20, ROWS = 16, TENSORS = 4 };

static const double slot_limit = 5e-5, loss_limit = 2e-6;

/* The settings of Keras' run, and one that is a little off and must be seen. */
typedef struct setting {
    const char *name, *spec, *wrong;
    double weight_limit;
} setting;

static const setting settings[] = {
    {"adam", "adam", "adam:epsilon=1e-8", 1e-6},
    {"adam_params", "adam:beta_1=0.8:beta_2=0.95:epsilon=0.001",
     "adam:beta_1=0.8:beta_2=0.951:epsilon=0.001", 5e-6},
    {"sgd", "sgd", "sgd:momentum=0.001", 5e-6},
    {"sgd_momentum", "sgd:momentum=0.9", "sgd:momentum=0.9:nesterov", 5e-6},
    {"sgd_nesterov", "sgd:momentum=0.9:nesterov", "sgd:momentum=0.9", 5e-6},
    {"rmsprop", "rmsprop", "rmsprop:epsilon=1e-8", 1e-6},
    {"rmsprop_centered", "rmsprop:centered", "rmsprop:centered:rho=0.901", 1e-6},
    {"rmsprop_momentum_centered", "rmsprop:momentum=0.9:centered", "rmsprop:momentum=0.9", 1e-6},
    {"adagrad", "adagrad", "adagrad:initial_accumulator_value=0.11", 1e-6},
    {"adam_amsgrad", "adam:beta_2=0.9:amsgrad", "adam:beta_2=0.9", 1e-6},
    {"adam_clipnorm", "adam:clipnorm=0.3", "adam:global_clipnorm=0.3", 1e-6},
    {"adam_clipvalue", "adam:clipvalue=0.02", "adam:clipvalue=0.021", 1e-6},
    {"adam_global_clipnorm", "adam:global_clipnorm=0.8", "adam:clipnorm=0.8", 1e-6},
    {"adamw", "adamw", "adam", 1e-6},
    {"adamw_lr01", "adamw:weight_decay=0.1", "adamw:weight_decay=0.1:kernels_only", 5e-6},
    {"lamb", "lamb", "lamb:kernels_only", 1e-6},
    {"nadam", "nadam", "adam", 1e-6},
    {"sgd_clipnorm", "sgd:clipnorm=0.3", "sgd:global_clipnorm=0.3", 5e-6},
    {"sgd_global_clipnorm", "sgd:global_clipnorm=0.8", "sgd:clipnorm=0.8", 5e-6},
    {"sgd_weight_decay", "sgd:weight_decay=0.1", "sgd:weight_decay=0.1:kernels_only", 5e-6},
};

/* A program's own update of n parameters at step t, from 1. */
typedef void (*update)(void *self, size_t n, float *params, const float *grads, double rate, int t);

typedef struct differences {
    closeness weights, losses, slots;
} differences;

static fmd_model *model_with_initial_weights(const golden *g)
{
    fmd_model *m;
    fmd_shape x = golden_shape(g, "x"), in = {2, {x.dim[2], x.dim[3]}};
    assert_int_equal(x.dim[0], STEPS);
    assert_int_equal(x.dim[1], ROWS);
    assert_ok(fmd_model_create(&m, golden_text(g, "layers"), in, ROWS));
    assert_int_equal(fmd_model_n_tensors(m), TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        memcpy(fmd_model_params(m) + t->offset, golden_floats(g, t->count, "w%zu", i),
               t->count * sizeof(float));
    }
    return m;
}

/* Mean loss of batch t, from 0; s->sums becomes the gradient of it. */
static double gradients_of_batch(const golden *g, fmd_model *m, plain_sink *s, size_t t)
{
    fmd_pass pass = {
        .microbatches = 1, .microbatch_size = ROWS, .training = true, .step = (uint32_t)t};
    size_t values = fmd_shape_count(fmd_model_in(m)) * ROWS;
    memcpy(fmd_model_input(m), golden_floats(g, STEPS * values, "x") + t * values,
           values * sizeof(float));
    const float *logits = fmd_model_forward(m, &pass, NULL);
    fmd_loss_sums sums = {0};
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits,
                     &(fmd_targets){.labels = golden_bytes(g, STEPS * ROWS, "y") + t * ROWS}, ROWS,
                     ROWS, (size_t)fmd_model_classes(m), fmd_model_logit_grads(m), &sums);
    plain_sink_reset(s);
    fmd_model_backward(m, &pass, &s->sink);
    plain_sink_assert_complete(s, 0, TENSORS, 1);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        s->sums[i] /= ROWS;
    return (double)sums.loss * FMD_LOSS_UNIT / ROWS;
}

/* True where the file has the weights after this step. */
static bool kept(const golden *g, const char *name, int step)
{
    return golden_has(g, "%s/step%02d/w0", name, step);
}

static double difference_of_tensors(const golden *g, const fmd_model *m, const float *values,
                                    const char *form, bool relative)
{
    double most = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        const float *expected = golden_floats(g, t->count, "%s%zu", form, i);
        double here = largest_difference(t->count, values + t->offset, expected);
        if (relative)
            here /= largest(t->count, expected);
        most = here > most ? here : most;
    }
    return most;
}

/* The steps of Keras' setting `s`, with any way of updating. Adds up what it finds in *d. */
static void run_steps(const golden *g, const setting *s, update f, void *self, differences *d)
{
    fmd_model *m = model_with_initial_weights(g);
    plain_sink sink;
    plain_sink_open(&sink, m);
    const float *rate = golden_floats(g, STEPS, "%s/learning_rate", s->name);
    const float *loss = golden_floats(g, STEPS, "%s/loss", s->name);
    for (int t = 1; t <= STEPS; t++) {
        double here = gradients_of_batch(g, m, &sink, (size_t)t - 1), keras = (double)loss[t - 1];
        closeness_add(&d->losses, fabs(here - keras), loss_limit * fmax(1, keras), "%s, step %d",
                      s->name, t);
        f(self, fmd_model_n_params(m), fmd_model_params(m), sink.sums, (double)rate[t - 1], t);
        char form[64];
        snprintf(form, sizeof form, "%s/step%02d/w", s->name, t);
        if (kept(g, s->name, t))
            closeness_add(&d->weights,
                          difference_of_tensors(g, m, fmd_model_params(m), form, false),
                          s->weight_limit, "%s, step %d", s->name, t);
    }
    plain_sink_close(&sink);
    fmd_model_destroy(m);
}

static void step_ours(void *self, size_t n, float *params, const float *grads, double rate, int t)
{
    (void)n;
    assert_int_equal(fmd_optimizer_steps(self), t - 1);
    fmd_optimizer_step(self, params, grads, rate);
    assert_int_equal(fmd_optimizer_steps(self), t);
}

/* Runs our optimizer of this spec; compares its slots too, where `with_slots`. */
static void run_ours(const golden *g, const setting *s, const char *spec, bool with_slots,
                     differences *d)
{
    fmd_model *m = model_with_initial_weights(g);
    fmd_optimizer *o;
    assert_ok(fmd_optimizer_create(&o, spec, fmd_model_n_params(m)));
    assert_ok(fmd_optimizer_set_model(o, m));
    run_steps(g, s, step_ours, o, d);
    size_t n = fmd_optimizer_n_slots(o);
    for (size_t i = 0; with_slots && i < n; i++) {
        char form[64];
        snprintf(form, sizeof form, "%s/%s", s->name, fmd_optimizer_slot_name(o, i));
        closeness_add(&d->slots, difference_of_tensors(g, m, fmd_optimizer_slot(o, i), form, true),
                      slot_limit, "%s", form);
    }
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

static void test_golden_optimizer__twenty_steps_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer");
    differences d = {.weights = {.what = "weights"},
                     .losses = {.what = "losses"},
                     .slots = {.what = "slots over the largest of the array"}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        run_ours(g, &settings[i], settings[i].spec, true, &d);
    closeness_check(&d.weights);
    closeness_check(&d.losses);
    closeness_check(&d.slots);
    golden_close(g);
}

/* The cases of the file and the settings here are the same ones. */
static void has_setting(const golden *g, const char *name, void *count)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        *(size_t *)count += strcmp(settings[i].name, name) == 0 && kept(g, name, STEPS);
}

static void test_golden_optimizer__every_setting_of_the_file_is_run(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer");
    size_t n = 0, words = 0;
    golden_each(g, "cases", has_setting, &n);
    for (const char *p = golden_text(g, "cases"); p != NULL; p = strchr(p + 1, ' '))
        words++;
    assert_int_equal(n, words);
    assert_int_equal(n, sizeof settings / sizeof settings[0]);
    golden_close(g);
}

static void test_golden_optimizer__names_and_slots_are_those_of_keras(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const setting *s = &settings[i];
        fmd_optimizer *o;
        assert_ok(fmd_optimizer_create(&o, s->spec, 1));
        const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(o);
        assert_string_equal(ops->keras_class, golden_text(g, "%s/class_name", s->name));
        char slots[128] = "";
        for (size_t j = 0; j < fmd_optimizer_n_slots(o); j++)
            snprintf(slots + strlen(slots), sizeof slots - strlen(slots), "%s%s", j ? " " : "",
                     fmd_optimizer_slot_name(o, j));
        assert_string_equal(slots, golden_text(g, "%s/slots", s->name));
        if (strchr(s->spec, ':') == NULL) { /* all defaults */
            char rate[64];
            snprintf(rate, sizeof rate, "\"learning_rate\": %g,", ops->learning_rate);
            assert_non_null(strstr(golden_text(g, "%s/config", s->name), rate));
        }
        fmd_optimizer_destroy(o);
    }
    golden_close(g);
}

/* Every setting that is a little off leaves the limit. */
static void test_golden_optimizer__a_setting_a_little_off_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        differences d = {0};
        run_ours(g, &settings[i], settings[i].wrong, false, &d);
        if (!(d.weights.parts > 1))
            fail_msg("%s was taken for %s: %.2g of the limit", settings[i].wrong, settings[i].name,
                     d.weights.parts);
    }
    golden_close(g);
}

/* Adam with epsilon beside the bias-corrected root, as PyTorch has it, or as Keras has it. */
typedef struct plain_adam {
    bool pytorch;
    double m[1024], v[1024];
} plain_adam;

static void step_plain_adam(void *self, size_t n, float *params, const float *grads, double rate,
                            int t)
{
    plain_adam *a = self;
    const double b1 = 0.9, b2 = 0.999, epsilon = 1e-7;
    double c1 = 1 - pow(b1, t), c2 = sqrt(1 - pow(b2, t));
    assert_true(n <= 1024);
    for (size_t i = 0; i < n; i++) {
        double g = (double)grads[i];
        a->m[i] += (g - a->m[i]) * (1 - b1);
        a->v[i] += (g * g - a->v[i]) * (1 - b2);
        double root = sqrt(a->v[i]);
        double below = a->pytorch ? root / c2 + epsilon : (root + epsilon) / c2;
        params[i] = (float)((double)params[i] - rate / c1 * a->m[i] / below);
    }
}

static void test_golden_optimizer__the_place_of_epsilon_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer");
    plain_adam keras = {0}, pytorch = {.pytorch = true};
    differences right = {0}, wrong = {0};
    run_steps(g, &settings[0], step_plain_adam, &keras, &right);
    run_steps(g, &settings[0], step_plain_adam, &pytorch, &wrong);
    assert_true(right.weights.parts <= 1);
    assert_true(wrong.weights.parts > 100);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_optimizer__twenty_steps_match_keras),
        cmocka_unit_test(test_golden_optimizer__every_setting_of_the_file_is_run),
        cmocka_unit_test(test_golden_optimizer__names_and_slots_are_those_of_keras),
        cmocka_unit_test(test_golden_optimizer__a_setting_a_little_off_is_seen),
        cmocka_unit_test(test_golden_optimizer__the_place_of_epsilon_is_seen),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
