#include "nn/pooling.h"

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    return fmd_pooling_build(l);
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const fmd_pool pool = fmd_pooling_of(l);
    fmd_average_pool(&pool, fmd_pass_samples(p), v->x[0], v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const fmd_pool pool = fmd_pooling_of(l);
    if (v->dx[0] != NULL)
        fmd_average_pool_gradient(&pool, fmd_pass_samples(p), v->dy, v->dx[0]);
}

const fmd_layer_ops fmd_layer_average_pooling2d = {
    .name = "average_pooling2d",
    .keras_class = "AveragePooling2D",
    .help = "the average of each window of an image",
    .example = "average_pooling2d:2x3:same:strides=2x1",
    .example_in = {.rank = 3, .dim = {5, 4, 2}},
    .args_size = sizeof(fmd_pool_args),
    .args = fmd_pool_options,
    .n_args = FMD_POOL_OPTIONS,
    .needs_image = true,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
    .cost = fmd_pooling_cost,
};
