/* Six steps of each optimizer, with given gradients, against real Keras in float64
 * (tests/golden/README.md): parameters, all slots at the places where Keras stores them, and the end
 * of training. */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "io/keras/layout.h"
#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 6, TENSORS = 3, PARAMS = 28 };

/* A dense kernel and bias, and the scale of a normalisation. */
static const char *const layers = "dense:4,batch_normalization:nocenter,softmax";
static const fmd_shape in = {.rank = 1, .dim = {5}};

static const double slot_limit = 5e-5;

/* The settings of Keras' run, and one that is a little off and must be seen. */
typedef struct setting {
    const char *name, *spec, *wrong;
    double limit;
} setting;

static const setting settings[] = {
    {"adadelta", "adadelta", "adadelta:rho=0.949", 2e-6},
    {"adagrad", "adagrad", "adagrad:initial_accumulator_value=0.1001", 2e-6},
    {"adam", "adam", "adam:beta_2=0.99", 2e-6},
    {"adam_amsgrad", "adam:beta_2=0.9:amsgrad", "adam:beta_2=0.9", 2e-6},
    {"adam_clipnorm", "adam:clipnorm=0.5", "adam:global_clipnorm=0.5", 2e-6},
    {"adam_clipvalue", "adam:clipvalue=0.3", "adam:clipvalue=0.301", 2e-6},
    {"adam_ema", "adam:use_ema:ema_momentum=0.8", "adam:use_ema:ema_momentum=0.801", 2e-6},
    {"adam_ema_over2", "adam:use_ema:ema_momentum=0.8:ema_overwrite_frequency=2",
     "adam:use_ema:ema_momentum=0.8:ema_overwrite_frequency=3", 2e-6},
    {"adam_global_clipnorm", "adam:global_clipnorm=1", "adam:clipnorm=1", 2e-6},
    {"adam_wd", "adam:weight_decay=0.1", "adam:weight_decay=0.101", 2e-6},
    {"adamax", "adamax", "adamax:beta_2=0.998", 2e-6},
    {"adamw", "adamw:weight_decay=0.1", "adamw", 2e-6},
    {"adamw_clip_wd_order", "adamw:weight_decay=0.5:global_clipnorm=0.5",
     "adamw:weight_decay=0.5:clipnorm=0.5", 1e-5},
    {"adamw_exclude", "adamw:weight_decay=0.1:kernels_only", "adamw:weight_decay=0.1", 2e-6},
    {"ftrl", "ftrl", "ftrl:beta=0.001", 2e-6},
    {"lamb", "lamb", "lamb:epsilon=1e-4", 2e-6},
    {"lamb_wd", "lamb:weight_decay=0.1", "lamb:weight_decay=0.1:kernels_only", 2e-6},
    {"lion", "lion", "lion:beta_1=0.8", 2e-6},
    {"lion_wd", "lion:weight_decay=0.1", "lion:weight_decay=0.101", 2e-6},
    {"nadam", "nadam", "nadam:beta_1=0.9001", 2e-6},
    {"rmsprop_centered", "rmsprop:momentum=0.5:centered", "rmsprop:momentum=0.5", 2e-6},
    {"sgd", "sgd", "sgd:momentum=0.001", 2e-6},
    {"sgd_clipnorm", "sgd:clipnorm=1", "sgd:global_clipnorm=1", 2e-6},
    {"sgd_clipvalue", "sgd:clipvalue=0.5", "sgd:clipvalue=0.501", 2e-6},
    {"sgd_ema", "sgd:use_ema:ema_momentum=0.9", "sgd:use_ema:ema_momentum=0.901", 2e-6},
    {"sgd_global_clipnorm_wd", "sgd:weight_decay=0.1:global_clipnorm=1",
     "sgd:weight_decay=0.1:clipnorm=1", 2e-6},
    {"sgd_m", "sgd:momentum=0.9", "sgd:momentum=0.901", 2e-6},
    {"sgd_nesterov", "sgd:momentum=0.9:nesterov", "sgd:momentum=0.9", 2e-6},
    {"sgd_nesterov_wd", "sgd:momentum=0.9:nesterov:weight_decay=0.05",
     "sgd:momentum=0.9:nesterov:weight_decay=0.05:kernels_only", 2e-6},
    {"sgd_nesterov_wd_exclude", "sgd:momentum=0.9:nesterov:weight_decay=0.05:kernels_only",
     "sgd:momentum=0.9:nesterov:weight_decay=0.05", 2e-6},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

typedef struct differences {
    closeness params, slots;
} differences;

static double largest_of(size_t n, const double *x)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    return most;
}

static double difference(size_t n, const float *here, const double *keras)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double distance = fabs((double)here[i] - keras[i]);
        most = distance > most ? distance : most; /* fmax here crashes gcc 12 for aarch64 */
    }
    return most;
}

/* Slots at the numbers that Keras gives them; the scalar of Nadam is behind them. */
static void compare_slots(const golden *g, const char *name, const fmd_model *m,
                          const fmd_optimizer *o, differences *d)
{
    fmd_keras_layout k;
    assert_ok(fmd_keras_layout_create(&k, m));
    const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(o);
    const size_t n = fmd_optimizer_n_slots(o);
    for (size_t slot = 0; slot < n; slot++)
        for (size_t i = 0; i < TENSORS; i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            char path[FMD_KERAS_PATH];
            fmd_keras_slot_path(&k, o, slot, i, path);
            const double *keras =
                golden_doubles(g, t->count, "%s/s64_%s", name, strrchr(path, '/') + 1);
            const double most = fmax(largest_of(t->count, keras), 1e-9);
            closeness_add(
                &d->slots,
                difference(t->count, fmd_optimizer_slot(o, slot) + t->offset, keras) / most,
                slot_limit, "%s, %s of tensor %zu", name, fmd_optimizer_slot_name(o, slot), i);
        }
    const size_t behind = 2 + n * TENSORS;
    assert_int_equal(golden_has(g, "%s/s64_%zu", name, behind), ops->scalar != NULL);
    if (ops->scalar != NULL)
        closeness_add(&d->slots,
                      fabs(ops->scalar(fmd_optimizer_args(o), STEPS) -
                           *golden_doubles(g, 1, "%s/s64_%zu", name, behind)),
                      1e-6, "%s, scalar", name);
    fmd_keras_layout_free(&k);
}

static void compare_params(const golden *g, const setting *s, const fmd_model *m, const char *form,
                           size_t step, size_t steps, differences *d)
{
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        const double *keras = golden_doubles(g, steps * t->count, "%s/%s%zu", s->name, form, i);
        closeness_add(
            &d->params,
            difference(t->count, fmd_model_params(m) + t->offset, keras + step * t->count),
            s->limit, "%s, %s%zu, step %zu", s->name, form, i, step + 1);
    }
}

static void run(const golden *g, const setting *s, const char *spec, bool with_slots,
                differences *d)
{
    fmd_model *m;
    fmd_optimizer *o;
    float grads[PARAMS];
    assert_ok(fmd_model_create(&m, layers, in, 1));
    assert_int_equal(fmd_model_n_trainable_params(m), PARAMS);
    assert_int_equal(fmd_model_n_trainable_tensors(m), TENSORS);
    assert_ok(fmd_optimizer_create(&o, spec, PARAMS));
    assert_ok(fmd_optimizer_set_model(o, m));
    const double rate = strtod(golden_text(g, "%s/learning_rate", s->name), NULL);
    for (size_t i = 0; i < TENSORS; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        memcpy(fmd_model_params(m) + t->offset, golden_floats(g, t->count, "p%zu", i),
               t->count * sizeof(float));
    }
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < TENSORS; i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            memcpy(grads + t->offset,
                   golden_floats(g, STEPS * t->count, "g%zu", i) + step * t->count,
                   t->count * sizeof(float));
        }
        fmd_optimizer_step(o, fmd_model_params(m), grads, rate);
        compare_params(g, s, m, "p64_", step, STEPS, d);
    }
    if (with_slots)
        compare_slots(g, s->name, m, o, d);
    fmd_optimizer_finish(o, fmd_model_params(m));
    if (golden_has(g, "%s/final64_0", s->name))
        compare_params(g, s, m, "final64_", 0, 1, d);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

static void test_golden_optimizer_steps__parameters_and_slots_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer_steps");
    differences d = {.params = {.what = "parameters"},
                     .slots = {.what = "slots over the largest of the array"}};
    for (size_t i = 0; i < N_SETTINGS; i++)
        run(g, &settings[i], settings[i].spec, true, &d);
    closeness_check(&d.params);
    closeness_check(&d.slots);
    golden_close(g);
}

static void test_golden_optimizer_steps__a_setting_a_little_off_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer_steps");
    for (size_t i = 0; i < N_SETTINGS; i++) {
        differences d = {0};
        run(g, &settings[i], settings[i].wrong, false, &d);
        if (!(d.params.parts > 1))
            fail_msg("%s was taken for %s: %.2g of the limit", settings[i].wrong, settings[i].name,
                     d.params.parts);
    }
    golden_close(g);
}

static void has_setting(const golden *g, const char *name, void *count)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        const setting *s = &settings[i];
        if (strcmp(s->name, name) != 0)
            continue;
        fmd_optimizer *o;
        char slots[128] = "";
        assert_ok(fmd_optimizer_create(&o, s->spec, 1));
        assert_string_equal(fmd_optimizer_ops_of(o)->keras_class,
                            golden_text(g, "%s/class_name", name));
        for (size_t k = 0; k < fmd_optimizer_n_slots(o); k++)
            snprintf(slots + strlen(slots), sizeof slots - strlen(slots), "%s%s", k > 0 ? " " : "",
                     fmd_optimizer_slot_name(o, k));
        assert_string_equal(slots, golden_text(g, "%s/slots", name));
        fmd_optimizer_destroy(o);
        ++*(size_t *)count;
    }
}

static void test_golden_optimizer_steps__every_setting_of_the_file_is_run(void **state)
{
    (void)state;
    golden *g = golden_open("optimizer_steps");
    size_t n = 0, words = 0;
    golden_each(g, "cases", has_setting, &n);
    for (const char *p = golden_text(g, "cases"); p != NULL; p = strchr(p + 1, ' '))
        words++;
    assert_int_equal(n, words);
    assert_int_equal(n, N_SETTINGS);
    golden_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_optimizer_steps__parameters_and_slots_match_keras),
        cmocka_unit_test(test_golden_optimizer_steps__a_setting_a_little_off_is_seen),
        cmocka_unit_test(test_golden_optimizer_steps__every_setting_of_the_file_is_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
