#include "io/keras/spec.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/atomic_file.h"
#include "io/json/json_value.h"
#include "nn/layer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most values of an input. */
enum { MAX_INPUT = 1 << 24 };

typedef struct spec {
    const char *path;
    char *layers;
    size_t size, used; /* used == size: no room is left */
    fmd_shape in;      /* rank 0: not known yet */
    bool has_weights;  /* of no matter, then, how kernels and biases start */
} spec;

/* A layer as the file has it. */
typedef struct layer {
    const char *class_name, *name;
    json_t *config;
} layer;

static void append(spec *s, const char *before, const char *text)
{
    if (s->used < s->size)
        s->used += (size_t)snprintf(s->layers + s->used, s->size - s->used, "%s%s", before, text);
    if (s->used > s->size)
        s->used = s->size;
}

static const char *string_in(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* [null, 28, 28]: the batch and what is in it. */
static fmd_status read_shape(spec *s, json_t *shape)
{
    const size_t n = json_array_size(shape);
    fmd_shape in = {.rank = (int)n - 1};
    bool good = n >= 2 && n <= FMD_SHAPE_MAX + 1;
    double count = 1;
    for (size_t i = 1; good && i < n; i++) {
        json_int_t dim = json_integer_value(json_array_get(shape, i)); /* 0 for null */
        good = dim >= 1 && dim <= MAX_INPUT;
        in.dim[i - 1] = good ? (int)dim : 0;
        count *= (double)in.dim[i - 1];
    }
    if (good && count <= MAX_INPUT) {
        s->in = in;
        return FMD_OK;
    }
    char *text = fmd_json_print(shape, false);
    fmd_error_set("'%s': the input has shape %.80s, expected null for the batch and 1 to %d sizes, "
                  "%d values at most",
                  s->path, text == NULL ? "?" : text, FMD_SHAPE_MAX, MAX_INPUT);
    free(text);
    return FMD_EDATA;
}

/* Under one of the names that Keras had for it; not there: nothing. */
static fmd_status find_shape(spec *s, json_t *config)
{
    static const char *const keys[] = {"batch_shape", "batch_input_shape", "build_input_shape"};
    for (size_t i = 0; s->in.rank == 0 && i < sizeof keys / sizeof *keys; i++) {
        json_t *shape = json_object_get(config, keys[i]);
        if (shape != NULL && !json_is_null(shape))
            FMD_TRY(read_shape(s, shape));
    }
    return FMD_OK;
}

/* The text form of a setting. Since Keras 2.13 a function may be an object that tells its name. */
static char *value_text(json_t *value, char text[FMD_OPTION_TEXT_BYTES])
{
    json_t *config = json_object_get(value, "config");
    if (json_is_object(value)) {
        const char *name =
            json_is_string(config) ? json_string_value(config) : string_in(value, "class_name");
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%s", name);
    } else if (json_is_string(value)) {
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%s", json_string_value(value));
    } else if (json_is_array(value)) { /* [3, 5] */
        size_t i, used = 0;
        json_t *number;
        *text = '\0';
        json_array_foreach (value, i, number)
            if (used < FMD_OPTION_TEXT_BYTES)
                used += (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "%s%lld",
                                         i > 0 ? "x" : "", (long long)json_integer_value(number));
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

static json_t *setting(const layer *l, const fmd_option *o)
{
    json_t *value = json_object_get(l->config, o->keras);
    if (value == NULL && strcmp(o->keras, "negative_slope") == 0)
        value = json_object_get(l->config, "alpha"); /* Keras 2 */
    return value;
}

/* Checks one setting by the option's table, and adds it to the spec unless it is the default. */
static fmd_status add_option(spec *s, const layer *l, const fmd_option *o, void *args)
{
    char text[FMD_OPTION_TEXT_BYTES], before[FMD_OPTION_TEXT_BYTES], now[FMD_OPTION_TEXT_BYTES];
    char label[FMD_OPTION_TEXT_BYTES];
    json_t *value = setting(l, o);
    if (value == NULL || json_is_null(value)) {
        if (o->initial == NULL)
            return FMD_FAIL(FMD_EDATA, "'%s': layer '%.64s' does not say its %s", s->path, l->name,
                            o->keras);
        return FMD_OK;
    }
    value_text(value, text);
    if (is_initializer(o->keras))
        class_to_function(text);
    snprintf(before, sizeof before, "%s", o->initial == NULL ? "" : fmd_option_text(o, args, now));
    snprintf(label, sizeof label, "'%.800s': layer '%.64s': %s", s->path, l->name, o->keras);
    if (fmd_option_set(o, args, label, text) != FMD_OK) {
        const size_t n = o->choices == NULL ? 0 : strlen(o->choices);
        if (n > 0)
            fmd_error_set("'%s': layer '%.64s' has the %s '%.64s', which this program does not "
                          "have; it has %.*s",
                          s->path, l->name, o->keras, text, (int)(n - (o->choices[n - 1] == '|')),
                          o->choices);
        return FMD_EDATA;
    }
    snprintf(text, sizeof text, "%s", fmd_option_text(o, args, now));
    if (o->initial != NULL && strcmp(text, before) == 0)
        return FMD_OK;
    if (o->kind == FMD_OPTION_BOOL) {
        append(s, strcmp(text, "true") == 0 ? ":" : ":no", o->name);
        return FMD_OK;
    }
    append(s, ":", "");
    if (o->initial != NULL && o->kind != FMD_OPTION_CHOICE)
        append(s, o->name, "=");
    append(s, text, "");
    return FMD_OK;
}

static bool is_ours(const fmd_layer_ops *ops, const char *key)
{
    for (size_t i = 0; i < ops->n_args; i++)
        if (ops->args[i].keras != NULL && strcmp(ops->args[i].keras, key) == 0)
            return true;
    return false;
}

/* Whether what a key says is of no matter to this program. */
static bool is_harmless(const char *key)
{
    static const char *const keys[] = {
        "name", "dtype",       "batch_input_shape", "batch_shape", "build_input_shape",
        "seed", "data_format", "trainable",         "alpha",       "dynamic"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* Biases start with zeros here. */
static fmd_status check_bias(const spec *s, const layer *l, json_t *initializer)
{
    char text[FMD_OPTION_TEXT_BYTES];
    class_to_function(value_text(initializer, text));
    if (s->has_weights || strcmp(text, "zeros") == 0)
        return FMD_OK;
    return FMD_FAIL(FMD_EDATA,
                    "'%s': layer '%.64s' has the bias_initializer '%.64s', expected zeros", s->path,
                    l->name, text);
}

/* Settings that no option stands for: what changes the result is refused, what changes further
 * training is told. Keras writes null or false for most of them. */
static fmd_status check_settings(const spec *s, const layer *l, const fmd_layer_ops *ops)
{
    const char *key, *format = string_in(l->config, "data_format");
    json_t *value;
    if (strcmp(format, "") != 0 && strcmp(format, "channels_last") != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': layer '%.64s' has the data_format '%.64s', expected channels_last",
                        s->path, l->name, format);
    if (json_is_false(json_object_get(l->config, "trainable")))
        fmd_warn("'%s': layer '%.64s' is not to be trained there; training here does train it",
                 s->path, l->name);
    json_object_foreach (l->config, key, value) {
        if (json_is_null(value) || json_is_false(value) || is_ours(ops, key) || is_harmless(key))
            continue;
        if (strcmp(key, "bias_initializer") == 0) {
            FMD_TRY(check_bias(s, l, value));
            continue;
        }
        if (ends_with(key, "_regularizer") || ends_with(key, "_constraint"))
            fmd_warn("'%s': layer '%.64s' has a %.64s, which training here would not apply",
                     s->path, l->name, key);
        else
            return FMD_FAIL(FMD_EDATA,
                            "'%s': layer '%.64s' has the setting '%.64s', which this program does "
                            "not have",
                            s->path, l->name, key);
    }
    return FMD_OK;
}

static fmd_status find_ops(const spec *s, const layer *l, const fmd_layer_ops **ops)
{
    for (size_t i = 0; (*ops = fmd_layer_ops_at(i)) != NULL; i++)
        if (strcmp((*ops)->keras_class, l->class_name) == 0)
            return FMD_OK;
    if (strcmp(l->class_name, "Rescaling") == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': layer '%.64s' is a Rescaling, which this program does not have: it "
                        "divides pixels by 255 itself; save the model without this layer",
                        s->path, l->name);
    return FMD_FAIL(
        FMD_EDATA,
        "'%s': layer '%.64s' is a %.64s, which this program does not have; 'fmnist-dist "
        "help train' lists the layers",
        s->path, l->name, l->class_name);
}

static fmd_status add_layer(spec *s, const layer *l)
{
    const fmd_layer_ops *ops;
    void *args;
    FMD_TRY(find_ops(s, l, &ops));
    FMD_TRY(check_settings(s, l, ops));
    FMD_TRY(fmd_alloc(&args, 1, ops->args_size, "the settings of a layer"));
    append(s, s->used > 0 ? "," : "", ops->name);
    fmd_status status = fmd_options_reset(ops->args, ops->n_args, args);
    for (size_t i = 0; status == FMD_OK && i < ops->n_args; i++)
        if (ops->args[i].keras != NULL && !(s->has_weights && is_initializer(ops->args[i].keras)))
            status = add_option(s, l, &ops->args[i], args);
    free(args);
    return status;
}

static fmd_status too_many(const spec *s)
{
    return FMD_FAIL(FMD_EDATA, "'%s' has more layers than fit into %zu characters", s->path,
                    s->size - 1);
}

/* The list of layers; Keras before 2.2.3 has it in place of the model's config. */
static fmd_status add_layers(spec *s, json_t *model)
{
    size_t i;
    json_t *item, *config = json_object_get(model, "config");
    json_t *layers = json_is_array(config) ? config : json_object_get(config, "layers");
    if (json_array_size(layers) == 0)
        return FMD_FAIL(FMD_EDATA, "'%s': its model has no list of layers", s->path);
    json_array_foreach (layers, i, item) {
        const layer l = {.class_name = string_in(item, "class_name"),
                         .config = json_object_get(item, "config"),
                         .name = string_in(json_object_get(item, "config"), "name")};
        if (*l.class_name == '\0' || !json_is_object(l.config))
            return FMD_FAIL(FMD_EDATA, "'%s': layer %zu of its model is not a layer", s->path, i);
        if (i == 0)
            FMD_TRY(find_shape(s, l.config));
        if (i > 0 || strcmp(l.class_name, "InputLayer") != 0)
            FMD_TRY(add_layer(s, &l));
    }
    FMD_TRY(find_shape(s, config));
    if (s->has_weights && s->in.rank == 0)
        return FMD_FAIL(FMD_EDATA, "'%s' does not say what shape its input has", s->path);
    if (s->used == 0)
        return FMD_FAIL(FMD_EDATA, "'%s' has no layer but its input", s->path);
    return s->used < s->size ? FMD_OK : too_many(s);
}

/* The model in `json`, which `s` says how to take. */
static fmd_status read_model(spec *s, const char *json)
{
    json_error_t error;
    json_t *model = json_loads(json, 0, &error);
    if (model == NULL)
        return FMD_FAIL(FMD_EDATA, "'%s': its model is not JSON: line %d, column %d: %.200s",
                        s->path, error.line, error.column, error.text);
    fmd_status status = FMD_OK;
    const char *class_name = string_in(model, "class_name");
    if (strcmp(class_name, "Sequential") == 0)
        status = add_layers(s, model);
    else
        status = FMD_FAIL(FMD_EDATA, "'%s' has a model of the class '%.64s', expected Sequential",
                          s->path, class_name);
    json_decref(model);
    return status;
}

fmd_status fmd_keras_spec(const char *path, const char *json, char *layers, size_t size,
                          fmd_shape *in)
{
    spec s = {.path = path, .layers = layers, .size = size, .has_weights = true};
    FMD_TRY(read_model(&s, json));
    *in = s.in;
    return FMD_OK;
}

fmd_status fmd_keras_model_read(const char *path, char *layers, size_t size)
{
    spec s = {.path = path, .layers = layers, .size = size};
    void *data = NULL;
    size_t bytes;
    FMD_TRY(fmd_atomic_file_read_text(&data, &bytes, path));
    char *text = strndup(data, bytes);
    free(data);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "no memory for the text of '%s'", path);
    fmd_status status = read_model(&s, text);
    free(text);
    const size_t flatten = sizeof "flatten," - 1;
    if (status != FMD_OK || s.in.rank != 1 || strncmp(layers, "flatten", flatten - 1) == 0)
        return status;
    if (s.used + flatten >= size)
        return too_many(&s);
    memmove(layers + flatten, layers, s.used + 1);
    memcpy(layers, "flatten,", flatten);
    return FMD_OK;
}
