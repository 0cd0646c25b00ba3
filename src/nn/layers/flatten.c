#include "nn/plan.h"

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = (fmd_shape){.rank = 1, .dim = {(int)fmd_shape_count(l->in[0])}};
    return FMD_OK;
}

const fmd_layer_ops fmd_layer_flatten = {
    .name = "flatten",
    .keras_class = "Flatten",
    .help = "one row of values for each image",
    .example = "flatten",
    .example_in = {.rank = 2, .dim = {3, 4}},
    .build = build,
};
