#include "base/simd.h"
#include "nn/plan.h"

#include <string.h>

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    char first[FMD_SHAPE_TEXT], other[FMD_SHAPE_TEXT];
    for (int i = 1; i < l->n_inputs; i++)
        if (!fmd_shape_equal(l->in[i], l->in[0]))
            return FMD_FAIL(
                FMD_EUSAGE,
                "model: %s: its inputs have shapes %s and %s: they must be equal; use padding "
                "same, and bring channels and size into line with conv2d:FILTERS:1:strides=N",
                l->name, fmd_shape_text(l->in[0], 0, first), fmd_shape_text(l->in[i], 0, other));
    l->out = l->in[0];
    return FMD_OK;
}

FMD_SIMD static void sum(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

/* From the first input to the last. */
static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t n = fmd_pass_samples(p) * fmd_shape_count(l->out);
    sum(n, v->x[0], v->x[1], v->y);
    for (int i = 2; i < l->n_inputs; i++)
        sum(n, v->y, v->x[i], v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    for (int i = 0; i < l->n_inputs; i++)
        if (v->dx[i] != NULL)
            memcpy(v->dx[i], v->dy, fmd_pass_samples(p) * fmd_shape_count(l->out) * sizeof(float));
}

const fmd_layer_ops fmd_layer_add = {
    .name = "add",
    .keras_class = "Add",
    .help = "sum of the layer before and of the marked ones: add:a",
    .example = "add",
    .example_in = {.rank = 1, .dim = {6}},
    .merges = true,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
