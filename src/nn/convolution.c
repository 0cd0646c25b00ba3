#include "nn/convolution.h"

#include "math/bf16/bf16.h"
#include "math/bf16/im2col.h"
#include "math/vec.h"
#include "nn/pooling.h"

#include <string.h>

fmd_conv fmd_convolution_of(const fmd_layer *l, const fmd_conv_args *a, int filters, int groups)
{
    fmd_conv c = {.in_h = l->in[0].dim[0],
                  .in_w = l->in[0].dim[1],
                  .in_c = l->in[0].dim[2],
                  .out_c = filters,
                  .kernel_h = a->kernel_size.dim[0],
                  .kernel_w = a->kernel_size.dim[1],
                  .stride_h = a->strides.dim[0],
                  .stride_w = a->strides.dim[1],
                  .dilation_h = a->dilation_rate.dim[0],
                  .dilation_w = a->dilation_rate.dim[1],
                  .groups = groups};
    fmd_conv_plan(&c, (fmd_padding)a->padding);
    return c;
}

fmd_status fmd_convolution_build(fmd_layer *l, const fmd_conv_args *a, int filters, int groups)
{
    const bool strided = a->strides.dim[0] > 1 || a->strides.dim[1] > 1;
    const bool dilated = a->dilation_rate.dim[0] > 1 || a->dilation_rate.dim[1] > 1;
    char shape[FMD_SHAPE_TEXT];
    FMD_TRY(fmd_layer_check_image(l));
    if (strided && dilated)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: strides=%dx%d and dilation_rate=%dx%d exclude each other, "
                        "as in Keras: leave one of them at 1; the input is %s",
                        l->name, a->strides.dim[0], a->strides.dim[1], a->dilation_rate.dim[0],
                        a->dilation_rate.dim[1], fmd_shape_text(l->in[0], 0, shape));
    if (l->in[0].dim[2] % groups != 0 || filters % groups != 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: groups=%d must divide the channels of its input %s, here "
                        "%d, and the filters, here %d: choose a common divisor",
                        l->name, groups, fmd_shape_text(l->in[0], 0, shape), l->in[0].dim[2],
                        filters);
    const fmd_conv c = fmd_convolution_of(l, a, filters, groups);
    if (c.out_h == 0 || c.out_w == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: a kernel of %dx%d does not fit into its input %s: use "
                        "padding same or a smaller kernel",
                        l->name, c.kernel_h, c.kernel_w, fmd_shape_text(l->in[0], 0, shape));
    l->activation = fmd_activation_at(a->activation);
    l->out = (fmd_shape){.rank = 3, .dim = {c.out_h, c.out_w, c.out_c}};
    return FMD_OK;
}

enum { KERNEL, BIAS };  /* parameters of a layer that is one convolution */
enum { PREACTIVATION }; /* saved, only where the activation needs it */
enum { PLACES };        /* saved where a pooling is fused: its own */

void fmd_convolution_plan(const fmd_layer *l, fmd_plan *plan, const fmd_conv_args *a,
                          const fmd_conv *c, fmd_param kernel)
{
    kernel.decays = true;
    fmd_plan_param(plan, kernel);
    if (a->bias)
        fmd_plan_param(
            plan, (fmd_param){.name = "bias", .shape = {1, {c->out_c}}, .init = FMD_INIT_zeros});
    if (l->activation->needs_input)
        fmd_plan_saved(plan, fmd_shape_count(l->out) * sizeof(float));
    fmd_plan_workspace(plan, fmd_convolve_workspace(c));
}

static size_t pixels_of(const fmd_conv *c)
{
    return (size_t)c->out_h * (size_t)c->out_w;
}

static float *packed_of(const fmd_values *v)
{
    return v->workspace;
}

/* Packed weights lie in front of the scratch memory. */
static size_t packed_floats(const fmd_conv *c)
{
    const size_t forward = fmd_conv_packed_floats(c), input = fmd_conv_input_packed_floats(c);
    return ((forward > input ? forward : input) + 15) / 16 * 16;
}

static bool is_linear(const fmd_layer *l)
{
    return l->activation == fmd_activation_at(0);
}

static bool is_relu(const fmd_layer *l)
{
    return strcmp(l->ops->name, "relu") == 0 ||
           (strcmp(l->ops->name, "activation") == 0 && l->activation == &fmd_activation_relu);
}

static bool is_pool(const fmd_layer *l)
{
    return strcmp(l->ops->name, "max_pooling2d") == 0;
}

int fmd_convolution_fuse(const fmd_layer *l, const fmd_conv *c, int n, fmd_plan *plan)
{
    const int fused = n > 0 && is_linear(l) && is_relu(l + 1);
    if (fused == n || fmd_bf16_is_on() || !is_pool(l + fused + 1) ||
        (!is_linear(l) && l->activation != &fmd_activation_relu))
        return fused;
    const fmd_pool p = fmd_pooling_of(l + fused + 1);
    if (!fmd_conv_fuses_pool(c, &p))
        return fused;
    fmd_plan_workspace(plan,
                       (packed_floats(c) + fmd_conv_pool_scratch_floats(c, &p)) * sizeof(float));
    return fused + 1;
}

/* The activation, which may be a fused layer. */
static const fmd_activation *activation_of(const fmd_layer *l)
{
    return l->n_fused > 0 && is_relu(l + 1) ? &fmd_activation_relu : l->activation;
}

static bool is_pooled(const fmd_layer *l)
{
    return l->n_fused > 0 && is_pool(l + l->n_fused);
}

static const float *bias_of(const fmd_layer *l)
{
    return l->n_tensors > BIAS ? l->param[BIAS] : NULL;
}

static void forward_pooled(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                           const fmd_conv *c)
{
    const fmd_pool pool = fmd_pooling_of(l + l->n_fused);
    fmd_conv_pack(c, l->param[KERNEL], packed_of(v));
    fmd_conv_forward_pooled(c, &pool, fmd_pass_samples(p), v->x[0], packed_of(v), bias_of(l),
                            activation_of(l) == &fmd_activation_relu,
                            packed_of(v) + packed_floats(c), v->y, v->saved[PLACES]);
}

static size_t kernel_count(const fmd_conv *c)
{
    return (size_t)(c->kernel_h * c->kernel_w * (c->in_c / c->groups)) * (size_t)c->out_c;
}

/* The derivative of relu is that at the maxima. */
static void backward_pooled(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                            const fmd_conv *c, const fmd_gradient_sink *sink)
{
    const fmd_pool pool = fmd_pooling_of(l + l->n_fused);
    const size_t n = (size_t)p->microbatch_size, channels = (size_t)c->out_c;
    const size_t in = n * fmd_shape_count(l->in[0]), out = n * fmd_shape_count(l[l->n_fused].out);
    const uint8_t *places = v->saved[PLACES];
    if (activation_of(l) == &fmd_activation_relu)
        activation_of(l)->backward((size_t)p->microbatches * out / channels, channels, NULL, v->y,
                                   v->dy);
    if (v->dx[0] != NULL)
        fmd_conv_input_pack(c, l->param[KERNEL], packed_of(v));
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        if (bias_of(l) != NULL) {
            float *sum = sink->begin(sink->self, l->first_tensor + BIAS, 0, channels);
            fmd_max_pool_gradient_sums(&pool, n, v->dy + i * out, places + i * out, sum);
            sink->commit(sink->self, l->first_tensor + BIAS, 0, channels);
        }
        float *sum = sink->begin(sink->self, l->first_tensor + KERNEL, 0, kernel_count(c));
        fmd_conv_gradients_pooled(c, &pool, n, v->x[0] + i * in, v->dy + i * out, places + i * out,
                                  packed_of(v), packed_of(v) + packed_floats(c), sum,
                                  v->dx[0] != NULL ? v->dx[0] + i * in : NULL);
        sink->commit(sink->self, l->first_tensor + KERNEL, 0, kernel_count(c));
    }
}

void fmd_convolution_forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                             const fmd_conv *c)
{
    if (is_pooled(l)) {
        forward_pooled(l, p, v, c);
        return;
    }
    const size_t n = fmd_pass_samples(p);
    const fmd_activation *activation = activation_of(l);
    const bool relu = activation == &fmd_activation_relu;
    float *z = activation->needs_input ? v->saved[PREACTIVATION] : v->y;
    fmd_convolve(c, n, v->x[0], l->param[KERNEL], bias_of(l), relu, v->workspace, z);
    if (!relu)
        activation->forward(n * pixels_of(c), (size_t)c->out_c, z, v->y);
}

void fmd_convolution_backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                              const fmd_conv *c, const fmd_gradient_sink *sink)
{
    if (is_pooled(l)) {
        backward_pooled(l, p, v, c, sink);
        return;
    }
    const size_t rows = fmd_pass_samples(p) * pixels_of(c);
    const fmd_activation *activation = activation_of(l);
    if (activation->backward != NULL) {
        const float *z = activation->needs_input ? v->saved[PREACTIVATION] : NULL;
        activation->backward(rows, (size_t)c->out_c, z, v->y, v->dy);
    }
    if (bias_of(l) != NULL)
        fmd_bias_gradient(p, pixels_of(c), (size_t)c->out_c, v->dy, l->first_tensor + BIAS, sink);
    fmd_convolve_gradients(c, p, v->x[0], l->param[KERNEL], l->first_tensor + KERNEL, v->dy,
                           v->dx[0], v->workspace, sink);
}

fmd_cost fmd_convolution_cost(const fmd_layer *l, size_t samples, const fmd_conv *c)
{
    const double n = (double)samples, product = n * fmd_convolution_flops(c);
    const double values = (double)fmd_shape_count(l->in[0]) + (double)fmd_shape_count(l->out);
    const double bytes = n * sizeof(float) * values;
    const double gradients = l->sends_gradient ? 2 : 1;
    return (fmd_cost){.forward_flops = product,
                      .forward_bytes = bytes,
                      .backward_flops = product * gradients,
                      .backward_bytes = bytes * gradients};
}

size_t fmd_convolve_workspace(const fmd_conv *c)
{
    const size_t floats = packed_floats(c) + fmd_conv_scratch_floats(c),
                 bf16 = fmd_bf16_conv_scratch_floats(c);
    return (floats > bf16 ? floats : bf16) * sizeof(float);
}

void fmd_convolve(const fmd_conv *c, size_t n, const float *x, const float *kernel,
                  const float *bias, bool relu, void *workspace, float *y)
{
    float *packed = workspace, *scratch = packed + packed_floats(c);
    if (fmd_bf16_is_on() && fmd_bf16_has(c)) {
        fmd_bf16_conv_forward(c, n, x, kernel, bias, relu, workspace, y);
        return;
    }
    fmd_conv_pack(c, kernel, packed);
    fmd_conv_forward(c, n, x, packed, bias, relu, scratch, y);
}

void fmd_convolve_gradients(const fmd_conv *c, const fmd_pass *p, const float *x,
                            const float *kernel, size_t tensor, const float *dy, float *dx,
                            void *workspace, const fmd_gradient_sink *sink)
{
    const bool bf16 = fmd_bf16_is_on() && fmd_bf16_has(c);
    float *packed = workspace, *scratch = packed + packed_floats(c);
    const size_t n = (size_t)p->microbatch_size;
    const size_t in = n * (size_t)(c->in_h * c->in_w * c->in_c);
    const size_t out = n * (size_t)(c->out_h * c->out_w * c->out_c);
    const size_t count = kernel_count(c);
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        float *sum = sink->begin(sink->self, tensor, 0, count);
        if (bf16)
            fmd_bf16_conv_weight_gradient(c, n, x + i * in, dy + i * out, workspace, sum);
        else
            fmd_conv_weight_gradient(c, n, x + i * in, dy + i * out, scratch, sum);
        sink->commit(sink->self, tensor, 0, count);
    }
    if (dx == NULL)
        return;
    if (bf16) {
        fmd_bf16_conv_input_gradient(c, fmd_pass_samples(p), dy, kernel, workspace, dx);
        return;
    }
    fmd_conv_input_pack(c, kernel, packed);
    fmd_conv_input_gradient(c, fmd_pass_samples(p), dy, packed, scratch, dx);
}

void fmd_bias_gradient(const fmd_pass *p, size_t pixels, size_t channels, const float *dy,
                       size_t tensor, const fmd_gradient_sink *sink)
{
    const size_t rows = (size_t)p->microbatch_size * pixels;
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        float *sum = sink->begin(sink->self, tensor, 0, channels);
        fmd_sum_rows(rows, channels, dy + i * rows * channels, sum);
        sink->commit(sink->self, tensor, 0, channels);
    }
}

double fmd_convolution_flops(const fmd_conv *c)
{
    const int group_c = c->in_c / c->groups;
    return 2.0 * c->out_h * c->out_w * c->out_c * c->kernel_h * c->kernel_w * group_c;
}
