#include "io/keras/spec.h"

#include "io/atomic_file.h"
#include "io/json/json_value.h"
#include "io/keras/spec_graph.h"
#include "io/keras/spec_layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most values of an input. */
enum { MAX_INPUT = 1 << 24 };

typedef struct spec {
    const char *path;
    fmd_keras_text text;
    fmd_shape in;     /* rank 0: not known yet */
    bool has_weights; /* so initialisers do not matter */
} spec;

/* [null, 28, 28]: the batch axis and the shape of a sample. */
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

/* Reads the shape under any of Keras' names for it; leaves it unchanged if it is missing. */
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

static fmd_status add_layer(spec *s, json_t *item, bool first)
{
    fmd_keras_layer l;
    FMD_TRY(fmd_keras_layer_of(&l, s->path, s->has_weights, item));
    if (first)
        FMD_TRY(find_shape(s, l.config));
    if (first && strcmp(l.class_name, "InputLayer") == 0)
        return FMD_OK;
    fmd_keras_append(&s->text, s->text.used > 0 ? "," : "", "");
    return fmd_keras_layer_text(&s->text, &l, "");
}

/* The list of layers; Keras before 2.2.3 has it in place of the model's config. */
static fmd_status read_sequential(spec *s, json_t *config)
{
    size_t i;
    json_t *item, *layers = json_is_array(config) ? config : json_object_get(config, "layers");
    if (json_array_size(layers) == 0)
        return FMD_FAIL(FMD_EDATA, "'%s': its model has no list of layers", s->path);
    json_array_foreach (layers, i, item)
        FMD_TRY(add_layer(s, item, i == 0));
    return find_shape(s, config);
}

static bool is_flat(const spec *s)
{
    return !s->has_weights && s->in.rank == 1;
}

static fmd_status read_functional(spec *s, json_t *config)
{
    json_t *input, *layers = json_object_get(config, "layers");
    if (json_array_size(layers) == 0)
        return FMD_FAIL(FMD_EDATA, "'%s': its model has no list of layers", s->path);
    FMD_TRY(fmd_keras_input_of(&input, s->path, layers));
    FMD_TRY(find_shape(s, json_object_get(input, "config")));
    return fmd_keras_graph_text(&s->text, s->path, s->has_weights, is_flat(s), config);
}

static fmd_status too_many(const spec *s)
{
    return FMD_FAIL(FMD_EDATA, "'%s' has more layers than fit into %zu characters", s->path,
                    s->text.size - 1);
}

static fmd_status check_model(const spec *s)
{
    if (s->has_weights && s->in.rank == 0)
        return FMD_FAIL(FMD_EDATA, "'%s' does not give the shape of its input", s->path);
    if (s->text.used == 0)
        return FMD_FAIL(FMD_EDATA, "'%s' has no layer but its input", s->path);
    return s->text.used < s->text.size ? FMD_OK : too_many(s);
}

static fmd_status read_model(spec *s, const char *json)
{
    json_error_t error;
    json_t *model = json_loads(json, 0, &error);
    if (model == NULL)
        return FMD_FAIL(FMD_EDATA, "'%s': %s: line %d, column %d: %.200s", s->path,
                        s->has_weights ? "its model is not JSON"
                                       : "neither a text file with layers nor Keras' JSON",
                        error.line, error.column, error.text);
    fmd_status status;
    json_t *config = json_object_get(model, "config");
    const char *class_name = fmd_keras_string(model, "class_name");
    if (strcmp(class_name, "Sequential") == 0)
        status = read_sequential(s, config);
    else if (strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0)
        status = read_functional(s, config);
    else
        status = FMD_FAIL(
            FMD_EDATA, "'%s' has a model of the class '%.64s', expected Sequential or Functional",
            s->path, class_name);
    json_decref(model);
    return status != FMD_OK ? status : check_model(s);
}

fmd_status fmd_keras_spec(const char *path, const char *json, char *layers, size_t size,
                          fmd_shape *in)
{
    spec s = {.path = path, .text = {.at = layers, .size = size}, .has_weights = true};
    FMD_TRY(read_model(&s, json));
    *in = s.in;
    return FMD_OK;
}

fmd_status fmd_keras_model_read(const char *path, char *layers, size_t size, fmd_shape *in)
{
    spec s = {.path = path, .text = {.at = layers, .size = size}};
    void *data = NULL;
    size_t bytes;
    FMD_TRY(fmd_atomic_file_read_text(&data, &bytes, path));
    char *text = strndup(data, bytes);
    free(data);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the text of '%s'", path);
    fmd_status status = read_model(&s, text);
    free(text);
    if (status != FMD_OK)
        return status;
    *in = is_flat(&s) ? (fmd_shape){.rank = 0} : s.in;
    const size_t flatten = sizeof "flatten," - 1;
    if (!is_flat(&s) || strncmp(layers, "flatten", flatten - 1) == 0)
        return FMD_OK;
    if (s.text.used + flatten >= size)
        return too_many(&s);
    memmove(layers + flatten, layers, s.text.used + 1);
    memcpy(layers, "flatten,", flatten);
    return FMD_OK;
}
