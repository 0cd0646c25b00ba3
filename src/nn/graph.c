#include "nn/graph.h"

#include "base/mem.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer items are cut in messages. */
enum { LABEL_BYTES = 256 };

/* An output that later layers refer to. */
typedef struct mark {
    const char *name;
    int layer;
} mark;

/* A graph under construction. */
typedef struct builder {
    fmd_graph *graph;
    mark *marks; /* the first is the model's input */
    size_t n_marks;
    bool *used;    /* outputs with a consumer */
    int previous;  /* the layer that the next one takes */
    bool dangling; /* "from" was the last item */
} builder;

/* "input|a|b", cut where it is too long. */
static void mark_names(const builder *b, char text[FMD_OPTION_TEXT_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < b->n_marks && used < FMD_OPTION_TEXT_BYTES; i++)
        used += (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "%s%s",
                                 i > 0 ? "|" : "", b->marks[i].name);
}

static fmd_status find_mark(const builder *b, const char *label, const char *name, int *layer)
{
    char names[FMD_OPTION_TEXT_BYTES] = "", hint[FMD_OPTION_TEXT_BYTES];
    for (size_t i = 0; i < b->n_marks; i++)
        if (strcmp(b->marks[i].name, name) == 0) {
            *layer = b->marks[i].layer;
            return FMD_OK;
        }
    mark_names(b, names);
    return FMD_FAIL(
        FMD_EUSAGE,
        "%s: no layer before it is marked '@%.64s': put '@%.64s' behind that layer; the marks "
        "so far: %.400s%s",
        label, name, name, names, fmd_did_you_mean(names, name, hint));
}

/* Names the output of a layer. */
static fmd_status add_mark(builder *b, const char *label, const char *name, int layer)
{
    for (const char *c = name; *c != '\0' || c == name; c++)
        if (!isalnum((unsigned char)*c) && *c != '_')
            return FMD_FAIL(FMD_EUSAGE,
                            "%s: '@' marks a layer with a name of letters, digits and '_'", label);
    for (size_t i = 0; i < b->n_marks; i++)
        if (strcmp(b->marks[i].name, name) == 0)
            return FMD_FAIL(FMD_EUSAGE, "%s: '@%.64s' is %s", label, name,
                            i == 0 ? "the model's input" : "marked twice");
    b->marks[b->n_marks++] = (mark){.name = name, .layer = layer};
    return FMD_OK;
}

/* Keras' name for a layer of class "LeakyReLU": "leaky_re_lu", then "leaky_re_lu_1". */
static void name_layer(const fmd_graph *g, fmd_layer *l)
{
    char snake[FMD_LAYER_NAME - 12];
    size_t n = 0;
    for (const char *c = l->ops->keras_class; *c != '\0' && n + 2 < sizeof snake; c++) {
        if (n > 0 && isupper((unsigned char)*c) && islower((unsigned char)c[-1]))
            snake[n++] = '_';
        snake[n++] = (char)tolower((unsigned char)*c);
    }
    snake[n] = '\0';
    int before = 0;
    for (size_t i = 0; i < g->n_layers; i++)
        before += g->layers[i].ops == l->ops;
    if (before == 0)
        snprintf(l->name, sizeof l->name, "%s", snake);
    else
        snprintf(l->name, sizeof l->name, "%s_%d", snake, before);
}

/* Takes the names of inputs, arguments without "=", out of `args`. */
static fmd_status read_inputs(builder *b, const char *label, char *args, int *inputs, int *n)
{
    char *out = args;
    for (char *rest = *args == '\0' ? NULL : args, *word; (word = strsep(&rest, ":")) != NULL;) {
        const size_t length = strlen(word);
        if (strchr(word, '=') == NULL) {
            FMD_TRY(find_mark(b, label, word, &inputs[(*n)++]));
            continue;
        }
        if (out != args)
            *out++ = ':';
        memmove(out, word, length);
        out += length;
    }
    *out = '\0';
    return FMD_OK;
}

static fmd_status connect(builder *b, fmd_layer *l, const char *label, char *args)
{
    size_t most = 1;
    for (const char *c = args; *c != '\0'; c++)
        most += *c == ':';
    int *inputs;
    fmd_shape *in;
    FMD_TRY(fmd_alloc(&inputs, most + 1, sizeof *inputs, "a layer"));
    l->inputs = inputs;
    FMD_TRY(fmd_alloc(&in, most + 1, sizeof *in, "a layer"));
    l->in = in;
    l->n_inputs = 1;
    inputs[0] = b->previous;
    if (l->ops->merges)
        FMD_TRY(read_inputs(b, label, args, inputs, &l->n_inputs));
    if (l->ops->merges && l->n_inputs < 2)
        return FMD_FAIL(FMD_EUSAGE,
                        "%s: needs another input: '%s:NAME' takes the layer marked '@NAME' besides "
                        "the one before",
                        label, l->ops->name);
    for (int i = 0; i < l->n_inputs; i++) {
        in[i] = inputs[i] == FMD_MODEL_INPUT ? b->graph->in : b->graph->layers[inputs[i]].out;
        if (inputs[i] != FMD_MODEL_INPUT)
            b->used[inputs[i]] = true;
    }
    return FMD_OK;
}

/* Whether the inputs of the layer need a gradient: below the first parameters none is needed. */
static fmd_status plan_gradient(const fmd_graph *g, fmd_layer *l)
{
    for (int i = 0; i < l->n_inputs; i++)
        if (l->inputs[i] != FMD_MODEL_INPUT) {
            const fmd_layer *from = &g->layers[l->inputs[i]];
            l->sends_gradient |= from->n_tensors > 0 || from->sends_gradient;
        }
    if (l->sends_gradient && l->ops->forward != NULL && l->ops->backward == NULL)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s has no derivative: put it before the first layer with "
                        "parameters",
                        l->name);
    return FMD_OK;
}

/* A dimension of a shape is an int, which limits the number of values. */
static fmd_status check_size(const fmd_layer *l)
{
    double n = 1;
    char text[FMD_SHAPE_TEXT];
    for (int i = 0; i < l->out.rank; i++)
        n *= l->out.dim[i];
    if (n <= INT_MAX)
        return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE, "model: %s: its output %s has %.0f values: at most %d", l->name,
                    fmd_shape_text(l->out, 0, text), n, INT_MAX);
}

/* Adds the layer "dense:128:relu". */
static fmd_status add_layer(builder *b, const char *label, char *text)
{
    fmd_graph *g = b->graph;
    fmd_layer *l = &g->layers[g->n_layers];
    const size_t length = strcspn(text, ":");
    char *args_text = text + length + (text[length] == ':');
    text[length] = '\0';
    *l = (fmd_layer){.index = (int)g->n_layers, .first_tensor = g->plan.n_params};
    l->first_state = g->plan.n_states; /* of all states; counted behind the parameters later */
    FMD_TRY(fmd_layer_find(&l->ops, text));
    name_layer(g, l);
    g->n_layers++;

    void *args = NULL;
    FMD_TRY(fmd_alloc(&args, 1, l->ops->args_size, "a layer"));
    l->args = args;
    FMD_TRY(connect(b, l, label, args_text));
    FMD_TRY(fmd_options_parse_args(l->ops->args, l->ops->n_args, args, label, args_text));
    g->plan.layer = l;
    FMD_TRY(l->ops->build(l, &g->plan));
    FMD_TRY(g->plan.status);
    FMD_TRY(check_size(l));
    b->previous = l->index;
    return plan_gradient(g, l);
}

/* "dense:128:relu@a", or "from:a". */
static fmd_status add_item(builder *b, char *item)
{
    char label[LABEL_BYTES];
    snprintf(label, sizeof label, "model: %.*s", LABEL_BYTES - 16, item);
    if (strncmp(item, "from:", 5) == 0) {
        b->dangling = true;
        return find_mark(b, label, item + 5, &b->previous);
    }
    b->dangling = false;
    char *at = strrchr(item, '@');
    if (at == NULL)
        return add_layer(b, label, item);
    *at = '\0';
    FMD_TRY(add_layer(b, label, item));
    return add_mark(b, label, at + 1, b->previous);
}

static fmd_status check_ends(const builder *b)
{
    const fmd_graph *g = b->graph;
    char shape[FMD_SHAPE_TEXT];
    if (b->dangling || g->n_layers == 0)
        return FMD_FAIL(FMD_EUSAGE, "model: %s",
                        b->dangling ? "no layer follows the last 'from'" : "there is no layer");
    for (size_t i = 0; i + 1 < g->n_layers; i++)
        if (!b->used[i])
            return FMD_FAIL(FMD_EUSAGE,
                            "model: nothing takes the output %s of %s, layer %zu of %zu: mark it "
                            "'@a', and let add:a or concatenate:a take it",
                            fmd_shape_text(g->layers[i].out, 0, shape), g->layers[i].name, i + 1,
                            g->n_layers);
    return FMD_OK;
}

/* The array of all values: parameters first. */
static fmd_status number_tensors(fmd_graph *g)
{
    const fmd_plan *p = &g->plan;
    FMD_TRY(fmd_alloc(&g->tensors, p->n_params + p->n_states + 1, sizeof *g->tensors, "the model"));
    for (size_t i = 0; i < p->n_params + p->n_states; i++) {
        fmd_tensor *t = &g->tensors[g->n_tensors++];
        *t = i < p->n_params ? p->params[i] : p->states[i - p->n_params];
        t->offset = g->n_params;
        g->n_params += t->count;
        if (t->trainable) {
            g->n_trainable_tensors++;
            g->n_trainable_params += t->count;
        }
    }
    for (size_t i = 0; i < g->n_layers; i++)
        g->layers[i].first_state += g->n_trainable_tensors;
    return FMD_OK;
}

/* Whether a layer of `text` takes images with channels. */
static bool needs_image(const char *text)
{
    const fmd_layer_ops *ops;
    for (const char *item = text; item != NULL; item = strchr(item, ','), item += item != NULL)
        for (size_t i = 0; (ops = fmd_layer_ops_at(i)) != NULL; i++) {
            const size_t length = strlen(ops->name);
            if (ops->needs_image && strncmp(item, ops->name, length) == 0 &&
                strcspn(item, ":,@") == length)
                return true;
        }
    return false;
}

static fmd_status build(builder *b, char *text)
{
    size_t most = 1;
    for (const char *c = text; *c != '\0'; c++)
        most += *c == ',';
    FMD_TRY(fmd_alloc(&b->graph->layers, most, sizeof *b->graph->layers, "the model"));
    FMD_TRY(fmd_alloc(&b->marks, most + 1, sizeof *b->marks, "the model"));
    FMD_TRY(fmd_alloc(&b->used, most, sizeof *b->used, "the model"));
    b->marks[b->n_marks++] = (mark){.name = "input", .layer = FMD_MODEL_INPUT};
    b->previous = FMD_MODEL_INPUT;
    for (char *rest = *text == '\0' ? NULL : text, *item; (item = strsep(&rest, ",")) != NULL;)
        FMD_TRY(add_item(b, item));
    FMD_TRY(check_ends(b));
    return number_tensors(b->graph);
}

fmd_status fmd_graph_build(fmd_graph *g, const char *text, fmd_shape in)
{
    builder b = {.graph = g};
    char *copy = NULL;
    *g = (fmd_graph){.in = in};
    FMD_TRY(fmd_alloc(&g->text, strlen(text) + 1, 1, "the model"));
    size_t n = 0;
    for (const char *c = text; *c != '\0'; c++)
        if (*c != ' ')
            g->text[n++] = *c;
    if (in.rank == 2 && needs_image(g->text)) /* grey images have one channel then, as in Keras */
        g->in = (fmd_shape){.rank = 3, .dim = {in.dim[0], in.dim[1], 1}};
    fmd_status st = fmd_alloc(&copy, n + 1, 1, "the model");
    if (st == FMD_OK) {
        memcpy(copy, g->text, n);
        st = build(&b, copy);
    }
    free(b.marks);
    free(b.used);
    free(copy);
    return st;
}

/* Whether layer i is the only consumer of the layer before, which goes back if it does. */
static bool follows(const fmd_graph *g, size_t i)
{
    const fmd_layer *l = &g->layers[i];
    int uses = 0;
    for (size_t k = i; k < g->n_layers; k++)
        for (int j = 0; j < g->layers[k].n_inputs; j++)
            uses += g->layers[k].inputs[j] == (int)i - 1;
    return uses == 1 && l->inputs[0] == (int)i - 1 && l->ops->forward != NULL &&
           fmd_layer_goes_back(l) == fmd_layer_goes_back(l - 1);
}

void fmd_graph_fuse(fmd_graph *g)
{
    for (size_t i = 0; i < g->n_layers; i++) {
        fmd_layer *l = &g->layers[i];
        int n = 0;
        while (l->ops->fuse != NULL && i + 1 < g->n_layers && follows(g, i + 1)) {
            i++;
            n++;
        }
        l->n_fused = n > 0 ? l->ops->fuse(l, n, &g->plan) : 0;
        for (int k = 1; k <= l->n_fused; k++)
            l[k].is_fused = true;
        i = (size_t)(l - g->layers) + (size_t)l->n_fused;
    }
}

void fmd_graph_free(fmd_graph *g)
{
    for (size_t i = 0; i < g->n_layers; i++) {
        free((void *)(uintptr_t)g->layers[i].args);
        free((void *)(uintptr_t)g->layers[i].inputs);
        free((void *)(uintptr_t)g->layers[i].in);
    }
    free(g->layers);
    free(g->tensors);
    free(g->text);
    fmd_plan_free(&g->plan);
    *g = (fmd_graph){.n_layers = 0};
}
