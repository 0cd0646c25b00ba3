#include "nn/activations/activation.h"
#include "nn/layers/activation.h"
#include "nn/plan.h"

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->activation = &fmd_activation_softmax;
    l->out = l->in[0];
    return FMD_OK;
}

const fmd_layer_ops fmd_layer_softmax = {
    .name = "softmax",
    .keras_class = "Softmax",
    .help = "probabilities over the last dimension",
    .example = "softmax",
    .example_in = {.rank = 1, .dim = {6}},
    .build = build,
    .forward = fmd_activation_forward,
    .backward = fmd_activation_backward,
};
