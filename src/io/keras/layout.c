#include "io/keras/layout.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layer's place in Keras' order: greater depth first, then the smaller `met`. */
typedef struct rank {
    size_t layer, depth, met;
} rank;

static int compare(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (x->depth != y->depth)
        return x->depth > y->depth ? -1 : 1;
    return x->met < y->met ? -1 : x->met > y->met;
}

static void set_depths(const fmd_model *m, rank *ranks)
{
    for (size_t i = fmd_model_n_layers(m); i-- > 0;) {
        const fmd_layer *l = fmd_model_layer(m, i);
        for (int k = 0; k < l->n_inputs; k++)
            if (l->inputs[k] != FMD_MODEL_INPUT && ranks[l->inputs[k]].depth <= ranks[i].depth)
                ranks[l->inputs[k]].depth = ranks[i].depth + 1;
    }
}

/* Walks the graph with an explicit stack, since graphs may be deep; `stack` has a place for each
 * input. */
static void set_met(const fmd_model *m, rank *ranks, size_t *stack)
{
    size_t n = 0, met = 0;
    stack[n++] = fmd_model_n_layers(m) - 1;
    while (n > 0) {
        const size_t i = stack[--n];
        if (ranks[i].met > 0)
            continue;
        ranks[i].met = ++met;
        const fmd_layer *l = fmd_model_layer(m, i);
        for (int k = l->n_inputs - 1; k >= 0; k--)
            if (l->inputs[k] != FMD_MODEL_INPUT)
                stack[n++] = (size_t)l->inputs[k];
    }
}

static fmd_status set_order(fmd_keras_layout *k)
{
    const fmd_model *m = k->model;
    const size_t n = fmd_model_n_layers(m);
    size_t inputs = 1, *stack;
    rank *ranks;
    for (size_t i = 0; i < n; i++)
        inputs += (size_t)fmd_model_layer(m, i)->n_inputs;
    FMD_TRY(fmd_alloc(&ranks, n, sizeof *ranks, "the order of the layers"));
    const fmd_status st = fmd_alloc(&stack, inputs, sizeof *stack, "the order of the layers");
    if (st == FMD_OK) {
        for (size_t i = 0; i < n; i++)
            ranks[i].layer = i;
        set_depths(m, ranks);
        set_met(m, ranks, stack);
        qsort(ranks, n, sizeof *ranks, compare);
        for (size_t i = 0; i < n; i++)
            k->order[i] = ranks[i].layer;
        free(stack);
    }
    free(ranks);
    return st;
}

/* The class of the layer is the name of the first one of its kind. */
static void name_group(fmd_keras_layout *k, size_t place)
{
    const fmd_layer *l = fmd_keras_layer(k, place), *first = l;
    size_t before = 0;
    for (size_t i = 0; first->ops != l->ops || i == 0; i++)
        first = fmd_model_layer(k->model, i);
    for (size_t i = 0; i < place; i++)
        before += fmd_keras_layer(k, i)->ops == l->ops;
    if (before == 0)
        snprintf(k->groups[l->index], FMD_LAYER_NAME, "%s", first->name);
    else
        snprintf(k->groups[l->index], FMD_LAYER_NAME, "%.26s_%zu", first->name, before);
}

fmd_status fmd_keras_layout_create(fmd_keras_layout *k, const fmd_model *m)
{
    const size_t n = fmd_model_n_layers(m), tensors = fmd_model_n_trainable_tensors(m);
    size_t place = 0;
    *k = (fmd_keras_layout){.model = m, .functional = strcmp(fmd_model_kind(m), "functional") == 0};
    fmd_status st = fmd_alloc(&k->order, n, sizeof *k->order, "the order of the layers");
    if (st == FMD_OK)
        st = fmd_alloc(&k->groups, n, sizeof *k->groups, "the names of the layers");
    if (st == FMD_OK)
        st = fmd_alloc(&k->places, tensors + 1, sizeof *k->places, "the order of the variables");
    if (st == FMD_OK)
        st = set_order(k);
    if (st != FMD_OK) {
        fmd_keras_layout_free(k);
        return st;
    }
    for (size_t i = 0; i < n; i++) {
        const fmd_layer *l = fmd_keras_layer(k, i);
        name_group(k, i);
        for (size_t t = 0; t < l->n_tensors; t++)
            k->places[l->first_tensor + t] = place++;
    }
    return FMD_OK;
}

void fmd_keras_layout_free(fmd_keras_layout *k)
{
    free(k->order);
    free(k->groups);
    free(k->places);
    *k = (fmd_keras_layout){.model = NULL};
}

const fmd_layer *fmd_keras_layer(const fmd_keras_layout *k, size_t i)
{
    return fmd_model_layer(k->model, k->order[i]);
}

const char *fmd_keras_group(const fmd_keras_layout *k, const fmd_layer *l)
{
    return k->groups[l->index];
}

const char *fmd_keras_tensor_path(const fmd_keras_layout *k, size_t tensor,
                                  char text[FMD_KERAS_PATH])
{
    const fmd_layer *l =
        fmd_model_layer(k->model, (size_t)fmd_model_tensor(k->model, tensor)->layer);
    size_t place = 0;
    while (fmd_layer_variable(l, place) != tensor)
        place++;
    snprintf(text, FMD_KERAS_PATH, "/layers/%s/vars/%zu", fmd_keras_group(k, l), place);
    return text;
}

const char *fmd_keras_slot_path(const fmd_keras_layout *k, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH])
{
    const size_t place = k->places[tensor], interleaved = fmd_optimizer_ops_of(o)->interleaved;
    const size_t tensors = fmd_model_n_trainable_tensors(k->model);
    const size_t averages = fmd_optimizer_common_of(o)->use_ema, own = slot - averages;
    size_t number = slot * tensors + place;
    if (slot >= averages && own < interleaved)
        number = averages * tensors + place * interleaved + own;
    snprintf(text, FMD_KERAS_PATH, "/optimizer/vars/%zu", 2 + number);
    return text;
}
