#include "nn/convolution.h"
#include "nn/regularizer.h"

typedef struct args {
    int64_t filters, groups;
    fmd_conv_args conv;
    fmd_regularizer regularizer;
} args;

static const fmd_option options[] = {
    {.name = "filters",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, filters),
     .min = 1,
     .max = 65536,
     .keras = "filters",
     .help = "channels of the output"},
    FMD_CONV_OPTIONS(args, "kernel_initializer"),
    {.name = "groups",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, groups),
     .initial = "1",
     .min = 1,
     .max = 65536,
     .keras = "groups",
     .help = "groups of channels that are convolved apart"},
    FMD_REGULARIZER_OPTIONS(args, regularizer, "", "kernel"),
};

static fmd_conv conv_of(const fmd_layer *l)
{
    const args *a = l->args;
    return fmd_convolution_of(l, &a->conv, (int)a->filters, (int)a->groups);
}

/* Kernel (rows, columns, input channels of a group, filters), bias (filters). */
static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    FMD_TRY(fmd_convolution_build(l, &a->conv, (int)a->filters, (int)a->groups));
    const fmd_conv c = conv_of(l);
    const int in = c.in_c / c.groups;
    const double area = c.kernel_h * c.kernel_w;
    fmd_convolution_plan(l, plan, &a->conv, &c,
                         (fmd_param){.name = "kernel",
                                     .shape = {4, {c.kernel_h, c.kernel_w, in, c.out_c}},
                                     .init = (fmd_init)a->conv.init,
                                     .fan_in = area * in,
                                     .fan_out = area * c.out_c,
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

const fmd_layer_ops fmd_layer_conv2d = {
    .name = "conv2d",
    .keras_class = "Conv2D",
    .help = "convolution of an image",
    .example = "conv2d:3:3x2:same:tanh:strides=2x1",
    .example_in = {.rank = 3, .dim = {5, 4, 2}},
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
