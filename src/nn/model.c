#include "nn/model.h"

#include "base/mem.h"
#include "nn/activations/activation.h"
#include "nn/graph.h"
#include "nn/initializer.h"
#include "nn/storage.h"

#include <stdlib.h>
#include <string.h>

/* The samples of a group fit into this much memory, about the second-level cache of a core and its
 * share of the third; or into as much as the parameters take, which each group reads. */
enum { GROUP_BYTES = 4 << 20 };

struct fmd_model {
    fmd_graph graph;
    fmd_storage storage;
    bool softmax;    /* the last layer's softmax was left to the loss */
    float *params;   /* all tensors, one after another */
    float **tensors; /* each tensor's place in params */
    fmd_layer_hook *hook;
    void *hook_self;
};

/* A model without memory for its values. */
static fmd_status design(fmd_model **out, const char *layers, fmd_shape in, bool fused)
{
    fmd_model *m = NULL;
    FMD_TRY(fmd_alloc(&m, 1, sizeof *m, "the model"));
    fmd_status st = fmd_graph_build(&m->graph, layers, in);
    if (st == FMD_OK && fused)
        fmd_graph_fuse(&m->graph);
    if (st == FMD_OK)
        st = fmd_storage_plan(&m->storage, &m->graph);
    if (st != FMD_OK) {
        fmd_model_destroy(m);
        return st;
    }
    *out = m;
    return FMD_OK;
}

static fmd_status allocate(fmd_model *m, size_t max_samples)
{
    const fmd_graph *g = &m->graph;
    FMD_TRY(fmd_alloc(&m->params, g->n_params, sizeof(float), "the parameters"));
    FMD_TRY(fmd_alloc(&m->tensors, g->n_tensors + 1, sizeof *m->tensors, "the model"));
    for (size_t i = 0; i < g->n_tensors; i++)
        m->tensors[i] = m->params + g->tensors[i].offset;
    for (size_t i = 0; i < g->n_layers; i++) {
        g->layers[i].param = m->tensors + g->layers[i].first_tensor;
        g->layers[i].state = m->tensors + g->layers[i].first_state;
    }
    return fmd_storage_allocate(&m->storage, max_samples);
}

static fmd_status create(fmd_model **out, const char *layers, fmd_shape in, size_t max_samples,
                         bool fused)
{
    fmd_model *m;
    FMD_TRY(design(&m, layers, in, fused));
    fmd_layer *last = &m->graph.layers[m->graph.n_layers - 1];
    m->softmax = last->activation != NULL && strcmp(last->activation->name, "softmax") == 0;
    if (m->softmax)
        last->activation = fmd_activation_at(0);
    const fmd_status st = allocate(m, max_samples);
    if (st != FMD_OK) {
        fmd_model_destroy(m);
        return st;
    }
    *out = m;
    return FMD_OK;
}

fmd_status fmd_model_create(fmd_model **out, const char *layers, fmd_shape in, size_t max_samples)
{
    return create(out, layers, in, max_samples, true);
}

fmd_status fmd_model_create_unfused(fmd_model **out, const char *layers, fmd_shape in,
                                    size_t max_samples)
{
    return create(out, layers, in, max_samples, false);
}

void fmd_model_destroy(fmd_model *m)
{
    if (m == NULL)
        return;
    fmd_graph_free(&m->graph);
    free(m->params);
    free(m->tensors);
    fmd_storage_free(&m->storage);
    free(m);
}

const char *fmd_model_kind(const fmd_model *m)
{
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        const fmd_layer *l = &m->graph.layers[i];
        if (l->n_inputs != 1 || l->inputs[0] != (int)i - 1)
            return "functional";
    }
    return "sequential";
}

bool fmd_model_batch_statistics(const fmd_model *m)
{
    for (size_t i = 0; i < m->graph.n_layers; i++)
        if (m->graph.layers[i].ops->batch_statistics)
            return true;
    return false;
}

fmd_status fmd_model_measure(fmd_model_size *out, const char *layers, fmd_shape in)
{
    fmd_model *m;
    FMD_TRY(design(&m, layers, in, true));
    *out = (fmd_model_size){.params = m->graph.n_params,
                            .trainable_params = m->graph.n_trainable_params,
                            .fixed_bytes =
                                m->graph.n_params * sizeof(float) + m->graph.plan.workspace_bytes,
                            .sample_bytes = m->storage.sample_bytes,
                            .batch_statistics = fmd_model_batch_statistics(m)};
    fmd_model_destroy(m);
    return FMD_OK;
}

double fmd_model_size_bytes(const fmd_model_size *s, size_t max_samples)
{
    return (double)s->fixed_bytes + (double)max_samples * (double)s->sample_bytes;
}

size_t fmd_model_size_group(const fmd_model_size *s, size_t microbatch_size, size_t samples)
{
    const size_t params = s->params * sizeof(float);
    const size_t room = params > GROUP_BYTES ? params : GROUP_BYTES;
    const size_t fit = room / (s->sample_bytes * microbatch_size + 1);
    const size_t needed = (samples + microbatch_size - 1) / microbatch_size;
    const size_t microbatches = fit < needed ? fit : needed;
    return (microbatches > 0 ? microbatches : 1) * microbatch_size;
}

fmd_status fmd_model_check_classes(const fmd_model *m, int classes, const char *largest_name)
{
    const fmd_shape out = m->graph.layers[m->graph.n_layers - 1].out;
    char text[FMD_SHAPE_TEXT];
    if (out.rank != 1)
        return FMD_FAIL(FMD_EUSAGE,
                        "model output is %s but labels are (batch): the last layer must give one "
                        "row of class scores per image. Dense works on the last axis only; put "
                        "\"flatten\" before the first dense layer: "
                        "--layers 'flatten,dense:128:relu,dense:%d:softmax'",
                        fmd_shape_text(out, 1, text), classes);
    if (out.dim[0] < classes)
        return FMD_FAIL(FMD_EUSAGE,
                        "labels go up to %d%s%s%s but the last layer has %d units: need %d, one "
                        "for each class",
                        classes - 1, *largest_name ? " (" : "", largest_name,
                        *largest_name ? ")" : "", out.dim[0], classes);
    if (out.dim[0] > 256)
        return FMD_FAIL(FMD_EUSAGE,
                        "the last layer has %d units, but labels are bytes: at most 256",
                        out.dim[0]);
    if (!m->softmax)
        return FMD_FAIL(FMD_EUSAGE,
                        "the model must end in a softmax, which makes probabilities of the "
                        "scores: --layers '...,dense:%d:softmax'",
                        classes);
    return FMD_OK;
}

void fmd_model_init(fmd_model *m, uint64_t seed)
{
    for (size_t i = 0; i < m->graph.n_tensors; i++)
        fmd_initialize(&m->graph.tensors[i], seed, (uint32_t)i, m->tensors[i]);
}

size_t fmd_model_n_layers(const fmd_model *m)
{
    return m->graph.n_layers;
}

const fmd_layer *fmd_model_layer(const fmd_model *m, size_t i)
{
    return &m->graph.layers[i];
}

size_t fmd_model_n_tensors(const fmd_model *m)
{
    return m->graph.n_tensors;
}

size_t fmd_model_n_trainable_tensors(const fmd_model *m)
{
    return m->graph.n_trainable_tensors;
}

const fmd_tensor *fmd_model_tensor(const fmd_model *m, size_t i)
{
    return &m->graph.tensors[i];
}

float *fmd_model_swap_params(fmd_model *m, float *params)
{
    float *old = m->params;
    m->params = params;
    for (size_t i = 0; i < m->graph.n_tensors; i++)
        m->tensors[i] = params + m->graph.tensors[i].offset;
    return old;
}

float *fmd_model_params(const fmd_model *m)
{
    return m->params;
}

size_t fmd_model_n_params(const fmd_model *m)
{
    return m->graph.n_params;
}

size_t fmd_model_n_trainable_params(const fmd_model *m)
{
    return m->graph.n_trainable_params;
}

fmd_shape fmd_model_in(const fmd_model *m)
{
    return m->graph.in;
}

int fmd_model_classes(const fmd_model *m)
{
    return m->graph.layers[m->graph.n_layers - 1].out.dim[0];
}

const char *fmd_model_spec(const fmd_model *m)
{
    return m->graph.text;
}

fmd_hash fmd_model_hash(const fmd_model *m)
{
    return fmd_hash_bytes(m->params, m->graph.n_params * sizeof(float));
}

size_t fmd_model_max_samples(const fmd_model *m)
{
    return m->storage.max_samples;
}

fmd_cost fmd_model_cost(const fmd_model *m, size_t samples)
{
    fmd_cost sum = {0};
    for (size_t i = 0; i < m->graph.n_layers; i++) {
        const fmd_cost c = fmd_layer_cost(&m->graph.layers[i], samples);
        sum.forward_flops += c.forward_flops;
        sum.forward_bytes += c.forward_bytes;
        sum.backward_flops += c.backward_flops;
        sum.backward_bytes += c.backward_bytes;
    }
    return sum;
}

float *fmd_model_input(fmd_model *m)
{
    return fmd_storage_input(&m->storage);
}

void fmd_model_hook(fmd_model *m, fmd_layer_hook *hook, void *self)
{
    m->hook = hook;
    m->hook_self = self;
}

static void run_layer(const fmd_model *m, size_t i, bool backward, const fmd_pass *p,
                      const fmd_gradient_sink *sink)
{
    const fmd_layer_call call = {.layer = &m->graph.layers[i],
                                 .backward = backward,
                                 .pass = p,
                                 .values = &m->storage.values[i],
                                 .sink = sink};
    if (m->hook != NULL)
        m->hook(m->hook_self, &call);
    else
        fmd_layer_run(&call);
}

static const float *forward_to(fmd_model *m, const fmd_pass *p, size_t last,
                               const fmd_gradient_sink *sink)
{
    for (size_t i = 0; i <= last; i++) {
        const fmd_layer *l = &m->graph.layers[i];
        if (l->ops->forward != NULL && !l->is_fused)
            run_layer(m, i, false, p, sink);
    }
    return m->storage.values[last].y;
}

const float *fmd_model_forward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink)
{
    return forward_to(m, p, m->graph.n_layers - 1, sink);
}

const float *fmd_model_forward_to(fmd_model *m, const fmd_pass *p, size_t last)
{
    return forward_to(m, p, last, NULL);
}

float *fmd_model_logit_grads(fmd_model *m)
{
    return m->storage.values[m->graph.n_layers - 1].dy;
}

void fmd_model_backward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink)
{
    for (size_t i = m->graph.n_layers; i-- > 0;) {
        const fmd_layer *l = &m->graph.layers[i];
        if (!fmd_layer_goes_back(l) || l->is_fused)
            continue;
        run_layer(m, i, true, p, sink);
        fmd_storage_add_gradients(&m->storage, i, fmd_pass_samples(p));
        if (sink->complete != NULL && l->n_tensors > 0)
            sink->complete(sink->self, l->first_tensor);
    }
}

void fmd_model_update_state(fmd_model *m, size_t first, size_t n, const float *mean)
{
    const fmd_graph *g = &m->graph;
    size_t low = g->n_trainable_tensors, high = g->n_tensors; /* the result is in [low, high) */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (g->tensors[middle].offset <= first)
            low = middle;
        else
            high = middle;
    }
    const fmd_layer *l = &g->layers[g->tensors[low].layer];
    l->ops->update_state(l, low - l->first_state, n, mean, m->params + first);
}

const fmd_values *fmd_model_values(const fmd_model *m, size_t i)
{
    return &m->storage.values[i];
}
