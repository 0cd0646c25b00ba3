#include "io/keras/spec_layer.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/json/json_value.h"
#include "nn/layer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fmd_keras_append(fmd_keras_text *t, const char *before, const char *text)
{
    if (t->used < t->size)
        t->used += (size_t)snprintf(t->at + t->used, t->size - t->used, "%s%s", before, text);
    if (t->used > t->size)
        t->used = t->size;
}

const char *fmd_keras_string(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

fmd_status fmd_keras_layer_of(fmd_keras_layer *l, const char *path, bool has_weights, json_t *item)
{
    json_t *config = json_object_get(item, "config");
    json_t *in = json_object_get(json_object_get(item, "build_config"), "input_shape");
    *l = (fmd_keras_layer){.path = path,
                           .class_name = fmd_keras_string(item, "class_name"),
                           .name = fmd_keras_string(config, "name"),
                           .config = config,
                           .rank = (int)json_array_size(in),
                           .has_weights = has_weights};
    if (*l->class_name == '\0' || !json_is_object(config))
        return FMD_FAIL(FMD_EDATA, "'%s': an entry in its list of layers is not a layer", path);
    return FMD_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The numbers of nested lists in their order, "3x5"; an entry that is no number becomes "?". */
static size_t list_text(json_t *value, char text[FMD_OPTION_TEXT_BYTES], size_t used)
{
    size_t i;
    json_t *item;
    json_array_foreach (value, i, item) {
        if (used >= FMD_OPTION_TEXT_BYTES)
            return used;
        if (json_is_array(item) && used < FMD_OPTION_TEXT_BYTES / 2) {
            used = list_text(item, text, used);
            continue;
        }
        char *number = json_is_number(item) ? fmd_json_print(item, false) : NULL;
        used += (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "%s%s",
                                 used > 0 ? "x" : "", number != NULL ? number : "?");
        free(number);
    }
    return used;
}

/* A setting as text. Since Keras 2.13 a function may be an object that tells its name. */
static char *value_text(json_t *value, char text[FMD_OPTION_TEXT_BYTES])
{
    json_t *config = json_object_get(value, "config");
    *text = '\0';
    if (json_is_object(value)) {
        const char *name = json_is_string(config) ? json_string_value(config)
                                                  : fmd_keras_string(value, "class_name");
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%s", name);
    } else if (json_is_string(value)) {
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%s", json_string_value(value));
    } else if (json_is_array(value)) {
        list_text(value, text, 0);
    } else {
        char *printed = fmd_json_print(value, false);
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%s", printed == NULL ? "" : printed);
        free(printed);
    }
    return text;
}

static bool is_initializer(const char *key)
{
    return ends_with(key, "_initializer");
}

/* "GlorotUniform", which an object calls itself, to "glorot_uniform". */
static void class_to_function(char text[FMD_OPTION_TEXT_BYTES])
{
    char name[FMD_OPTION_TEXT_BYTES];
    size_t n = 0;
    for (const char *c = text; *c != '\0' && n + 2 < sizeof name; c++) {
        if (n > 0 && isupper((unsigned char)*c))
            name[n++] = '_';
        name[n++] = (char)tolower((unsigned char)*c);
    }
    name[n] = '\0';
    memcpy(text, name, n + 1);
}

static bool is_regularizer(const char *key)
{
    return ends_with(key, "_regularizer") || ends_with(key, "_constraint");
}

/* The number of an L2 or of a MaxNorm along the first axis; NULL: it is another one. */
static json_t *regularizer_number(json_t *value)
{
    const char *class_name = fmd_keras_string(value, "class_name");
    json_t *config = json_object_get(value, "config");
    if (strcmp(class_name, "MaxNorm") == 0 &&
        json_integer_value(json_object_get(config, "axis")) == 0 &&
        !json_is_array(json_object_get(config, "axis")))
        return json_object_get(config, "max_value");
    if (strcmp(class_name, "L2") == 0 ||
        (strcmp(class_name, "L1L2") == 0 && json_number_value(json_object_get(config, "l1")) == 0))
        return json_object_get(config, "l2");
    return NULL;
}

static json_t *setting(const fmd_keras_layer *l, const fmd_option *o)
{
    json_t *value = json_object_get(l->config, o->keras);
    if (is_regularizer(o->keras))
        return regularizer_number(value);
    if (value == NULL && strcmp(o->keras, "negative_slope") == 0)
        value = json_object_get(l->config, "alpha"); /* Keras 2 */
    return value;
}

/* Appends ":relu", ":nobias" or ":strides=2"; in a layer of several inputs only the last form. */
static void append_option(fmd_keras_text *out, const fmd_option *o, const char *value, bool merges)
{
    if (o->kind == FMD_OPTION_BOOL && !merges) {
        fmd_keras_append(out, strcmp(value, "true") == 0 ? ":" : ":no", o->name);
        return;
    }
    fmd_keras_append(out, ":", "");
    if (merges || (o->initial != NULL && o->kind != FMD_OPTION_CHOICE))
        fmd_keras_append(out, o->name, "=");
    fmd_keras_append(out, value, "");
}

/* Checks one setting by the option's table, and appends it unless it is the default. */
static fmd_status add_option(fmd_keras_text *out, const fmd_keras_layer *l, const fmd_option *o,
                             bool merges, void *args)
{
    char text[FMD_OPTION_TEXT_BYTES], before[FMD_OPTION_TEXT_BYTES], now[FMD_OPTION_TEXT_BYTES];
    char label[FMD_OPTION_TEXT_BYTES];
    json_t *value = setting(l, o);
    if (value == NULL || json_is_null(value)) {
        if (o->initial == NULL)
            return FMD_FAIL(FMD_EDATA, "'%s': layer '%.64s' does not say its %s", l->path, l->name,
                            o->keras);
        return FMD_OK;
    }
    value_text(value, text);
    if (is_initializer(o->keras))
        class_to_function(text);
    snprintf(before, sizeof before, "%s", o->initial == NULL ? "" : fmd_option_text(o, args, now));
    snprintf(label, sizeof label, "'%.800s': layer '%.64s': %s", l->path, l->name, o->keras);
    if (fmd_option_set(o, args, label, text) != FMD_OK) {
        const size_t n = o->choices == NULL ? 0 : strlen(o->choices);
        if (n > 0)
            fmd_error_set("'%s': layer '%.64s' has the %s '%.64s', which this program does not "
                          "have; it has %.*s",
                          l->path, l->name, o->keras, text, (int)(n - (o->choices[n - 1] == '|')),
                          o->choices);
        return FMD_EDATA;
    }
    snprintf(text, sizeof text, "%s", fmd_option_text(o, args, now));
    if (o->initial == NULL || strcmp(text, before) != 0)
        append_option(out, o, text, merges);
    return FMD_OK;
}

static bool is_ours(const fmd_layer_ops *ops, const char *key)
{
    for (size_t i = 0; i < ops->n_args; i++)
        if (ops->args[i].keras != NULL && strcmp(ops->args[i].keras, key) == 0)
            return true;
    return false;
}

/* Settings that change no result here. */
static bool is_harmless(const char *key)
{
    static const char *const keys[] = {
        "name",         "dtype",           "batch_input_shape", "batch_shape", "build_input_shape",
        "seed",         "data_format",     "trainable",         "alpha",       "dynamic",
        "synchronized", "renorm_clipping", "renorm_momentum"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* Settings with no effect at their usual value. */
static bool is_neutral(const fmd_keras_layer *l, const char *key, json_t *value)
{
    static const struct {
        const char *key, *value;
    } neutral[] = {{"groups", "1"},
                   {"dilation_rate", "1x1"},
                   {"dilation_rate", "1"},
                   {"negative_slope", "0"},
                   {"negative_slope", "0.0"},
                   {"threshold", "0"},
                   {"threshold", "0.0"},
                   {"axis", "-1"},
                   {"axis", ""}}; /* Normalization: one mean and variance */
    char text[FMD_OPTION_TEXT_BYTES], last[16];
    value_text(value, text);
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++)
        if (strcmp(key, neutral[i].key) == 0 && strcmp(text, neutral[i].value) == 0)
            return true;
    if (strcmp(key, "axis") != 0)
        return false;
    snprintf(last, sizeof last, "%d", l->rank - 1); /* the last axis, counted from the batch */
    return l->rank > 0 ? strcmp(text, last) == 0 : strcmp(text, "1") == 0 || strcmp(text, "3") == 0;
}

/* The initialiser of an array without an initialiser option. */
static fmd_status check_initializer(const fmd_keras_layer *l, const char *key, json_t *value)
{
    char text[FMD_OPTION_TEXT_BYTES];
    const bool ones =
        strcmp(key, "gamma_initializer") == 0 || strcmp(key, "moving_variance_initializer") == 0;
    const bool weights = ends_with(key, "kernel_initializer") || ends_with(key, "wise_initializer");
    const char *expected = ones ? "ones" : weights ? "glorot_uniform" : "zeros";
    class_to_function(value_text(value, text));
    if (l->has_weights || strcmp(text, expected) == 0)
        return FMD_OK;
    return FMD_FAIL(FMD_EDATA, "'%s': layer '%.64s' has the %.40s '%.64s', expected %s", l->path,
                    l->name, key, text, expected);
}

/* Settings without a matching option: refused if they change the result, a warning if they change
 * only further training. Keras writes null or false for most of them. */
static fmd_status check_settings(const fmd_keras_layer *l, const fmd_layer_ops *ops)
{
    const char *key, *format = fmd_keras_string(l->config, "data_format");
    json_t *value;
    if (strcmp(format, "") != 0 && strcmp(format, "channels_last") != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': layer '%.64s' has the data_format '%.64s', expected channels_last",
                        l->path, l->name, format);
    if (json_is_false(json_object_get(l->config, "trainable")))
        fmd_warn("'%s': layer '%.64s' is frozen there, but training here changes it", l->path,
                 l->name);
    json_object_foreach (l->config, key, value) {
        const bool ours =
            is_ours(ops, key) && (!is_regularizer(key) || regularizer_number(value) != NULL);
        if (json_is_null(value) || json_is_false(value) || ours || is_harmless(key) ||
            is_neutral(l, key, value))
            continue;
        if (is_initializer(key))
            FMD_TRY(check_initializer(l, key, value));
        else if (is_regularizer(key))
            fmd_warn("'%s': layer '%.64s' has a %.64s, which training here does not apply", l->path,
                     l->name, key);
        else
            return FMD_FAIL(FMD_EDATA,
                            "'%s': layer '%.64s' has the setting '%.64s', which this program does "
                            "not have",
                            l->path, l->name, key);
    }
    return FMD_OK;
}

static const fmd_layer_ops *ops_of(const char *class_name)
{
    const fmd_layer_ops *ops;
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++)
        if (strcmp(ops->keras_class, class_name) == 0)
            return ops;
    return NULL;
}

bool fmd_keras_merges(const char *class_name)
{
    const fmd_layer_ops *ops = ops_of(class_name);
    return ops != NULL && ops->merges;
}

static fmd_status unknown_class(const fmd_keras_layer *l)
{
    if (strcmp(l->class_name, "Sequential") == 0 || strcmp(l->class_name, "Functional") == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': layer '%.64s' is a model inside the model; build the model from its "
                        "layers instead",
                        l->path, l->name);
    return FMD_FAIL(FMD_EDATA,
                    "'%s': layer '%.64s' is a %.64s, which this program does not have; "
                    "'fmnist-dist help train' lists the layers",
                    l->path, l->name, l->class_name);
}

fmd_status fmd_keras_layer_text(fmd_keras_text *out, const fmd_keras_layer *l, const char *inputs)
{
    void *args;
    const fmd_layer_ops *ops = ops_of(l->class_name);
    if (ops == NULL)
        return unknown_class(l);
    FMD_TRY(check_settings(l, ops));
    FMD_TRY(fmd_alloc(&args, 1, ops->args_size, "the settings of a layer"));
    fmd_keras_append(out, ops->name, inputs);
    fmd_status status = fmd_options_reset(ops->args, ops->n_args, args);
    for (size_t i = 0; status == FMD_OK && i < ops->n_args; i++)
        if (ops->args[i].keras != NULL && !(l->has_weights && is_initializer(ops->args[i].keras)))
            status = add_option(out, l, &ops->args[i], ops->merges, args);
    free(args);
    return status;
}
