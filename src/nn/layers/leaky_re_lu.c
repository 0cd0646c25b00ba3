#include "base/simd.h"
#include "nn/plan.h"

typedef struct args {
    double negative_slope;
} args;

static const fmd_option options[] = {
    {.name = "negative_slope",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, negative_slope),
     .initial = "0.3",
     .min = 0,
     .max = 1,
     .keras = "negative_slope",
     .help = "factor of negative values"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = l->in[0];
    return FMD_OK;
}

/* out[i] = value[i] where x[i] > 0, else slope * value[i]. */
FMD_SIMD static void scale_negative(size_t n, const float *x, const float *value, float slope,
                                    float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] > 0 ? value[i] : slope * value[i];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    scale_negative(fmd_pass_samples(p) * fmd_shape_count(l->in[0]), v->x[0], v->x[0],
                   (float)a->negative_slope, v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    if (v->dx[0] != NULL)
        scale_negative(fmd_pass_samples(p) * fmd_shape_count(l->in[0]), v->x[0], v->dy,
                       (float)a->negative_slope, v->dx[0]);
}

const fmd_layer_ops fmd_layer_leaky_re_lu = {
    .name = "leaky_re_lu",
    .keras_class = "LeakyReLU",
    .help = "x where it is positive, else negative_slope * x",
    .example = "leaky_re_lu:0.1",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
