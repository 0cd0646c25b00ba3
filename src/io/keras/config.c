#include "io/keras/config.h"

#include "io/json/json_value.h"
#include "math/bf16/bf16.h"

#include <string.h>

/* The setters of jansson take over the new value, refuse NULL, and return NULL or -1 when out of
 * memory, so checking the outermost call is enough. */

/* The value of an option in Keras' form. Dims of 0 stand for the choice of the layer, null. */
static json_t *value_of(const fmd_option *o, const void *args)
{
    char text[FMD_OPTION_TEXT_BYTES];
    if (o->kind == FMD_OPTION_DIMS && strcmp(fmd_option_text(o, args, text), "0") == 0)
        return json_null();
    return fmd_json_of_option(o, args);
}

/* Whether an option differs from its default. */
static bool is_set(const fmd_option *o, const void *args)
{
    char text[FMD_OPTION_TEXT_BYTES];
    return strcmp(fmd_option_text(o, args, text), o->initial) != 0;
}

/* amsgrad came later: files of trainings without it stay as they were. */
static bool is_left_out(const fmd_option *o, const void *args)
{
    return o->keras == NULL || (strcmp(o->name, "amsgrad") == 0 && !is_set(o, args));
}

/* Adds every option that Keras knows to `config`, under Keras' name; -1: no memory. */
static int add_options(json_t *config, const fmd_option *table, size_t n, const void *args)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_left_out(&table[i], args))
            failed |= json_object_set_new(config, table[i].keras, value_of(&table[i], args));
    return failed;
}

/* Adds the options that every optimizer has; older versions of Keras lack some. */
static int add_common(json_t *config, const fmd_optimizer *o)
{
    size_t n;
    int failed = 0;
    const fmd_option *table = fmd_optimizer_common_args(&n);
    for (size_t i = 0; i < n; i++)
        if (is_set(&table[i], fmd_optimizer_common_of(o)))
            failed |= add_options(config, &table[i], 1, fmd_optimizer_common_of(o));
    return failed;
}

static const char input_name[] = "input_1";

/* batch_input_shape and an explicit InputLayer: the one form that Keras 2 and 3 both take. */
static json_t *input_layer(fmd_shape in)
{
    json_t *shape = json_pack("[n]");
    int failed = 0;
    for (int i = 0; i < in.rank; i++)
        failed |= json_array_append_new(shape, json_integer(in.dim[i]));
    json_t *layer =
        json_pack("{s:s, s:{s:o, s:s, s:b, s:s}}", "class_name", "InputLayer", "config",
                  "batch_input_shape", shape, "dtype", "float32", "sparse", 0, "name", input_name);
    if (failed == 0)
        return layer;
    json_decref(layer);
    return NULL;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* The keys of Keras that are not options of the layer. */
static json_t *common_config(const fmd_keras_layout *k, const fmd_layer *l)
{
    static const char *const frozen[] = {"SpatialDropout2D", NULL}; /* refuses "trainable" */
    static const char *const images[] = {"Conv2D",
                                         "DepthwiseConv2D",
                                         "SeparableConv2D",
                                         "MaxPooling2D",
                                         "AveragePooling2D",
                                         "GlobalAveragePooling2D",
                                         "GlobalMaxPooling2D",
                                         "ZeroPadding2D",
                                         "SpatialDropout2D",
                                         NULL};
    json_t *config = json_pack("{s:s}", "name", fmd_keras_group(k, l));
    int failed = config == NULL;
    if (!is_one_of(l->ops->keras_class, frozen))
        failed |= json_object_set_new(config, "trainable", json_true());
    failed |= json_object_set_new(config, "dtype",
                                  json_string(fmd_bf16_is_on() ? "mixed_bfloat16" : "float32"));
    if (is_one_of(l->ops->keras_class, images))
        failed |= json_object_set_new(config, "data_format", json_string("channels_last"));
    if (!failed)
        return config;
    json_decref(config);
    return NULL;
}

/* Keras' paddings of an image: a number, a pair, or two pairs. */
static int nest_padding(json_t *config)
{
    json_t *flat = json_object_get(config, "padding"), *nested = NULL;
    const size_t n = json_array_size(flat);
    if (n == 1)
        nested = json_copy(json_array_get(flat, 0));
    else if (n == 4)
        nested = json_pack("[[O, O], [O, O]]", json_array_get(flat, 0), json_array_get(flat, 1),
                           json_array_get(flat, 2), json_array_get(flat, 3));
    else
        return 0;
    return json_object_set_new(config, "padding", nested);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Replaces numbers by Keras' objects, and omits objects without effect. */
static int nest_regularizers(json_t *config)
{
    const char *key;
    void *next;
    json_t *value;
    int failed = 0;
    json_object_foreach_safe(config, next, key, value)
    {
        const bool l2 = ends_with(key, "_regularizer");
        if (!l2 && !ends_with(key, "_constraint"))
            continue;
        if (json_real_value(value) == 0)
            json_object_del(config, key);
        else if (l2)
            failed |= json_object_set_new(
                config, key,
                json_pack("{s:s, s:{s:O}}", "class_name", "L2", "config", "l2", value));
        else
            failed |= json_object_set_new(config, key,
                                          json_pack("{s:s, s:{s:O, s:i}}", "class_name", "MaxNorm",
                                                    "config", "max_value", value, "axis", 0));
    }
    return failed;
}

static json_t *layer_config(const fmd_keras_layout *k, const fmd_layer *l)
{
    json_t *config = common_config(k, l);
    if (add_options(config, l->ops->args, l->ops->n_args, l->args) != 0 ||
        nest_padding(config) != 0 || nest_regularizers(config) != 0) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "class_name", l->ops->keras_class, "config", config);
}

/* [NAME, 0, 0]: the first output of the first call of a layer. */
static json_t *output_of(const fmd_keras_layout *k, int layer)
{
    const char *name = layer == FMD_MODEL_INPUT
                           ? input_name
                           : fmd_keras_group(k, fmd_model_layer(k->model, (size_t)layer));
    return json_pack("[s, i, i]", name, 0, 0);
}

/* Name and inputs, in the form of Keras 2, which Keras 3 reads as well. */
static int connect(json_t *layer, const fmd_keras_layout *k, const fmd_layer *l)
{
    const char *name = l == NULL ? input_name : fmd_keras_group(k, l);
    json_t *nodes = json_array(), *inputs = json_array();
    int failed = 0;
    for (int i = 0; l != NULL && i < l->n_inputs; i++) {
        json_t *input = output_of(k, l->inputs[i]);
        failed |= json_array_append_new(input, json_object());
        failed |= json_array_append_new(inputs, input);
    }
    failed |= l == NULL ? 0 : json_array_append(nodes, inputs);
    failed |= json_object_set_new(layer, "name", json_string(name));
    failed |= json_object_set_new(layer, "inbound_nodes", nodes);
    json_decref(inputs);
    return failed;
}

/* Keras 3.3 reads the lists of inputs and outputs in this nested form only. */
static json_t *functional_config(const fmd_keras_layout *k, json_t *layers)
{
    return json_pack("{s:s, s:b, s:o, s:[o], s:[o]}", "name", "functional", "trainable", 1,
                     "layers", layers, "input_layers", output_of(k, FMD_MODEL_INPUT),
                     "output_layers", output_of(k, (int)fmd_model_n_layers(k->model) - 1));
}

/* Takes over `root`; NULL: no memory. */
static fmd_status print(char **out, json_t *root)
{
    char *text = root == NULL ? NULL : fmd_json_print(root, false);
    json_decref(root);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the model's description for Keras");
    *out = text;
    return FMD_OK;
}

static int append_layer(json_t *layers, json_t *layer, const fmd_keras_layout *k,
                        const fmd_layer *l)
{
    int failed = layer == NULL;
    if (k->functional && layer != NULL)
        failed |= connect(layer, k, l);
    return failed | json_array_append_new(layers, layer);
}

fmd_status fmd_keras_model_config(char **out, const fmd_keras_layout *k)
{
    const fmd_model *m = k->model;
    json_t *layers = json_array();
    int failed = append_layer(layers, input_layer(fmd_model_in(m)), k, NULL);
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_keras_layer(k, i);
        failed |= append_layer(layers, layer_config(k, l), k, l);
    }
    if (failed != 0) {
        json_decref(layers);
        return print(out, NULL);
    }
    json_t *config = k->functional
                         ? functional_config(k, layers)
                         : json_pack("{s:s, s:o}", "name", "sequential", "layers", layers);
    return print(out, json_pack("{s:s, s:o}", "class_name",
                                k->functional ? "Functional" : "Sequential", "config", config));
}

fmd_status fmd_keras_training_config(char **out, const fmd_optimizer *o, double learning_rate)
{
    const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(o);
    json_t *config = json_pack("{s:f}", "learning_rate", learning_rate);
    if (add_options(config, ops->args, ops->n_args, fmd_optimizer_args(o)) != 0 ||
        add_common(config, o) != 0) {
        json_decref(config);
        return print(out, NULL);
    }
    return print(out, json_pack("{s:{s:s, s:o}, s:s, s:[s], s:n, s:n, s:n}", "optimizer_config",
                                "class_name", ops->keras_class, "config", config, "loss",
                                "sparse_categorical_crossentropy", "metrics", "accuracy",
                                "weighted_metrics", "sample_weight_mode", "loss_weights"));
}
