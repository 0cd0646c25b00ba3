#include "nn/convolution.h"
#include "nn/regularizer.h"

typedef struct args {
    int64_t filters, depth_multiplier;
    int pointwise_init;
    fmd_conv_args conv;
    fmd_regularizer depthwise, pointwise;
} args;

static const fmd_option options[] = {
    {.name = "filters",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, filters),
     .min = 1,
     .max = 65536,
     .keras = "filters",
     .help = "channels of the output"},
    FMD_CONV_OPTIONS(args, "depthwise_initializer"),
    {.name = "depth_multiplier",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, depth_multiplier),
     .initial = "1",
     .min = 1,
     .max = 65536,
     .keras = "depth_multiplier",
     .help = "depthwise channels for each input channel"},
    {.name = "pointwise_init",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, pointwise_init),
     .initial = "glorot_uniform",
     .choices = FMD_INIT_NAMES,
     .keras = "pointwise_initializer",
     .help = "initialiser of the pointwise kernel"},
    FMD_REGULARIZER_OPTIONS(args, depthwise, "", "depthwise"),
    FMD_REGULARIZER_OPTIONS(args, pointwise, "pointwise_", "pointwise"),
};

enum { DEPTHWISE, POINTWISE, BIAS };               /* parameters */
enum { BETWEEN, BETWEEN_GRADIENT, PREACTIVATION }; /* saved; the last only if it is needed */

/* The two convolutions: each channel by itself, then 1 x 1 over all of them. */
typedef struct convolutions {
    fmd_conv depthwise, pointwise;
} convolutions;

static convolutions conv_of(const fmd_layer *l)
{
    const args *a = l->args;
    const int channels = l->in[0].dim[2], between = channels * (int)a->depth_multiplier;
    convolutions c = {.depthwise = fmd_convolution_of(l, &a->conv, between, channels)};
    c.pointwise = (fmd_conv){.in_h = c.depthwise.out_h,
                             .in_w = c.depthwise.out_w,
                             .in_c = between,
                             .out_c = (int)a->filters,
                             .kernel_h = 1,
                             .kernel_w = 1,
                             .stride_h = 1,
                             .stride_w = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1};
    fmd_conv_plan(&c.pointwise, FMD_PADDING_VALID);
    return c;
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    const int multiplier = (int)a->depth_multiplier;
    FMD_TRY(fmd_layer_check_image(l));
    const int channels = l->in[0].dim[2];
    FMD_TRY(fmd_convolution_build(l, &a->conv, channels * multiplier, channels));
    const convolutions c = conv_of(l);
    const fmd_conv *d = &c.depthwise, *p = &c.pointwise;
    const double area = d->kernel_h * d->kernel_w;
    l->out.dim[2] = p->out_c;
    fmd_plan_param(plan, (fmd_param){.name = "depthwise_kernel",
                                     .shape = {4, {d->kernel_h, d->kernel_w, channels, multiplier}},
                                     .init = (fmd_init)a->conv.init,
                                     .fan_in = area * channels,
                                     .fan_out = area * multiplier,
                                     .decays = true,
                                     .regularizer = a->depthwise});
    fmd_plan_param(plan, (fmd_param){.name = "pointwise_kernel",
                                     .shape = {4, {1, 1, p->in_c, p->out_c}},
                                     .init = (fmd_init)a->pointwise_init,
                                     .decays = true,
                                     .regularizer = a->pointwise});
    if (a->conv.bias)
        fmd_plan_param(
            plan, (fmd_param){.name = "bias", .shape = {1, {p->out_c}}, .init = FMD_INIT_zeros});
    const size_t between = (size_t)(p->in_h * p->in_w) * (size_t)p->in_c * sizeof(float);
    fmd_plan_saved(plan, between);
    fmd_plan_saved(plan, between);
    if (l->activation->needs_input)
        fmd_plan_saved(plan, fmd_shape_count(l->out) * sizeof(float));
    fmd_plan_workspace(plan, fmd_convolve_workspace(d));
    fmd_plan_workspace(plan, fmd_convolve_workspace(p));
    return FMD_OK;
}

static size_t pixels_of(const fmd_layer *l)
{
    return (size_t)l->out.dim[0] * (size_t)l->out.dim[1];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    const convolutions c = conv_of(l);
    const size_t n = fmd_pass_samples(p);
    float *z = l->activation->needs_input ? v->saved[PREACTIVATION] : v->y;
    fmd_convolve(&c.depthwise, n, v->x[0], l->param[DEPTHWISE], NULL, false, v->workspace,
                 v->saved[BETWEEN]);
    fmd_convolve(&c.pointwise, n, v->saved[BETWEEN], l->param[POINTWISE],
                 a->conv.bias ? l->param[BIAS] : NULL, false, v->workspace, z);
    l->activation->forward(n * pixels_of(l), (size_t)a->filters, z, v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const convolutions c = conv_of(l);
    if (l->activation->backward != NULL) {
        const float *z = l->activation->needs_input ? v->saved[PREACTIVATION] : NULL;
        l->activation->backward(fmd_pass_samples(p) * pixels_of(l), (size_t)a->filters, z, v->y,
                                v->dy);
    }
    if (a->conv.bias)
        fmd_bias_gradient(p, pixels_of(l), (size_t)a->filters, v->dy, l->first_tensor + BIAS, sink);
    fmd_convolve_gradients(&c.pointwise, p, v->saved[BETWEEN], l->param[POINTWISE],
                           l->first_tensor + POINTWISE, v->dy, v->saved[BETWEEN_GRADIENT],
                           v->workspace, sink);
    fmd_convolve_gradients(&c.depthwise, p, v->x[0], l->param[DEPTHWISE],
                           l->first_tensor + DEPTHWISE, v->saved[BETWEEN_GRADIENT], v->dx[0],
                           v->workspace, sink);
}

static fmd_cost cost(const fmd_layer *l, size_t samples)
{
    const convolutions c = conv_of(l);
    const double depthwise = (double)samples * fmd_convolution_flops(&c.depthwise);
    fmd_cost sum = fmd_convolution_cost(l, samples, &c.pointwise);
    sum.forward_flops += depthwise;
    sum.backward_flops += depthwise * (l->sends_gradient ? 2 : 1);
    return sum;
}

const fmd_layer_ops fmd_layer_separable_conv2d = {
    .name = "separable_conv2d",
    .keras_class = "SeparableConv2D",
    .help = "depthwise convolution, then one of 1 x 1 over all channels",
    .example = "separable_conv2d:3:2x3:same:tanh:depth_multiplier=2",
    .example_in = {.rank = 3, .dim = {4, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
