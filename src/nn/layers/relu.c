#include "base/simd.h"
#include "nn/plan.h"

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    l->out = l->in[0];
    return FMD_OK;
}

/* out[i] = value[i] where test[i] > 0, else 0. */
FMD_SIMD static void keep_positive(size_t n, const float *test, const float *value, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = test[i] > 0 ? value[i] : 0;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    keep_positive(fmd_pass_samples(p) * fmd_shape_count(l->out), v->x[0], v->x[0], v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] != NULL)
        keep_positive(fmd_pass_samples(p) * fmd_shape_count(l->out), v->y, v->dy, v->dx[0]);
}

const fmd_layer_ops fmd_layer_relu = {
    .name = "relu",
    .keras_class = "ReLU",
    .help = "x where it is positive, else 0",
    .example = "relu",
    .example_in = {.rank = 1, .dim = {6}},
    .forgets_x = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
