#include "nn/convolution.h"
#include "nn/regularizer.h"

typedef struct args {
    int64_t depth_multiplier;
    fmd_conv_args conv;
    fmd_regularizer regularizer;
} args;

static const fmd_option options[] = {
    FMD_CONV_OPTIONS(args, "depthwise_initializer"),
    {.name = "depth_multiplier",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, depth_multiplier),
     .initial = "1",
     .min = 1,
     .max = 65536,
     .keras = "depth_multiplier",
     .help = "output channels for each input channel"},
    FMD_REGULARIZER_OPTIONS(args, regularizer, "", "depthwise"),
};

static fmd_conv conv_of(const fmd_layer *l)
{
    const args *a = l->args;
    const int channels = l->in[0].dim[2];
    return fmd_convolution_of(l, &a->conv, channels * (int)a->depth_multiplier, channels);
}

/* Kernel (rows, columns, channels, multiplier); output channel = input channel * multiplier + m.
 * The fans are computed as in Keras. */
static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    const int multiplier = (int)a->depth_multiplier;
    FMD_TRY(fmd_layer_check_image(l));
    const int channels = l->in[0].dim[2];
    FMD_TRY(fmd_convolution_build(l, &a->conv, channels * multiplier, channels));
    const fmd_conv c = conv_of(l);
    const double area = c.kernel_h * c.kernel_w;
    fmd_convolution_plan(l, plan, &a->conv, &c,
                         (fmd_param){.name = "kernel",
                                     .shape = {4, {c.kernel_h, c.kernel_w, channels, multiplier}},
                                     .init = (fmd_init)a->conv.init,
                                     .fan_in = area * channels,
                                     .fan_out = area * multiplier,
                                     .regularizer = a->regularizer});
    return FMD_OK;
}

static int fuse(const fmd_layer *l, int n, fmd_plan *plan)
{
    const fmd_conv c = conv_of(l);
    return fmd_convolution_fuse(l, &c, n, plan);
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const fmd_conv c = conv_of(l);
    fmd_convolution_forward(l, p, v, &c);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    const fmd_conv c = conv_of(l);
    fmd_convolution_backward(l, p, v, &c, sink);
}

static fmd_cost cost(const fmd_layer *l, size_t samples)
{
    const fmd_conv c = conv_of(l);
    return fmd_convolution_cost(l, samples, &c);
}

const fmd_layer_ops fmd_layer_depthwise_conv2d = {
    .name = "depthwise_conv2d",
    .keras_class = "DepthwiseConv2D",
    .help = "convolution of each channel of an image by itself",
    .example = "depthwise_conv2d:3x2:same:tanh:depth_multiplier=2",
    .example_in = {.rank = 3, .dim = {4, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .backward = backward,
    .fuse = fuse,
    .cost = cost,
};
