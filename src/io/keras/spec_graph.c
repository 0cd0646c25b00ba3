#include "io/keras/spec_graph.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 4096, LABEL_BYTES = 24, INPUTS_BYTES = 1024 };

typedef struct node {
    fmd_keras_layer layer;
    size_t *inputs; /* numbers of nodes */
    size_t n_inputs;
    bool is_input, placed, taken;
    bool marked;             /* an item refers to it by its mark */
    char label[LABEL_BYTES]; /* of its mark */
} node;

typedef struct graph {
    const char *path;
    size_t n;
    node *nodes; /* in the order of the file */
    size_t *order;
    json_t *numbers; /* from names to nodes */
} graph;

static bool is_input_layer(json_t *item)
{
    return strcmp(fmd_keras_string(item, "class_name"), "InputLayer") == 0;
}

fmd_status fmd_keras_input_of(json_t **out, const char *path, json_t *layers)
{
    size_t i, n = 0;
    json_t *item;
    json_array_foreach (layers, i, item)
        if (is_input_layer(item) && n++ == 0)
            *out = item;
    if (n == 1)
        return FMD_OK;
    return FMD_FAIL(FMD_EDATA, "'%s': its model has %zu inputs, expected 1", path, n);
}

static fmd_status bad_node(const graph *g, const node *v, const char *what)
{
    return FMD_FAIL(FMD_EDATA, "'%s': layer '%.64s' %s", g->path, v->layer.name, what);
}

/* A tensor, {"class_name": "__keras_tensor__", "config": {"keras_history": [NAME, 0, 0]}}; of Keras
 * 2, [NAME, 0, 0, {}]. NULL: it is none, or not the first output of the first call. */
static const char *tensor_source(json_t *tensor)
{
    json_t *history = json_is_object(tensor)
                          ? json_object_get(json_object_get(tensor, "config"), "keras_history")
                          : tensor;
    const json_t *call = json_array_get(history, 1), *output = json_array_get(history, 2);
    if (!json_is_integer(call) || json_integer_value(call) != 0 || !json_is_integer(output) ||
        json_integer_value(output) != 0 || json_object_size(json_array_get(history, 3)) > 0)
        return NULL;
    return json_string_value(json_array_get(history, 0));
}

static bool is_tensor(json_t *value)
{
    return json_is_object(value) || json_is_string(json_array_get(value, 0));
}

/* The list of tensors of the one call of a layer; NULL: it is of no form that Keras writes. */
static json_t *tensors_of(json_t *calls)
{
    json_t *call = json_array_get(calls, 0);
    if (!json_is_object(call))
        return call; /* Keras 2: [[NAME, 0, 0, {}], ...] */
    json_t *args = json_object_get(call, "args"), *first = json_array_get(args, 0), *value;
    const char *key;
    json_object_foreach (json_object_get(call, "kwargs"), key, value)
        if (!json_is_null(value))
            return NULL;
    return is_tensor(first) ? args : first; /* [T] or [[T, T]] */
}

static fmd_status add_input(graph *g, node *v, json_t *tensor)
{
    const char *name = tensor_source(tensor);
    const json_t *number = name == NULL ? NULL : json_object_get(g->numbers, name);
    if (number == NULL)
        return bad_node(g, v, "has an input that is not the output of one of the layers");
    const size_t from = (size_t)json_integer_value(number);
    v->inputs[v->n_inputs++] = from;
    g->nodes[from].taken = true;
    return FMD_OK;
}

static fmd_status connect(graph *g, node *v, json_t *item)
{
    size_t i;
    json_t *tensor, *calls = json_object_get(item, "inbound_nodes");
    if (v->is_input)
        return FMD_OK;
    if (json_array_size(calls) != 1)
        return bad_node(g, v, "is called several times or never, expected once");
    json_t *tensors = tensors_of(calls);
    const size_t n = json_array_size(tensors);
    if (n == 0)
        return bad_node(g, v, "has inputs or arguments of a form that this program does not know");
    FMD_TRY(fmd_alloc(&v->inputs, n, sizeof *v->inputs, "the inputs of a layer"));
    json_array_foreach (tensors, i, tensor)
        FMD_TRY(add_input(g, v, tensor));
    if (n > 1 && !fmd_keras_merges(v->layer.class_name))
        return bad_node(g, v, "has several inputs, which layers of its class do not take here");
    return FMD_OK;
}

/* Names to numbers first, since the list may be in any order. */
static fmd_status read_nodes(graph *g, bool has_weights, json_t *layers)
{
    size_t i;
    json_t *item;
    json_array_foreach (layers, i, item) {
        node *v = &g->nodes[i];
        FMD_TRY(fmd_keras_layer_of(&v->layer, g->path, has_weights, item));
        v->is_input = is_input_layer(item);
        if (json_is_string(json_object_get(item, "name")))
            v->layer.name = fmd_keras_string(item, "name"); /* the one that inputs refer to */
        if (json_object_get(g->numbers, v->layer.name) != NULL)
            return bad_node(g, v, "has the name of another layer");
        if (json_object_set_new(g->numbers, v->layer.name, json_integer((json_int_t)i)) != 0)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the layers of '%s'", g->path);
    }
    json_array_foreach (layers, i, item)
        FMD_TRY(connect(g, &g->nodes[i], item));
    return FMD_OK;
}

static bool is_ready(const graph *g, const node *v)
{
    for (size_t i = 0; i < v->n_inputs; i++)
        if (!g->nodes[v->inputs[i]].placed)
            return false;
    return !v->placed;
}

/* Inputs first, else in the order of the file, which Keras writes so anyway. */
static fmd_status sort(graph *g)
{
    size_t n = 0, before;
    do {
        before = n;
        for (size_t i = 0; i < g->n; i++)
            if (is_ready(g, &g->nodes[i])) {
                g->nodes[i].placed = true;
                g->order[n++] = i;
            }
    } while (n > before);
    if (n < g->n)
        return FMD_FAIL(FMD_EDATA, "'%s': its layers form a circle", g->path);
    for (size_t i = 0; i + 1 < n; i++)
        if (!g->nodes[g->order[i]].taken)
            return bad_node(g, &g->nodes[g->order[i]],
                            "has an output that no other layer takes: "
                            "models with several outputs do not exist "
                            "here");
    return FMD_OK;
}

/* "a" to "z", then "a1". */
static void set_label(node *v, bool flatten, size_t *used)
{
    if (v->is_input && !flatten) {
        snprintf(v->label, sizeof v->label, "input");
        return;
    }
    snprintf(v->label, sizeof v->label, "%c", (char)('a' + *used % 26));
    if (*used >= 26)
        snprintf(v->label + 1, sizeof v->label - 1, "%zu", *used / 26);
    (*used)++;
}

/* Marks the layers that an item cannot reach as "the one before". */
static void mark(graph *g, bool flatten)
{
    size_t used = 0, previous = 0;
    for (size_t i = 0; i < g->n; i++) {
        const node *v = &g->nodes[g->order[i]];
        for (size_t k = 0; k < v->n_inputs; k++)
            if (k > 0 || v->inputs[k] != previous)
                g->nodes[v->inputs[k]].marked = true;
        previous = g->order[i];
    }
    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[g->order[i]].marked)
            set_label(&g->nodes[g->order[i]], flatten, &used);
}

static fmd_status write_node(fmd_keras_text *out, const graph *g, const node *v, bool flatten,
                             const node *previous)
{
    char inputs[INPUTS_BYTES] = "";
    size_t used = 0;
    if (v->is_input && !flatten)
        return FMD_OK;
    fmd_keras_append(out, out->used > 0 ? "," : "", "");
    if (!v->is_input && &g->nodes[v->inputs[0]] != previous) {
        fmd_keras_append(out, "from:", g->nodes[v->inputs[0]].label);
        fmd_keras_append(out, ",", "");
    }
    for (size_t i = 1; i < v->n_inputs && used < sizeof inputs; i++)
        used += (size_t)snprintf(inputs + used, sizeof inputs - used, ":%s",
                                 g->nodes[v->inputs[i]].label);
    if (used >= sizeof inputs)
        return bad_node(g, v, "has too many inputs");
    if (v->is_input)
        fmd_keras_append(out, "flatten", "");
    else
        FMD_TRY(fmd_keras_layer_text(out, &v->layer, inputs));
    if (v->marked)
        fmd_keras_append(out, "@", v->label);
    return FMD_OK;
}

static fmd_status write_text(fmd_keras_text *out, graph *g, bool flatten)
{
    const node *previous = NULL;
    mark(g, flatten);
    for (size_t i = 0; i < g->n; i++) {
        const node *v = &g->nodes[g->order[i]];
        FMD_TRY(write_node(out, g, v, flatten, previous));
        previous = v;
    }
    return FMD_OK;
}

fmd_status fmd_keras_graph_text(fmd_keras_text *out, const char *path, bool has_weights,
                                bool flatten, json_t *config)
{
    json_t *layers = json_object_get(config, "layers"), *input;
    graph g = {.path = path, .n = json_array_size(layers), .numbers = json_object()};
    fmd_status status = FMD_OK;
    FMD_TRY(fmd_keras_input_of(&input, path, layers));
    if (g.n > MAX_LAYERS)
        status = FMD_FAIL(FMD_EDATA, "'%s': its model has %zu layers, expected %d at most", path,
                          g.n, MAX_LAYERS);
    if (status == FMD_OK)
        status = fmd_alloc(&g.nodes, g.n, sizeof *g.nodes, "the layers of a file");
    if (status == FMD_OK)
        status = fmd_alloc(&g.order, g.n, sizeof *g.order, "the layers of a file");
    if (status == FMD_OK)
        status = read_nodes(&g, has_weights, layers);
    if (status == FMD_OK)
        status = sort(&g);
    if (status == FMD_OK)
        status = write_text(out, &g, flatten);
    for (size_t i = 0; g.nodes != NULL && i < g.n; i++)
        free(g.nodes[i].inputs);
    free(g.nodes);
    free(g.order);
    json_decref(g.numbers);
    return status;
}
