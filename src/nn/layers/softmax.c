#include "nn/activations/activation.h"
#include "nn/plan.h"

#include <string.h>

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->activation = &fmd_activation_softmax;
    l->out = l->in[0];
    return FMD_OK;
}

/* Over the last dimension. */
static size_t columns(const fmd_layer *l)
{
    return (size_t)l->out.dim[l->out.rank - 1];
}

static size_t rows(const fmd_layer *l, const fmd_pass *p)
{
    return fmd_pass_samples(p) * (fmd_shape_count(l->out) / columns(l));
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    l->activation->forward(rows(l, p), columns(l), v->x[0], v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] == NULL)
        return;
    if (l->activation->backward != NULL)
        l->activation->backward(rows(l, p), columns(l), NULL, v->y, v->dy);
    memcpy(v->dx[0], v->dy, fmd_pass_samples(p) * fmd_shape_count(l->out) * sizeof(float));
}

const fmd_layer_ops fmd_layer_softmax = {
    .name = "softmax",
    .keras_class = "Softmax",
    .help = "probabilities over the last dimension",
    .example = "softmax",
    .example_in = {.rank = 1, .dim = {6}},
    .forgets_x = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
