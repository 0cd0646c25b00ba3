#include "nn/plan.h"

#include <limits.h>

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    const size_t n = fmd_shape_count(l->in[0]);
    char text[FMD_SHAPE_TEXT];
    if (n > INT_MAX)
        return FMD_FAIL(FMD_EUSAGE, "--layers: %s: its input, %s, has %zu values: at most %d",
                        l->name, fmd_shape_text(l->in[0], 0, text), n, INT_MAX);
    l->out = (fmd_shape){.rank = 1, .dim = {(int)n}};
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
