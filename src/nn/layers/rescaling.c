#include "base/simd.h"
#include "nn/plan.h"

typedef struct args {
    double scale, offset;
} args;

static const fmd_option options[] = {
    {.name = "scale",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, scale),
     .keras = "scale",
     .help = "factor"},
    {.name = "offset",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, offset),
     .initial = "0",
     .keras = "offset",
     .help = "added to the product"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = l->in[0];
    return FMD_OK;
}

FMD_SIMD static void scale(size_t n, const float *x, float factor, float offset, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * factor + offset;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    scale(fmd_pass_samples(p) * fmd_shape_count(l->out), v->x[0], (float)a->scale, (float)a->offset,
          v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] != NULL)
        scale(fmd_pass_samples(p) * fmd_shape_count(l->out), v->dy,
              (float)((const args *)l->args)->scale, 0, v->dx[0]);
}

const fmd_layer_ops fmd_layer_rescaling = {
    .name = "rescaling",
    .keras_class = "Rescaling",
    .help = "scale * x + offset",
    .example = "rescaling:2:-1",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
