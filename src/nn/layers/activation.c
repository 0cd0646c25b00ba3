#include "nn/layers/activation.h"
#include "nn/activations/activation.h"
#include "nn/plan.h"

#include <string.h>

typedef struct args {
    int activation;
} args;

static const fmd_option options[] = {
    {.name = "activation",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, activation),
     .choices = FMD_ACTIVATION_NAMES,
     .keras = "activation",
     .help = "the function"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    const args *a = l->args;
    l->activation = fmd_activation_at(a->activation);
    l->out = l->in[0];
    return FMD_OK;
}

/* The last dimension is the columns: a softmax runs over it. */
static size_t columns(const fmd_layer *l)
{
    return (size_t)l->in[0].dim[l->in[0].rank - 1];
}

static size_t rows(const fmd_layer *l, const fmd_pass *p)
{
    return fmd_pass_samples(p) * (fmd_shape_count(l->in[0]) / columns(l));
}

void fmd_activation_forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                            const fmd_gradient_sink *sink)
{
    (void)sink;
    l->activation->forward(rows(l, p), columns(l), v->x[0], v->y);
}

void fmd_activation_backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                             const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] == NULL)
        return;
    if (l->activation->backward != NULL)
        l->activation->backward(rows(l, p), columns(l), v->x[0], v->y, v->dy);
    memcpy(v->dx[0], v->dy, fmd_pass_samples(p) * fmd_shape_count(l->in[0]) * sizeof(float));
}

const fmd_layer_ops fmd_layer_activation = {
    .name = "activation",
    .keras_class = "Activation",
    .help = "an activation as a layer of its own",
    .example = "activation:gelu",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .build = build,
    .forward = fmd_activation_forward,
    .backward = fmd_activation_backward,
};
