#include "io/keras/config.h"

#include "io/json/json_value.h"

/* jansson's adders take over the new value, refuse NULL, and give NULL or -1 when memory is out, so
 * it is enough to look at what the outermost call says. */

/* Adds every option that Keras knows to `config`, under Keras' name; -1: no memory. */
static int add_options(json_t *config, const fmd_option *table, size_t n, const void *args)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++)
        if (table[i].keras != NULL)
            failed |=
                json_object_set_new(config, table[i].keras, fmd_json_of_option(&table[i], args));
    return failed;
}

/* batch_input_shape and an explicit InputLayer: the one form that Keras 2 and 3 both take. */
static json_t *input_layer(fmd_shape in)
{
    json_t *shape = json_pack("[n]");
    int failed = 0;
    for (int i = 0; i < in.rank; i++)
        failed |= json_array_append_new(shape, json_integer(in.dim[i]));
    json_t *layer =
        json_pack("{s:s, s:{s:o, s:s, s:b, s:s}}", "class_name", "InputLayer", "config",
                  "batch_input_shape", shape, "dtype", "float32", "sparse", 0, "name", "input_1");
    if (failed == 0)
        return layer;
    json_decref(layer);
    return NULL;
}

static json_t *layer_config(const fmd_layer *l)
{
    json_t *config =
        json_pack("{s:s, s:b, s:s}", "name", l->name, "trainable", 1, "dtype", "float32");
    if (add_options(config, l->ops->args, l->ops->n_args, l->args) != 0) {
        json_decref(config);
        return NULL;
    }
    return json_pack("{s:s, s:o}", "class_name", l->ops->keras_class, "config", config);
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

fmd_status fmd_keras_model_config(char **out, const fmd_model *m)
{
    json_t *layers = json_array();
    int failed = json_array_append_new(layers, input_layer(fmd_model_in(m)));
    for (size_t i = 0; i < fmd_model_n_layers(m); i++)
        failed |= json_array_append_new(layers, layer_config(fmd_model_layer(m, i)));
    if (failed != 0) {
        json_decref(layers);
        return print(out, NULL);
    }
    return print(out, json_pack("{s:s, s:{s:s, s:o}}", "class_name", "Sequential", "config", "name",
                                "sequential", "layers", layers));
}

fmd_status fmd_keras_training_config(char **out, const fmd_optimizer *o, double learning_rate)
{
    const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(o);
    json_t *config = json_pack("{s:f}", "learning_rate", learning_rate);
    if (add_options(config, ops->args, ops->n_args, fmd_optimizer_args(o)) != 0) {
        json_decref(config);
        return print(out, NULL);
    }
    return print(out, json_pack("{s:{s:s, s:o}, s:s, s:[s], s:n, s:n, s:n}", "optimizer_config",
                                "class_name", ops->keras_class, "config", config, "loss",
                                "sparse_categorical_crossentropy", "metrics", "accuracy",
                                "weighted_metrics", "sample_weight_mode", "loss_weights"));
}
