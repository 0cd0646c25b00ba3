#include "io/forward/forward.h"

#include "base/mem.h"
#include "nn/activations/activation.h"
#include "nn/convolution.h"
#include "nn/pooling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An array that the list owns. */
struct fmd_forward_memory {
    struct fmd_forward_memory *next;
    float values[];
};

/* A list under construction. */
typedef struct builder {
    fmd_forward *f;
    const fmd_layer *layer; /* the present one */
    int *values;            /* of each layer: the number of its value */
    int *consumers;         /* of each layer: how many inputs it is */
    int *inputs;            /* of the present layer */
    bool fold;
    fmd_status status;
} builder;

/* Zeroed memory of the list; NULL: out of memory. */
static void *keep(builder *b, size_t bytes)
{
    struct fmd_forward_memory *m = NULL;
    if (b->status == FMD_OK)
        b->status = fmd_alloc(&m, 1, sizeof *m + bytes, "the exported model");
    if (b->status != FMD_OK)
        return NULL;
    m->next = b->f->memory;
    b->f->memory = m;
    return m->values;
}

/* The field of an argument of the layer. */
static const void *argument(const fmd_layer *l, const char *name)
{
    const fmd_option *o = fmd_option_find(l->ops->args, l->ops->n_args, name);
    return (const char *)l->args + o->offset;
}

static int int_of(const fmd_layer *l, const char *name)
{
    return (int)*(const int64_t *)argument(l, name);
}

static double real_of(const fmd_layer *l, const char *name)
{
    return *(const double *)argument(l, name);
}

static bool bool_of(const fmd_layer *l, const char *name)
{
    return *(const bool *)argument(l, name);
}

/* Appends an operation on the `n` values `inputs`, whose shapes are `in`. Returns it, and makes it
 * the value of the layer. */
static fmd_forward_op *append(builder *b, fmd_forward_kind kind, int n, const int *inputs,
                              const fmd_shape *in, fmd_shape out)
{
    const fmd_layer *l = b->layer;
    fmd_forward_op *op = &b->f->ops[b->f->n];
    int *numbers = keep(b, (size_t)n * sizeof *numbers);
    fmd_shape *shapes = keep(b, (size_t)n * sizeof *shapes);
    *op = (fmd_forward_op){.kind = kind, .layer = l, .n_inputs = n, .out = out};
    if (b->status == FMD_OK) {
        memcpy(numbers, inputs, (size_t)n * sizeof *numbers);
        memcpy(shapes, in, (size_t)n * sizeof *shapes);
    }
    op->inputs = numbers;
    op->in = shapes;
    b->values[l->index] = (int)b->f->n++;
    return op;
}

/* The first operation of the layer. */
static fmd_forward_op *begin(builder *b, fmd_forward_kind kind)
{
    const fmd_layer *l = b->layer;
    return append(b, kind, l->n_inputs, b->inputs, l->in, l->out);
}

/* A further one, on the result of the one before. */
static fmd_forward_op *go_on(builder *b, fmd_forward_kind kind, fmd_shape out)
{
    const int last = (int)b->f->n - 1;
    const fmd_shape in = b->f->ops[last].out;
    return append(b, kind, 1, &last, &in, out);
}

static void activate(builder *b)
{
    const fmd_activation *a = b->layer->activation;
    if (a != fmd_activation_at(0))
        go_on(b, FMD_FORWARD_ACTIVATION, b->layer->out)->function = a->name;
    if (a == &fmd_activation_leaky_relu)
        b->f->ops[b->f->n - 1].slope = 0.2f;
}

static void lower_nothing(builder *b)
{
    b->values[b->layer->index] = b->inputs[0];
}

static void lower_reshape(builder *b)
{
    begin(b, FMD_FORWARD_RESHAPE);
}

static void lower_activation(builder *b)
{
    const fmd_activation *a = b->layer->activation;
    if (a == fmd_activation_at(0)) {
        lower_nothing(b);
        return;
    }
    fmd_forward_op *op = begin(b, FMD_FORWARD_ACTIVATION);
    op->function = a->name;
    op->slope = 0.2f;
}

static void lower_relu(builder *b)
{
    begin(b, FMD_FORWARD_ACTIVATION)->function = "relu";
}

static void lower_leaky_re_lu(builder *b)
{
    fmd_forward_op *op = begin(b, FMD_FORWARD_ACTIVATION);
    op->function = "leaky_relu";
    op->slope = (float)real_of(b->layer, "negative_slope");
}

static void lower_dense(builder *b)
{
    fmd_forward_op *op = begin(b, FMD_FORWARD_DENSE);
    op->kernel = b->layer->param[0];
    op->bias = bool_of(b->layer, "bias") ? b->layer->param[1] : NULL;
    activate(b);
}

static fmd_conv_args conv_args(const fmd_layer *l)
{
    return (fmd_conv_args){.kernel_size = *(const fmd_shape *)argument(l, "kernel_size"),
                           .strides = *(const fmd_shape *)argument(l, "strides"),
                           .dilation_rate = *(const fmd_shape *)argument(l, "dilation_rate"),
                           .padding = *(const int *)argument(l, "padding")};
}

static void set_conv(fmd_forward_op *op, fmd_conv c, const float *kernel)
{
    op->conv = c;
    op->columns_last = fmd_conv_columns_last(&c);
    op->kernel = kernel;
}

static void lower_conv2d(builder *b)
{
    const fmd_layer *l = b->layer;
    const fmd_conv_args args = conv_args(l);
    fmd_forward_op *op = begin(b, FMD_FORWARD_CONVOLUTION);
    set_conv(op, fmd_convolution_of(l, &args, l->out.dim[2], int_of(l, "groups")), l->param[0]);
    op->bias = bool_of(l, "bias") ? l->param[1] : NULL;
    activate(b);
}

static void lower_depthwise_conv2d(builder *b)
{
    const fmd_layer *l = b->layer;
    const fmd_conv_args args = conv_args(l);
    fmd_forward_op *op = begin(b, FMD_FORWARD_CONVOLUTION);
    set_conv(op, fmd_convolution_of(l, &args, l->out.dim[2], l->in[0].dim[2]), l->param[0]);
    op->bias = bool_of(l, "bias") ? l->param[1] : NULL;
    activate(b);
}

static void lower_separable_conv2d(builder *b)
{
    const fmd_layer *l = b->layer;
    const fmd_conv_args args = conv_args(l);
    const int channels = l->in[0].dim[2], between = channels * int_of(l, "depth_multiplier");
    fmd_forward_op *op = begin(b, FMD_FORWARD_CONVOLUTION);
    op->out.dim[2] = between;
    set_conv(op, fmd_convolution_of(l, &args, between, channels), l->param[0]);
    fmd_conv pointwise = {.in_h = l->out.dim[0],
                          .in_w = l->out.dim[1],
                          .in_c = between,
                          .out_c = l->out.dim[2],
                          .kernel_h = 1,
                          .kernel_w = 1,
                          .stride_h = 1,
                          .stride_w = 1,
                          .dilation_h = 1,
                          .dilation_w = 1,
                          .groups = 1};
    fmd_conv_plan(&pointwise, FMD_PADDING_VALID);
    op = go_on(b, FMD_FORWARD_CONVOLUTION, l->out);
    set_conv(op, pointwise, l->param[1]);
    op->bias = bool_of(l, "bias") ? l->param[2] : NULL;
    activate(b);
}

/* The operation that a batch normalization can become a part of, or NULL. Nothing else may need its
 * result. */
static fmd_forward_op *fold_target(builder *b)
{
    if (!b->fold || b->inputs[0] < 0)
        return NULL;
    const fmd_model *m = b->f->model;
    const fmd_layer *l = b->layer;
    fmd_forward_op *op = &b->f->ops[b->inputs[0]];
    /* Back over layers that have no effect. */
    for (int i = l->inputs[0]; i >= 0; i = fmd_model_layer(m, (size_t)i)->inputs[0]) {
        if (b->consumers[i] != 1)
            return NULL;
        if (fmd_model_layer(m, (size_t)i) == op->layer)
            break;
    }
    return op->kind == FMD_FORWARD_CONVOLUTION || op->kind == FMD_FORWARD_DENSE ? op : NULL;
}

/* kernel' = kernel f, bias' = (bias - mean) f + beta with f = gamma / sqrt(variance + epsilon). */
static void fold_into(builder *b, fmd_forward_op *op, const fmd_forward_op *norm)
{
    const size_t c = (size_t)op->out.dim[op->out.rank - 1];
    const size_t rows = op->kind == FMD_FORWARD_DENSE
                            ? (size_t)op->in[0].dim[op->in[0].rank - 1]
                            : (size_t)(op->conv.kernel_h * op->conv.kernel_w) *
                                  (size_t)(op->conv.in_c / op->conv.groups);
    float *kernel = keep(b, rows * c * sizeof *kernel), *bias = keep(b, c * sizeof *bias);
    for (size_t j = 0; j < c && b->status == FMD_OK; j++) {
        const double gamma = norm->gamma != NULL ? (double)norm->gamma[j] : 1;
        const double beta = norm->beta != NULL ? (double)norm->beta[j] : 0;
        const double factor = gamma / sqrt((double)norm->variance[j] + norm->epsilon);
        const double old = op->bias != NULL ? (double)op->bias[j] : 0;
        bias[j] = (float)((old - (double)norm->mean[j]) * factor + beta);
        for (size_t i = 0; i < rows; i++)
            kernel[i * c + j] = (float)((double)op->kernel[i * c + j] * factor);
    }
    op->kernel = kernel;
    op->bias = bias;
}

static void lower_batch_normalization(builder *b)
{
    const fmd_layer *l = b->layer;
    const bool scale = bool_of(l, "scale");
    const fmd_forward_op norm = {.gamma = scale ? l->param[0] : NULL,
                                 .beta = bool_of(l, "center") ? l->param[scale ? 1 : 0] : NULL,
                                 .mean = l->state[0],
                                 .variance = l->state[1],
                                 .epsilon = real_of(l, "epsilon")};
    fmd_forward_op *op = fold_target(b);
    if (op != NULL) {
        fold_into(b, op, &norm);
        lower_nothing(b);
        return;
    }
    op = begin(b, FMD_FORWARD_BATCH_NORMALIZATION);
    op->gamma = norm.gamma;
    op->beta = norm.beta;
    op->mean = norm.mean;
    op->variance = norm.variance;
    op->epsilon = norm.epsilon;
}

static void lower_layer_normalization(builder *b)
{
    const fmd_layer *l = b->layer;
    const bool scale = bool_of(l, "scale");
    fmd_forward_op *op = begin(b, FMD_FORWARD_LAYER_NORMALIZATION);
    op->gamma = scale ? l->param[0] : NULL;
    op->beta = bool_of(l, "center") ? l->param[scale ? 1 : 0] : NULL;
    op->epsilon = real_of(l, "epsilon");
    op->axes = ((const fmd_shape *)argument(l, "axis"))->rank;
}

static void lower_normalization(builder *b)
{
    const fmd_layer *l = b->layer;
    const size_t c = (size_t)l->out.dim[l->out.rank - 1];
    const fmd_numbers *mean = argument(l, "mean"), *variance = argument(l, "variance");
    fmd_forward_op *op = begin(b, FMD_FORWARD_NORMALIZATION);
    float *means = keep(b, c * sizeof *means), *deviations = keep(b, c * sizeof *deviations);
    for (size_t i = 0; i < c && b->status == FMD_OK; i++) {
        const double root = sqrt(variance->at[variance->n == 1 ? 0 : i]);
        means[i] = (float)mean->at[mean->n == 1 ? 0 : i];
        deviations[i] = root > 1e-7 ? (float)root : 1e-7f;
    }
    op->means = means;
    op->deviations = deviations;
}

static void lower_rescaling(builder *b)
{
    fmd_forward_op *op = begin(b, FMD_FORWARD_RESCALING);
    op->scale = (float)real_of(b->layer, "scale");
    op->offset = (float)real_of(b->layer, "offset");
}

static void lower_max_pooling2d(builder *b)
{
    begin(b, FMD_FORWARD_MAX_POOL)->pool = fmd_pooling_of(b->layer);
}

static void lower_average_pooling2d(builder *b)
{
    begin(b, FMD_FORWARD_AVERAGE_POOL)->pool = fmd_pooling_of(b->layer);
}

static void lower_global_average_pooling2d(builder *b)
{
    begin(b, FMD_FORWARD_GLOBAL_AVERAGE);
}

static void lower_global_max_pooling2d(builder *b)
{
    begin(b, FMD_FORWARD_GLOBAL_MAX);
}

static void lower_add(builder *b)
{
    begin(b, FMD_FORWARD_ADD);
}

static void lower_concatenate(builder *b)
{
    const int axis = int_of(b->layer, "axis");
    begin(b, FMD_FORWARD_CONCATENATE)->axis = axis < 0 ? b->layer->in[0].rank + axis : axis - 1;
}

static void set_border(fmd_forward_op *op, int top, int left)
{
    op->border.top = top;
    op->border.left = left;
    op->border.bottom = op->out.dim[0] - op->in[0].dim[0] - top;
    op->border.right = op->out.dim[1] - op->in[0].dim[1] - left;
}

static void lower_zero_padding2d(builder *b)
{
    const fmd_shape *p = argument(b->layer, "padding");
    fmd_forward_op *op = begin(b, FMD_FORWARD_BORDER);
    if (b->status == FMD_OK)
        set_border(op, p->dim[0], p->rank == 4 ? p->dim[2] : p->dim[p->rank - 1]);
}

/* In evaluation the box in the middle. */
static void lower_random_crop(builder *b)
{
    const fmd_layer *l = b->layer;
    fmd_forward_op *op = begin(b, FMD_FORWARD_BORDER);
    if (b->status == FMD_OK)
        set_border(op, -((l->in[0].dim[0] - l->out.dim[0]) / 2),
                   -((l->in[0].dim[1] - l->out.dim[1]) / 2));
}

static const struct {
    const char *name;
    void (*lower)(builder *b);
} lowerings[] = {
    {"dense", lower_dense},
    {"flatten", lower_reshape},
    {"dropout", lower_nothing},
    {"activation", lower_activation},
    {"relu", lower_relu},
    {"leaky_re_lu", lower_leaky_re_lu},
    {"softmax", lower_activation},
    {"reshape", lower_reshape},
    {"add", lower_add},
    {"concatenate", lower_concatenate},
    {"batch_normalization", lower_batch_normalization},
    {"conv2d", lower_conv2d},
    {"depthwise_conv2d", lower_depthwise_conv2d},
    {"separable_conv2d", lower_separable_conv2d},
    {"max_pooling2d", lower_max_pooling2d},
    {"average_pooling2d", lower_average_pooling2d},
    {"global_average_pooling2d", lower_global_average_pooling2d},
    {"global_max_pooling2d", lower_global_max_pooling2d},
    {"zero_padding2d", lower_zero_padding2d},
    {"layer_normalization", lower_layer_normalization},
    {"spatial_dropout2d", lower_nothing},
    {"rescaling", lower_rescaling},
    {"normalization", lower_normalization},
    {"random_flip", lower_nothing},
    {"random_translation", lower_nothing},
    {"random_crop", lower_random_crop},
    {"random_erasing", lower_nothing},
};

static void lower(builder *b, const fmd_layer *l)
{
    b->layer = l;
    for (int i = 0; i < l->n_inputs; i++)
        b->inputs[i] = l->inputs[i] < 0 ? FMD_FORWARD_INPUT : b->values[l->inputs[i]];
    for (size_t i = 0; i < sizeof lowerings / sizeof *lowerings; i++)
        if (strcmp(lowerings[i].name, l->ops->name) == 0) {
            lowerings[i].lower(b);
            return;
        }
    b->status = FMD_FAIL(FMD_EINTERNAL, "export: no form for the layer %s", l->name);
}

/* The softmax that the model leaves to the loss. The last layers may have no effect. */
static void end_in_softmax(builder *b, const fmd_layer *last)
{
    const int value = b->values[last->index];
    b->layer = last;
    append(b, FMD_FORWARD_ACTIVATION, 1, &value, &last->out, last->out)->function = "softmax";
}

fmd_status fmd_forward_create(fmd_forward *f, const fmd_model *m, bool fold)
{
    enum { MOST = 3 }; /* operations of a layer */
    const size_t n = fmd_model_n_layers(m);
    int most = 1;
    *f = (fmd_forward){.model = m, .in = fmd_model_in(m)};
    builder b = {.f = f, .fold = fold};
    for (size_t i = 0; i < n; i++)
        most = fmd_model_layer(m, i)->n_inputs > most ? fmd_model_layer(m, i)->n_inputs : most;
    FMD_TRY(fmd_alloc(&f->ops, MOST * n + 1, sizeof *f->ops, "the exported model"));
    b.values = keep(&b, n * sizeof *b.values);
    b.consumers = keep(&b, n * sizeof *b.consumers);
    b.inputs = keep(&b, (size_t)most * sizeof *b.inputs);
    for (size_t i = 0; i < n && b.status == FMD_OK; i++)
        for (int k = 0; k < fmd_model_layer(m, i)->n_inputs; k++)
            if (fmd_model_layer(m, i)->inputs[k] >= 0)
                b.consumers[fmd_model_layer(m, i)->inputs[k]]++;
    for (size_t i = 0; i < n && b.status == FMD_OK; i++)
        lower(&b, fmd_model_layer(m, i));
    if (b.status == FMD_OK)
        end_in_softmax(&b, fmd_model_layer(m, n - 1));
    return b.status;
}

void fmd_forward_free(fmd_forward *f)
{
    while (f->memory != NULL) {
        struct fmd_forward_memory *next = f->memory->next;
        free(f->memory);
        f->memory = next;
    }
    free(f->ops);
    *f = (fmd_forward){.n = 0};
}
