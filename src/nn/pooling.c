#include "nn/pooling.h"

const fmd_option fmd_pool_options[] = {
    {.name = "pool_size",
     .kind = FMD_OPTION_DIMS,
     .size = 2,
     .offset = offsetof(fmd_pool_args, pool_size),
     .initial = "2",
     .min = 1,
     .max = 1024,
     .keras = "pool_size",
     .help = "height and width of a window"},
    {.name = "strides",
     .kind = FMD_OPTION_DIMS,
     .size = 2,
     .offset = offsetof(fmd_pool_args, strides),
     .initial = "0",
     .min = 0,
     .max = 1024,
     .keras = "strides",
     .help = "step of the window; 0: the size of the pool"},
    {.name = "padding",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(fmd_pool_args, padding),
     .initial = "valid",
     .choices = FMD_PADDING_NAMES,
     .keras = "padding",
     .help = "same: windows may reach over the edge of the image"},
};

fmd_pool fmd_pooling_of(const fmd_layer *l)
{
    const fmd_pool_args *a = l->args;
    const fmd_shape *strides = a->strides.dim[0] > 0 ? &a->strides : &a->pool_size;
    fmd_pool p = {.in_h = l->in[0].dim[0],
                  .in_w = l->in[0].dim[1],
                  .channels = l->in[0].dim[2],
                  .pool_h = a->pool_size.dim[0],
                  .pool_w = a->pool_size.dim[1],
                  .stride_h = strides->dim[0],
                  .stride_w = strides->dim[1]};
    fmd_pool_plan(&p, (fmd_padding)a->padding);
    return p;
}

fmd_status fmd_pooling_build(fmd_layer *l)
{
    const fmd_pool_args *a = l->args;
    char shape[FMD_SHAPE_TEXT];
    FMD_TRY(fmd_layer_check_image(l));
    if ((a->strides.dim[0] > 0) != (a->strides.dim[1] > 0))
        return FMD_FAIL(
            FMD_EUSAGE,
            "model: %s: strides must both be above 0, or both 0 for the size of the pool", l->name);
    const fmd_pool p = fmd_pooling_of(l);
    if (p.out_h == 0 || p.out_w == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: a pool of %dx%d does not fit into its input %s: use padding "
                        "same or a smaller pool",
                        l->name, p.pool_h, p.pool_w, fmd_shape_text(l->in[0], 0, shape));
    l->out = (fmd_shape){.rank = 3, .dim = {p.out_h, p.out_w, p.channels}};
    return FMD_OK;
}

fmd_cost fmd_pooling_cost(const fmd_layer *l, size_t samples)
{
    const fmd_pool p = fmd_pooling_of(l);
    const double in = (double)samples * (double)fmd_shape_count(l->in[0]);
    const double out = (double)samples * (double)fmd_shape_count(l->out);
    return (fmd_cost){.forward_flops = out * p.pool_h * p.pool_w,
                      .forward_bytes = sizeof(float) * (in + out),
                      .backward_flops = l->sends_gradient ? out : 0,
                      .backward_bytes = l->sends_gradient ? sizeof(float) * (in + out) : 0};
}

const fmd_option fmd_global_pool_options[] = {
    {.name = "keepdims",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(fmd_global_pool_args, keepdims),
     .initial = "false",
     .keras = "keepdims",
     .help = "the output is an image of one pixel"},
};

fmd_status fmd_global_pooling_build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    const fmd_global_pool_args *a = l->args;
    FMD_TRY(fmd_layer_check_image(l));
    const int channels = l->in[0].dim[2];
    l->out = a->keepdims ? (fmd_shape){.rank = 3, .dim = {1, 1, channels}}
                         : (fmd_shape){.rank = 1, .dim = {channels}};
    return FMD_OK;
}

size_t fmd_image_pixels(const fmd_layer *l)
{
    return (size_t)l->in[0].dim[0] * (size_t)l->in[0].dim[1];
}

size_t fmd_image_channels(const fmd_layer *l)
{
    return (size_t)l->in[0].dim[2];
}
