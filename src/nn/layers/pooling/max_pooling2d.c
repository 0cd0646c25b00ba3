#include "nn/pooling.h"

enum { PLACES }; /* saved: where in its window each maximum was */

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    FMD_TRY(fmd_pooling_build(l));
    const fmd_pool p = fmd_pooling_of(l);
    if (p.pool_h * p.pool_w > FMD_MAX_POOL_PLACES)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: a pool of %dx%d has more than %d places: use "
                        "global_max_pooling2d or two layers",
                        l->name, p.pool_h, p.pool_w, FMD_MAX_POOL_PLACES);
    fmd_plan_saved(plan, fmd_shape_count(l->out));
    return FMD_OK;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const fmd_pool pool = fmd_pooling_of(l);
    fmd_max_pool(&pool, fmd_pass_samples(p), v->x[0], v->y, v->saved[PLACES]);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const fmd_pool pool = fmd_pooling_of(l);
    if (v->dx[0] != NULL)
        fmd_max_pool_gradient(&pool, fmd_pass_samples(p), v->dy, v->saved[PLACES], v->dx[0]);
}

const fmd_layer_ops fmd_layer_max_pooling2d = {
    .name = "max_pooling2d",
    .keras_class = "MaxPooling2D",
    .help = "the largest value of each window of an image",
    .example = "max_pooling2d:2x3:same:strides=2x1",
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
