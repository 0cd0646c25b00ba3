#include "nn/storage.h"

#include "base/mem.h"
#include "base/simd.h"

#include <stdlib.h>

/* The layer that computes a layer: itself, unless it is fused. */
static size_t leader_of(const fmd_storage *s, size_t layer)
{
    while (s->graph->layers[layer].is_fused)
        layer--;
    return layer;
}

/* Moments of a pass of n layers: the input is filled at 0, the loss is made at n + 1. */
static int forward_at(const fmd_storage *s, size_t layer)
{
    return (int)leader_of(s, layer) + 1;
}

static int loss_at(const fmd_storage *s)
{
    return (int)s->graph->n_layers + 1;
}

static int backward_at(const fmd_storage *s, size_t layer)
{
    return 2 * (int)s->graph->n_layers + 1 - (int)leader_of(s, layer);
}

static size_t input_root(const fmd_storage *s, const fmd_layer *l, int i)
{
    return s->root[l->inputs[i] + 1];
}

/* Whether some parameter below needs the gradient of this array. */
static bool needs_gradient(const fmd_storage *s, size_t root)
{
    return root > 0 && fmd_layer_goes_back(&s->graph->layers[root - 1]);
}

static size_t gradient_span(const fmd_storage *s, size_t root)
{
    return s->graph->n_layers + 1 + root;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
}

static size_t floats(fmd_shape shape)
{
    return whole_lines(fmd_shape_count(shape) * sizeof(float));
}

static void use(fmd_span *span, int at)
{
    span->from = at < span->from ? at : span->from;
    span->to = at > span->to ? at : span->to;
}

/* Outputs and their gradients: from when to when. */
static void plan_outputs(fmd_storage *s)
{
    const fmd_graph *g = s->graph;
    const size_t n = g->n_layers;
    s->spans[0] = (fmd_span){.bytes = floats(g->in), .to = backward_at(s, 0)};
    for (size_t i = 0; i < n; i++) {
        const fmd_layer *l = &g->layers[i];
        s->root[i + 1] = l->ops->forward == NULL ? input_root(s, l, 0) : i + 1;
        if (l->ops->forward == NULL)
            continue;
        const bool between = i + 1 < n && l[1].is_fused; /* its output is not stored */
        const size_t bytes = between ? 0 : floats(l->out);
        const int at = forward_at(s, i);
        s->spans[i + 1] = (fmd_span){.bytes = bytes, .from = at, .to = at};
        if (fmd_layer_goes_back(l)) {
            s->spans[gradient_span(s, i + 1)] =
                (fmd_span){.bytes = bytes, .from = backward_at(s, i), .to = backward_at(s, i)};
            if (!l->ops->forgets_y || l->is_fused)
                use(&s->spans[i + 1], backward_at(s, i));
        }
        for (int k = 0; k < l->n_inputs; k++) {
            const size_t root = input_root(s, l, k);
            use(&s->spans[root], at);
            if (fmd_layer_goes_back(l) && !l->ops->forgets_x)
                use(&s->spans[root], backward_at(s, i));
            if (fmd_layer_goes_back(l) && needs_gradient(s, root))
                use(&s->spans[gradient_span(s, root)], backward_at(s, i));
        }
    }
    fmd_span *last = &s->spans[gradient_span(s, s->root[n])];
    if (last->bytes == 0) /* nothing is trainable */
        *last =
            (fmd_span){.bytes = floats(g->layers[n - 1].out), .from = loss_at(s), .to = loss_at(s)};
    use(&s->spans[s->root[n]], loss_at(s));
    use(last, loss_at(s));
}

/* The first consumer that backward comes to writes an output's gradient; those of the others are
 * added, one after the other. */
static fmd_status plan_additions(fmd_storage *s)
{
    bool *written;
    FMD_TRY(fmd_alloc(&written, s->graph->n_layers + 1, sizeof *written, "the model"));
    written[s->root[s->graph->n_layers]] = true;
    size_t input = 0;
    for (size_t i = 0; i < s->graph->n_layers; i++)
        input += (size_t)s->graph->layers[i].n_inputs;
    for (size_t i = s->graph->n_layers; i-- > 0;) {
        const fmd_layer *l = &s->graph->layers[i];
        input -= (size_t)l->n_inputs;
        for (int k = 0; k < l->n_inputs && fmd_layer_goes_back(l); k++) {
            const size_t root = input_root(s, l, k);
            if (!needs_gradient(s, root))
                continue;
            if (written[root]) {
                s->additions[input + (size_t)k] =
                    (fmd_addition){.span = s->n_spans, .count = fmd_shape_count(l->in[k])};
                s->spans[s->n_spans++] = (fmd_span){
                    .bytes = floats(l->in[k]), .from = backward_at(s, i), .to = backward_at(s, i)};
            }
            written[root] = true;
        }
    }
    free(written);
    return FMD_OK;
}

fmd_status fmd_storage_plan(fmd_storage *s, const fmd_graph *g)
{
    *s = (fmd_storage){.graph = g};
    size_t inputs = 0;
    for (size_t i = 0; i < g->n_layers; i++)
        inputs += (size_t)g->layers[i].n_inputs;
    const size_t outputs = g->n_layers + 1, most = 2 * outputs + g->plan.n_saved + inputs;
    FMD_TRY(fmd_alloc(&s->root, outputs, sizeof *s->root, "the model"));
    FMD_TRY(fmd_alloc(&s->spans, most, sizeof *s->spans, "the model"));
    FMD_TRY(fmd_alloc(&s->values, g->n_layers, sizeof *s->values, "the model"));
    FMD_TRY(fmd_alloc(&s->x, inputs, sizeof *s->x, "the model"));
    FMD_TRY(fmd_alloc(&s->dx, inputs, sizeof *s->dx, "the model"));
    FMD_TRY(fmd_alloc(&s->additions, inputs, sizeof *s->additions, "the model"));
    FMD_TRY(fmd_alloc(&s->saved, g->plan.n_saved + 1, sizeof *s->saved, "the model"));
    plan_outputs(s);
    s->n_spans = 2 * outputs;
    for (size_t i = 0; i < g->plan.n_saved; i++) {
        const size_t layer = (size_t)g->plan.saved[i].layer;
        s->spans[s->n_spans++] = (fmd_span){.bytes = whole_lines(g->plan.saved[i].bytes),
                                            .from = forward_at(s, layer),
                                            .to = backward_at(s, layer)};
    }
    FMD_TRY(plan_additions(s));
    return fmd_arena_place(s->spans, s->n_spans, &s->sample_bytes);
}

/* The array of a span; NULL where it has none. */
static void *array_at(const fmd_storage *s, size_t span)
{
    const fmd_span *a = &s->spans[span];
    return a->bytes == 0 ? NULL : s->memory + a->offset * s->max_samples;
}

/* Points the values of layer i to its arrays. */
static void point_layer(fmd_storage *s, size_t i, size_t first_input, size_t first_saved)
{
    const fmd_layer *l = &s->graph->layers[i];
    const size_t last = s->root[i + (size_t)l->n_fused + 1];
    for (int k = 0; k < l->n_inputs; k++) {
        const size_t root = input_root(s, l, k), input = first_input + (size_t)k;
        fmd_addition *a = &s->additions[input];
        s->x[input] = array_at(s, root);
        if (!fmd_layer_goes_back(l) || !needs_gradient(s, root))
            continue;
        s->dx[input] = array_at(s, gradient_span(s, root));
        if (a->count > 0) {
            a->to = s->dx[input];
            a->from = s->dx[input] = array_at(s, a->span);
        }
    }
    s->values[i] = (fmd_values){.x = s->x + first_input,
                                .y = array_at(s, last),
                                .dy = array_at(s, gradient_span(s, last)),
                                .dx = s->dx + first_input,
                                .saved = s->saved + first_saved,
                                .workspace = s->workspace};
}

fmd_status fmd_storage_allocate(fmd_storage *s, size_t max_samples)
{
    const fmd_graph *g = s->graph;
    s->max_samples = max_samples;
    FMD_TRY(fmd_alloc(&s->memory, max_samples, s->sample_bytes, "the samples of a batch"));
    FMD_TRY(fmd_alloc(&s->workspace, g->plan.workspace_bytes, 1, "the model"));
    size_t input = 0, saved = 0;
    for (size_t i = 0; i < g->plan.n_saved; i++)
        s->saved[i] = array_at(s, 2 * (g->n_layers + 1) + i);
    for (size_t i = 0; i < g->n_layers; i++) {
        point_layer(s, i, input, saved);
        input += (size_t)g->layers[i].n_inputs;
        while (saved < g->plan.n_saved && (size_t)g->plan.saved[saved].layer == i)
            saved++;
    }
    return FMD_OK;
}

void fmd_storage_free(fmd_storage *s)
{
    free(s->root);
    free(s->spans);
    free(s->memory);
    free(s->workspace);
    free(s->values);
    free(s->additions);
    free(s->x);
    free(s->dx);
    free(s->saved);
}

float *fmd_storage_input(const fmd_storage *s)
{
    return array_at(s, 0);
}

FMD_SIMD static void add_to(size_t n, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

void fmd_storage_add_gradients(const fmd_storage *s, size_t i, size_t samples)
{
    const fmd_addition *a = s->additions + (s->values[i].x - s->x);
    const fmd_layer *l = &s->graph->layers[i];
    int n = l->n_inputs;
    for (int k = 1; k <= l->n_fused; k++)
        n += l[k].n_inputs;
    for (int k = 0; k < n; k++)
        if (a[k].to != NULL)
            add_to(samples * a[k].count, a[k].from, a[k].to);
}
