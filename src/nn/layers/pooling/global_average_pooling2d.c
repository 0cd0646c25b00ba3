#include "nn/pooling.h"

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    fmd_global_average(fmd_pass_samples(p), fmd_image_pixels(l), fmd_image_channels(l), v->x[0],
                       v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] != NULL)
        fmd_global_average_gradient(fmd_pass_samples(p), fmd_image_pixels(l), fmd_image_channels(l),
                                    v->dy, v->dx[0]);
}

const fmd_layer_ops fmd_layer_global_average_pooling2d = {
    .name = "global_average_pooling2d",
    .keras_class = "GlobalAveragePooling2D",
    .help = "the average of each channel of an image",
    .example = "global_average_pooling2d",
    .example_in = {.rank = 3, .dim = {3, 4, 2}},
    .args_size = sizeof(fmd_global_pool_args),
    .args = fmd_global_pool_options,
    .n_args = FMD_GLOBAL_POOL_OPTIONS,
    .needs_image = true,
    .forgets_x = true,
    .forgets_y = true,
    .build = fmd_global_pooling_build,
    .forward = forward,
    .backward = backward,
};
