#include "nn/plan.h"

#include <limits.h>

typedef struct args {
    fmd_shape target_shape;
} args;

static const fmd_option options[] = {
    {.name = "target_shape",
     .kind = FMD_OPTION_DIMS,
     .offset = offsetof(args, target_shape),
     .min = -1,
     .max = INT_MAX,
     .keras = "target_shape",
     .help = "the shape of the output, such as 7x7x16; one -1 stands for the rest"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    fmd_shape out = ((const args *)l->args)->target_shape;
    const size_t n = fmd_shape_count(l->in[0]);
    char from[FMD_SHAPE_TEXT], to[FMD_SHAPE_TEXT];
    size_t known = 1;
    int rest = -1, unknown = 0;
    for (int i = 0; i < out.rank; i++) {
        if (out.dim[i] > 0) {
            known *= (size_t)out.dim[i];
        } else {
            rest = i;
            unknown++;
        }
    }
    if (unknown == 1 && out.dim[rest] == -1 && known > 0 && n / known <= INT_MAX)
        out.dim[rest] = (int)(n / known);
    else if (unknown > 0)
        known = 0;
    if (known == 0 || fmd_shape_count(out) != n)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: its input %s has %zu values, which do not make the shape %s",
                        l->name, fmd_shape_text(l->in[0], 0, from), n, fmd_shape_text(out, 0, to));
    l->out = out;
    return FMD_OK;
}

const fmd_layer_ops fmd_layer_reshape = {
    .name = "reshape",
    .keras_class = "Reshape",
    .help = "the same values in another shape",
    .example = "reshape:2x-1",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .build = build,
};
