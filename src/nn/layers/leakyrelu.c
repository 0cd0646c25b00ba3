#include "base/simd.h"
#include "nn/layer.h"

typedef struct args {
    double slope;
} args;

static const fmd_option options[] = {
    {.name = "slope",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, slope),
     .initial = "0.3",
     .min = 0,
     .max = 1,
     .keras = "negative_slope",
     .help = "what negative values are multiplied by"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = l->in;
    return FMD_OK;
}

/* out[i] = value[i] where x[i] > 0, else slope * value[i]. */
FMD_SIMD static void scale_negative(size_t n, const float *x, const float *value, float slope,
                                    float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] > 0 ? value[i] : slope * value[i];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const float *x, float *y)
{
    const args *a = l->args;
    scale_negative(fmd_pass_samples(p) * fmd_shape_count(l->in), x, x, (float)a->slope, y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const float *x, const float *y,
                     float *dy, float *dx, const fmd_gradient_sink *sink)
{
    (void)y;
    (void)sink;
    const args *a = l->args;
    if (dx != NULL)
        scale_negative(fmd_pass_samples(p) * fmd_shape_count(l->in), x, dy, (float)a->slope, dx);
}

const fmd_layer_ops fmd_layer_leakyrelu = {
    .name = "leakyrelu",
    .keras_class = "LeakyReLU",
    .help = "x where it is positive, else slope * x",
    .example = "leakyrelu:0.1",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .build = build,
    .forward = forward,
    .backward = backward,
};
