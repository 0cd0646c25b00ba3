/* Graphs in Keras' JSON and in its files, both ways. */
#include "support/temp_folder.h"

#include "io/checkpoint/checkpoint.h"
#include "io/keras/config.h"
#include "io/keras/layout.h"
#include "io/keras/spec.h"

#include <hdf5.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char layers[FMD_LAYERS_BYTES];

/* Describes the model to Keras, and reads the description again. */
static char *config_of(const fmd_model *m)
{
    fmd_keras_layout k;
    char *config;
    assert_ok(fmd_keras_layout_create(&k, m));
    assert_ok(fmd_keras_model_config(&config, &k));
    fmd_keras_layout_free(&k);
    return config;
}

static fmd_model *model_of(const char *config)
{
    fmd_shape in;
    fmd_model *m;
    assert_ok(fmd_keras_spec("file", config, layers, sizeof layers, &in));
    assert_ok(fmd_model_create(&m, layers, in, 1));
    return m;
}

static void check_both_ways(const char *text, fmd_shape in)
{
    fmd_model *m;
    assert_ok(fmd_model_create(&m, text, in, 1));
    char *config = config_of(m);
    fmd_model *again = model_of(config);
    char *config_again = config_of(again);
    assert_string_equal(config, config_again);
    assert_int_equal(fmd_model_n_params(m), fmd_model_n_params(again));
    free(config_again);
    free(config);
    fmd_model_destroy(again);
    fmd_model_destroy(m);
}

static void test_keras_graph__every_layer_goes_both_ways(void **state)
{
    (void)state;
    const fmd_layer_ops *ops;
    char text[512];
    for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
        const int name = (int)strlen(ops->name);
        if (ops->merges)
            snprintf(text, sizeof text, "activation:tanh@a,activation:tanh,%.*s:a%s", name,
                     ops->example, ops->example + name);
        else
            snprintf(text, sizeof text, "%s", ops->example);
        check_both_ways(text, ops->example_in);
    }
}

static void test_keras_graph__graphs_go_both_ways(void **state)
{
    (void)state;
    static const char *const graphs[] = {
        "dense:4,dense:4:relu,dense:10:softmax",
        "dense:4:relu@a,dense:4,add:a,dense:10:softmax",
        "dense:4@a,dense:4@b,from:a,dense:4,concatenate:b:axis=-1,dense:4,add:b:b,dense:3:softmax",
        "dense:12,add:input,dense:3:softmax",
        "dense:4:l2=0.01:max_norm=2,dense:4:l2=0.5,dense:3:softmax:max_norm=3",
        ("reshape:2x3x2,conv2d:3:2:l2=0.1,separable_conv2d:2:1:l2=0.1:pointwise_l2=0.2:"
         "pointwise_max_norm=1,depthwise_conv2d:1:l2=0.1:max_norm=3,flatten,dense:3"),
        ("dense:4@a,batch_normalization,relu@b,from:a,dense:4:nobias,batch_normalization:noscale,"
         "add:b:a,relu,dense:10:softmax"),
        "dense:4@x,dense:4@y,from:x,dense:4,add:y@z,dense:4,add:z:x,dense:3:softmax",
    };
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++)
        check_both_ways(graphs[i], (fmd_shape){.rank = 1, .dim = {12}});
}

/* A Functional model of a graph in graph_orders.json; each layer with one input becomes a LeakyReLU
 * with a slope of its own, by which it is found again. NULL: a layer is called twice. */
static json_t *functional_of(json_t *graph)
{
    size_t i, k;
    json_t *layer, *call, *list = json_array();
    json_array_foreach (json_object_get(graph, "layers"), i, layer) {
        const char *name = json_string_value(json_array_get(layer, 0));
        const char *class_name = json_string_value(json_array_get(layer, 1));
        json_t *calls = json_array_get(layer, 2), *inputs = json_array();
        if (json_array_size(calls) > 1) {
            json_decref(inputs);
            json_decref(list);
            return NULL;
        }
        json_array_foreach (json_array_get(calls, 0), k, call)
            json_array_append_new(inputs,
                                  json_pack("[O, i, i, {}]", json_array_get(call, 0), 0, 0));
        const bool input = strcmp(class_name, "InputLayer") == 0;
        const bool add = strcmp(class_name, "Add") == 0;
        json_t *config = json_pack("{s:s}", "name", name);
        if (input)
            json_object_set_new(config, "batch_shape", json_pack("[n, i]", 4));
        else if (!add)
            json_object_set_new(config, "negative_slope", json_real((double)(i + 1) / 1000));
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "class_name",
                                              input ? "InputLayer"
                                              : add ? "Add"
                                                    : "LeakyReLU",
                                              "name", name, "config", config, "inbound_nodes",
                                              input ? json_array() : json_pack("[o]", inputs)));
        if (input)
            json_decref(inputs);
    }
    return json_pack("{s:s, s:{s:s, s:o}}", "class_name", "Functional", "config", "name", "m",
                     "layers", list);
}

/* The place in the file's list of a layer with a slope; 0: an Add. */
static size_t number_of(const fmd_layer *l)
{
    char text[FMD_OPTION_TEXT_BYTES];
    if (l->ops->n_args == 0)
        return 0;
    return (size_t)(atof(fmd_option_text(&l->ops->args[0], l->args, text)) * 1000 + 0.5);
}

static size_t place_of(json_t *graph, const char *name)
{
    size_t i;
    json_t *layer;
    json_array_foreach (json_object_get(graph, "layers"), i, layer)
        if (strcmp(json_string_value(json_array_get(layer, 0)), name) == 0)
            return i;
    fail_msg("no layer %s", name);
    return 0;
}

static void check_order(json_t *graph, json_t *functional)
{
    char *config = json_dumps(functional, 0);
    fmd_model *m = model_of(config);
    fmd_keras_layout k;
    json_t *order = json_object_get(graph, "order");
    assert_ok(fmd_keras_layout_create(&k, m));
    assert_int_equal(json_array_size(order), fmd_model_n_layers(m) + 1); /* the input */
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const char *name = json_string_value(json_array_get(order, i + 1));
        const size_t found = number_of(fmd_keras_layer(&k, i)), place = place_of(graph, name);
        json_t *layer = json_array_get(json_object_get(graph, "layers"), place);
        const bool add = strcmp(json_string_value(json_array_get(layer, 1)), "Add") == 0;
        assert_int_equal(found, add ? 0 : place + 1);
    }
    fmd_keras_layout_free(&k);
    fmd_model_destroy(m);
    free(config);
}

static void test_keras_graph__layers_come_in_the_order_of_keras(void **state)
{
    (void)state;
    char path[512];
    const char *root = getenv("FMD_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/graph_orders.json", root != NULL ? root : ".");
    json_t *graphs = json_load_file(path, 0, NULL), *graph;
    assert_non_null(graphs);
    size_t i, checked = 0;
    json_array_foreach (graphs, i, graph) {
        json_t *functional = functional_of(graph);
        if (functional == NULL)
            continue;
        check_order(graph, functional);
        json_decref(functional);
        checked++;
    }
    assert_int_equal(checked, 45);
    json_decref(graphs);
}

static void test_keras_graph__both_forms_of_nodes_are_read(void **state)
{
    (void)state;
#define TENSOR(NAME)                                                                               \
    "{\"class_name\":\"__keras_tensor__\",\"config\":{\"shape\":[null,4],\"keras_history\":["      \
    "\"" NAME "\",0,0]}}"
#define NODE(CLASS, NAME, CONFIG, NODES)                                                           \
    "{\"class_name\":\"" CLASS "\",\"name\":\"" NAME "\",\"config\":{\"name\":\"" NAME "\"" CONFIG \
    "},\"inbound_nodes\":[" NODES "]}"
#define INPUT      NODE("InputLayer", "image", ",\"batch_shape\":[null,4]", "")
#define OUT(NODES) NODE("Dense", "out", ",\"units\":3,\"activation\":\"softmax\"", NODES)
#define FUNCTIONAL(LIST)                                                                           \
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\",\"layers\":[" LIST                  \
    "],\"input_layers\":[\"image\",0,0],\"output_layers\":[\"out\",0,0]}}"
#define DENSE(NAME, NODES) NODE("Dense", NAME, ",\"units\":4", NODES)
#define NEW(NAME)          "{\"args\":[" TENSOR(NAME) "],\"kwargs\":{}}"
#define OLD(NAME)          "[[\"" NAME "\",0,0,{}]]"
    static const char *const models[] = {
        FUNCTIONAL(INPUT "," DENSE("one", NEW("image")) "," DENSE("two", NEW("one")) "," NODE(
            "Add", "sum", "",
            "{\"args\":[[" TENSOR("two") "," TENSOR(
                "image") "]],\"kwargs\":{}}") "," OUT(NEW("sum"))),
        FUNCTIONAL(INPUT "," DENSE("one", OLD("image")) "," DENSE("two", OLD("one")) "," NODE(
            "Add", "sum", "", "[[\"two\",0,0,{}],[\"image\",0,0,{}]]") "," OUT(OLD("sum"))),
        /* The list in another order. */
        FUNCTIONAL(OUT(OLD("sum")) "," NODE(
            "Add", "sum", "",
            "[[\"two\",0,0,{}],[\"image\",0,0,{}]]") "," DENSE("one",
                                                               OLD("image")) "," INPUT
                                                                             "," DENSE("two",
                                                                                       OLD("one"))),
    };
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        fmd_model *m = model_of(models[i]);
        assert_string_equal(layers, "dense:4,dense:4,add:input,dense:3:softmax");
        fmd_model_destroy(m);
    }
}

static void test_keras_graph__a_graph_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
    } cases[] = {
        {FUNCTIONAL(INPUT "," OUT(NEW("nothing"))),
         "'file': layer 'out' has an input that is not the output of one of the layers"},
        {FUNCTIONAL(INPUT "," OUT("[[\"image\",1,0,{}]]")),
         "'file': layer 'out' has an input that is not the output of one of the layers"},
        {FUNCTIONAL(INPUT
                    "," DENSE("one", OLD("two")) "," DENSE("two", OLD("one")) "," OUT(OLD("two"))),
         "'file': its layers form a circle"},
        {FUNCTIONAL(INPUT "," DENSE("one", OLD("image") "," OLD("image")) "," OUT(OLD("one"))),
         "'file': layer 'one' is called several times or never, expected once"},
        {FUNCTIONAL(INPUT "," DENSE("one", OLD("image")) "," DENSE("one", OLD("image")) "," OUT(
             OLD("one"))),
         "'file': layer 'one' has the name of another layer"},
        {FUNCTIONAL(INPUT "," DENSE("one", OLD("image")) "," OUT(OLD("image"))),
         "'file': layer 'one' has an output that no other layer takes: models with several outputs "
         "do not exist here"},
        {FUNCTIONAL(
             INPUT "," DENSE("one", "[[\"image\",0,0,{}],[\"image\",0,0,{}]]") "," OUT(OLD("one"))),
         "'file': layer 'one' has several inputs, which layers of its class do not take here"},
        {FUNCTIONAL(INPUT "," NODE("InputLayer", "more", ",\"batch_shape\":[null,4]",
                                   "") "," OUT(OLD("image"))),
         "'file': its model has 2 inputs, expected 1"},
        {FUNCTIONAL(INPUT
                    "," OUT("{\"args\":[" TENSOR("image") "],\"kwargs\":{\"training\":true}}")),
         "'file': layer 'out' has inputs or arguments of a form that this program does not know"},
        {FUNCTIONAL(INPUT "," NODE("Sequential", "inner", "", OLD("image")) "," OUT(OLD("inner"))),
         "'file': layer 'inner' is a model inside the model; build the model from its layers "
         "instead"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_shape in;
        assert_fails(fmd_keras_spec("file", cases[i].config, layers, sizeof layers, &in), FMD_EDATA,
                     cases[i].says);
    }
}

/* Moving statistics are variables of their layer, but have no moments. */
static void test_keras_graph__a_checkpoint_of_a_graph_comes_back(void **state)
{
    (void)state;
    static const char *const text =
        "dense:4@a,batch_normalization:noscale,relu,dense:4,batch_normalization@b,from:a,dense:4,"
        "add:b,dense:3:softmax";
    const fmd_shape in = {.rank = 1, .dim = {5}};
    const char *path = temp_path("graph.weights.h5");
    fmd_model *m, *again;
    fmd_optimizer *o, *o_again;
    fmd_checkpoint_info info;
    assert_ok(fmd_model_create(&m, text, in, 1));
    assert_ok(fmd_optimizer_create(&o, "adam", fmd_model_n_trainable_params(m)));
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        fmd_model_params(m)[i] = (float)(i + 1);
    for (size_t slot = 0; slot < 2; slot++)
        for (size_t i = 0; i < fmd_model_n_trainable_params(m); i++)
            fmd_optimizer_slot(o, slot)[i] = (float)(1000 * (slot + 1) + i);
    fmd_state s = {.model = m, .optimizer = o, .learning_rate = 0.1};
    assert_ok(fmd_checkpoint_write(path, &s));

    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_string_equal(info.layers, text);
    assert_ok(fmd_model_create(&again, info.layers, info.in, 1));
    assert_ok(fmd_optimizer_create(&o_again, "adam", fmd_model_n_trainable_params(m)));
    s.model = again;
    s.optimizer = o_again;
    assert_ok(fmd_checkpoint_read(path, &s));
    assert_memory_equal(fmd_model_params(again), fmd_model_params(m),
                        fmd_model_n_params(m) * sizeof(float));
    for (size_t slot = 0; slot < 2; slot++)
        assert_memory_equal(fmd_optimizer_slot(o_again, slot), fmd_optimizer_slot(o, slot),
                            fmd_model_n_trainable_params(m) * sizeof(float));

    static const char *const there[] = {"/layers/input_layer/vars",
                                        "/layers/batch_normalization/vars/2",
                                        "/layers/batch_normalization_1/vars/3",
                                        "/layers/dense_3/vars/1",
                                        "/layers/add/vars",
                                        "/optimizer/vars/23",
                                        ("/model_weights/batch_normalization/"
                                         "batch_normalization/moving_variance:0")};
    static const char *const absent[] = {"/layers/batch_normalization/vars/3",
                                         "/optimizer/vars/24"};
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_true(H5Lexists(file, there[i], H5P_DEFAULT) > 0);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_true(H5Lexists(file, absent[i], H5P_DEFAULT) == 0);
    H5Fclose(file);
    fmd_optimizer_destroy(o);
    fmd_optimizer_destroy(o_again);
    fmd_model_destroy(m);
    fmd_model_destroy(again);
}

/* A description and lists of names that do not fit into an attribute of HDF5. */
static void test_keras_graph__a_model_of_3000_layers_is_written_and_read(void **state)
{
    (void)state;
    enum { N = 3000 };
    const char *path = temp_path("long.weights.h5");
    char *text = malloc(8 * N);
    fmd_model *m, *again;
    fmd_optimizer *o;
    fmd_checkpoint_info info;
    size_t used = (size_t)sprintf(text, "dense:4");
    for (int i = 0; i < N; i++)
        used += (size_t)sprintf(text + used, ",relu");
    assert_ok(fmd_model_create(&m, text, (fmd_shape){.rank = 1, .dim = {4}}, 1));
    assert_ok(fmd_optimizer_create(&o, "sgd", fmd_model_n_trainable_params(m)));
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        fmd_model_params(m)[i] = (float)i;
    assert_ok(
        fmd_checkpoint_write(path, &(fmd_state){.model = m, .optimizer = o, .learning_rate = 0.1}));
    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_ok(fmd_model_create(&again, info.layers, info.in, 1));
    assert_ok(fmd_checkpoint_read_params(path, again));
    assert_memory_equal(fmd_model_params(m), fmd_model_params(again), 20 * sizeof(float));

    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t config = H5Aopen(file, "model_config", H5P_DEFAULT);
    hid_t type = H5Aget_type(config);
    assert_true(H5Tis_variable_str(type) > 0);
    assert_true(H5Aexists_by_name(file, "/model_weights", "layer_names2", H5P_DEFAULT) > 0);
    assert_true(H5Aexists_by_name(file, "/model_weights", "layer_names", H5P_DEFAULT) == 0);
    H5Tclose(type);
    H5Aclose(config);
    H5Fclose(file);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
    fmd_model_destroy(again);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keras_graph__every_layer_goes_both_ways),
        cmocka_unit_test(test_keras_graph__graphs_go_both_ways),
        cmocka_unit_test(test_keras_graph__layers_come_in_the_order_of_keras),
        cmocka_unit_test(test_keras_graph__both_forms_of_nodes_are_read),
        cmocka_unit_test(test_keras_graph__a_graph_that_cannot_be_is_refused),
        cmocka_unit_test(test_keras_graph__a_checkpoint_of_a_graph_comes_back),
        cmocka_unit_test(test_keras_graph__a_model_of_3000_layers_is_written_and_read),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
