#include "math/conv/pool.h"
#include "nn/convolution.h"

typedef struct args {
    bool keepdims;
} args;

static const fmd_option options[] = {
    {.name = "keepdims",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, keepdims),
     .initial = "false",
     .keras = "keepdims",
     .help = "the output is an image of one pixel"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    const args *a = l->args;
    FMD_TRY(fmd_layer_check_image(l));
    const int channels = l->in[0].dim[2];
    l->out = a->keepdims ? (fmd_shape){.rank = 3, .dim = {1, 1, channels}}
                         : (fmd_shape){.rank = 1, .dim = {channels}};
    return FMD_OK;
}

static size_t pixels_of(const fmd_layer *l)
{
    return (size_t)l->in[0].dim[0] * (size_t)l->in[0].dim[1];
}

static size_t channels_of(const fmd_layer *l)
{
    return (size_t)l->in[0].dim[2];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    fmd_global_max(fmd_pass_samples(p), pixels_of(l), channels_of(l), v->x[0], v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] != NULL)
        fmd_global_max_gradient(fmd_pass_samples(p), pixels_of(l), channels_of(l), v->x[0], v->y,
                                v->dy, v->dx[0]);
}

const fmd_layer_ops fmd_layer_global_max_pooling2d = {
    .name = "global_max_pooling2d",
    .keras_class = "GlobalMaxPooling2D",
    .help = "the largest value of each channel of an image",
    .example = "global_max_pooling2d",
    .example_in = {.rank = 3, .dim = {3, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
