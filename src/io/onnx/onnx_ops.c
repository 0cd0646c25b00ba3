#include "io/onnx/onnx_private.h"

#include <string.h>

static char *node(fmd_onnx_writer *w, const char *type, char *x, char *y, char *z)
{
    return fmd_onnx_node(&w->b, w->layer, type, x, y, z)->name;
}

static char *reshape(fmd_onnx_writer *w, char *x, size_t n, const int *dims)
{
    int64_t sizes[FMD_ONNX_RANK] = {0}; /* 0: the batch, as it is */
    for (size_t i = 0; i < n; i++)
        sizes[i + 1] = dims[i];
    return node(w, "Reshape", x, fmd_onnx_ints(&w->b, w->layer, n + 1, sizes), NULL);
}

static char *transpose(fmd_onnx_writer *w, char *x, const int64_t order[4])
{
    Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "Transpose", x, NULL, NULL);
    fmd_onnx_set_ints(&w->b, n, "perm", 4, order);
    return n->name;
}

/* Whether both layouts of an image are the same values in the same order. */
static bool is_same_order(fmd_shape image)
{
    return image.dim[2] == 1 || image.dim[0] * image.dim[1] == 1;
}

/* The value in the program's layout. */
static char *plain(fmd_onnx_writer *w, fmd_onnx_layouts *v)
{
    static const int64_t order[4] = {0, 2, 3, 1};
    char *images = v->first;
    if (v->plain != NULL)
        return v->plain;
    if (images == NULL)
        images = reshape(w, v->flat, 3,
                         (const int[]){v->image.dim[2], v->image.dim[0], v->image.dim[1]});
    if (v->first != NULL && is_same_order(v->shape))
        v->plain = reshape(w, images, 3, v->shape.dim);
    else
        v->plain = transpose(w, images, order);
    if (v->first == NULL)
        v->plain = reshape(w, v->plain, (size_t)v->shape.rank, v->shape.dim);
    return v->plain;
}

/* An image, channels first. */
static char *first(fmd_onnx_writer *w, fmd_onnx_layouts *v)
{
    static const int64_t order[4] = {0, 3, 1, 2};
    const int *d = v->shape.dim;
    if (v->first == NULL)
        v->first = is_same_order(v->shape)
                       ? reshape(w, plain(w, v), 3, (const int[]){d[2], d[0], d[1]})
                       : transpose(w, plain(w, v), order);
    return v->first;
}

/* The layout of `v` that exists, and its counterpart of the result, for functions of single values. */
static char *any(fmd_onnx_layouts *v, fmd_onnx_layouts *y, char ***out)
{
    *out = v->first != NULL ? &y->first : v->flat != NULL ? &y->flat : &y->plain;
    y->image = v->image;
    return v->first != NULL ? v->first : v->flat != NULL ? v->flat : v->plain;
}

/* Channels of a constant for a value in its layout. */
static char *channels(fmd_onnx_writer *w, bool is_first, const char *name, size_t c,
                      const float *values)
{
    const int64_t dims[] = {(int64_t)c, 1, 1};
    return fmd_onnx_floats(&w->b, w->layer, name, is_first ? 3 : 1, dims, values);
}

static float *copy(fmd_onnx_writer *w, size_t n)
{
    return fmd_onnx_keep(&w->b, n * sizeof(float));
}

static fmd_onnx_layouts *input(fmd_onnx_writer *w, const fmd_forward_op *op, int i)
{
    return &w->values[op->inputs[i] + 1];
}

/* (h, w, c of a group, filters) becomes (filters, c of a group, h, w). */
static char *conv_kernel(fmd_onnx_writer *w, const fmd_conv *c, const float *kernel)
{
    const size_t in = (size_t)(c->in_c / c->groups), out = (size_t)c->out_c;
    const size_t taps = (size_t)c->kernel_h * (size_t)c->kernel_w;
    const int64_t dims[] = {c->out_c, (int64_t)in, c->kernel_h, c->kernel_w};
    float *to = copy(w, taps * in * out);
    for (size_t t = 0; t < taps && !w->b.full; t++)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                to[(o * in + i) * taps + t] = kernel[(t * in + i) * out + o];
    return fmd_onnx_floats(&w->b, w->layer, "kernel", 4, dims, to);
}

/* The padding behind the last pixel, so that `n` windows fit. */
static int64_t pad_behind(int n, int stride, int span, int in, int before)
{
    const int needed = (n - 1) * stride + span - in - before;
    return needed > 0 ? needed : 0;
}

static void convolution(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    const fmd_conv *c = &op->conv;
    const int64_t c_out[] = {c->out_c};
    const int64_t pads[] = {c->pad_top, c->pad_left,
                            pad_behind(c->out_h, c->stride_h, (c->kernel_h - 1) * c->dilation_h + 1,
                                       c->in_h, c->pad_top),
                            pad_behind(c->out_w, c->stride_w, (c->kernel_w - 1) * c->dilation_w + 1,
                                       c->in_w, c->pad_left)};
    char *x = first(w, input(w, op, 0)), *kernel = conv_kernel(w, c, op->kernel);
    char *bias =
        op->bias == NULL ? NULL : fmd_onnx_floats(&w->b, w->layer, "bias", 1, c_out, op->bias);
    Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "Conv", x, kernel, bias);
    fmd_onnx_set_ints(&w->b, n, "kernel_shape", 2, (const int64_t[]){c->kernel_h, c->kernel_w});
    fmd_onnx_set_ints(&w->b, n, "strides", 2, (const int64_t[]){c->stride_h, c->stride_w});
    fmd_onnx_set_ints(&w->b, n, "dilations", 2, (const int64_t[]){c->dilation_h, c->dilation_w});
    fmd_onnx_set_ints(&w->b, n, "pads", 4, pads);
    fmd_onnx_set_int(&w->b, n, "group", c->groups);
    y->first = n->name;
}

/* The rows of a dense kernel behind a flattened image, in the order of channels first. */
static const float *permuted(fmd_onnx_writer *w, const float *kernel, fmd_shape image, size_t out)
{
    const size_t c = (size_t)image.dim[2], pixels = (size_t)image.dim[0] * (size_t)image.dim[1];
    float *to = copy(w, pixels * c * out);
    for (size_t i = 0; i < pixels && !w->b.full; i++)
        for (size_t k = 0; k < c; k++)
            memcpy(to + (k * pixels + i) * out, kernel + (i * c + k) * out, out * sizeof *to);
    return to;
}

static void dense(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    fmd_onnx_layouts *v = input(w, op, 0);
    const size_t out = fmd_onnx_last_dim(op->out);
    const int64_t dims[] = {(int64_t)fmd_onnx_last_dim(op->in[0]), (int64_t)out};
    const float *kernel = op->kernel;
    char *x = v->flat;
    if (x != NULL)
        kernel = permuted(w, kernel, v->image, out);
    else
        x = plain(w, v);
    char *matrix = fmd_onnx_floats(&w->b, w->layer, "kernel", 2, dims, kernel);
    char *bias =
        op->bias == NULL ? NULL : fmd_onnx_floats(&w->b, w->layer, "bias", 1, dims + 1, op->bias);
    if (op->in[0].rank == 1) {
        y->plain = node(w, "Gemm", x, matrix, bias);
        return;
    }
    y->plain = node(w, "MatMul", x, matrix, NULL);
    if (bias != NULL)
        y->plain = node(w, "Add", y->plain, bias, NULL);
}

void fmd_onnx_write_softmax(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y,
                            char *name)
{
    fmd_onnx_layouts *v = input(w, op, 0);
    const bool is_image = v->first != NULL && v->shape.rank == 3;
    char *x = is_image ? v->first : plain(w, v);
    Onnx__Node *n = name != NULL ? fmd_onnx_node_named(&w->b, name, "Softmax", plain(w, v))
                                 : fmd_onnx_node(&w->b, w->layer, "Softmax", x, NULL, NULL);
    fmd_onnx_set_int(&w->b, n, "axis", is_image && name == NULL ? 1 : -1);
    if (is_image && name == NULL)
        y->first = n->name;
    else
        y->plain = n->name;
}

/* 0.5 x (1 + erf(x / sqrt(2))). */
static char *gelu(fmd_onnx_writer *w, char *x)
{
    char *e = node(w, "Mul", x, fmd_onnx_float(&w->b, w->layer, 0.70710678118654752f), NULL);
    e = node(w, "Erf", e, NULL, NULL);
    e = node(w, "Add", e, fmd_onnx_float(&w->b, w->layer, 1), NULL);
    x = node(w, "Mul", x, fmd_onnx_float(&w->b, w->layer, 0.5f), NULL);
    return node(w, "Mul", x, e, NULL);
}

static void activation(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    static const char *const names[][2] = {{"relu", "Relu"},       {"leaky_relu", "LeakyRelu"},
                                           {"elu", "Elu"},         {"tanh", "Tanh"},
                                           {"sigmoid", "Sigmoid"}, {"gelu", NULL}};
    char **out, *x;
    if (strcmp(op->function, "softmax") == 0) {
        fmd_onnx_write_softmax(w, op, y, NULL);
        return;
    }
    x = any(input(w, op, 0), y, &out);
    size_t i = 0;
    while (strcmp(names[i][0], op->function) != 0)
        i++;
    if (names[i][1] == NULL) {
        *out = gelu(w, x);
        return;
    }
    Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, names[i][1], x, NULL, NULL);
    if (strcmp(op->function, "leaky_relu") == 0)
        fmd_onnx_set_float(&w->b, n, "alpha", op->slope);
    *out = n->name;
}

/* `values`, or where they are NULL `constant`, as a constant of the shape `dims`. */
static char *numbers(fmd_onnx_writer *w, const char *name, size_t rank, const int64_t *dims,
                     const float *values, float constant)
{
    size_t n = 1;
    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    float *filled = values == NULL ? copy(w, n) : NULL;
    for (size_t i = 0; filled != NULL && i < n && !w->b.full; i++)
        filled[i] = constant;
    return fmd_onnx_floats(&w->b, w->layer, name, rank, dims, values != NULL ? values : filled);
}

/* The operator works on axis 1: the channels of an image, or the only one. Others become rows. */
static void batch_normalization(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    fmd_onnx_layouts *v = input(w, op, 0);
    const int64_t c[] = {(int64_t)fmd_onnx_last_dim(op->out)};
    const bool is_image = op->out.rank == 3, is_row = op->out.rank == 1;
    char *x = is_image ? first(w, v) : plain(w, v);
    if (!is_image && !is_row) {
        const int64_t rows[] = {-1, c[0]};
        x = node(w, "Reshape", x, fmd_onnx_ints(&w->b, w->layer, 2, rows), NULL);
    }
    char *gamma = numbers(w, "gamma", 1, c, op->gamma, 1);
    Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "BatchNormalization", x, NULL, NULL);
    fmd_onnx_add_input(&w->b, n, gamma, 5);
    fmd_onnx_add_input(&w->b, n, numbers(w, "beta", 1, c, op->beta, 0), 0);
    fmd_onnx_add_input(&w->b, n, numbers(w, "mean", 1, c, op->mean, 0), 0);
    fmd_onnx_add_input(&w->b, n, numbers(w, "variance", 1, c, op->variance, 0), 0);
    fmd_onnx_set_float(&w->b, n, "epsilon", (float)op->epsilon);
    if (is_image) {
        y->first = n->name;
        return;
    }
    y->plain = n->name;
    if (!is_row) {
        int64_t sizes[FMD_ONNX_RANK] = {-1};
        for (int i = 0; i < op->out.rank; i++)
            sizes[i + 1] = op->out.dim[i];
        y->plain = node(w, "Reshape", n->name,
                        fmd_onnx_ints(&w->b, w->layer, (size_t)op->out.rank + 1, sizes), NULL);
    }
}

static void layer_normalization(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    int64_t dims[FMD_SHAPE_MAX];
    for (int i = 0; i < op->axes; i++)
        dims[i] = op->out.dim[op->out.rank - op->axes + i];
    char *x = plain(w, input(w, op, 0));
    char *gamma = numbers(w, "gamma", (size_t)op->axes, dims, op->gamma, 1);
    char *beta = op->beta == NULL ? NULL : numbers(w, "beta", (size_t)op->axes, dims, op->beta, 0);
    Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "LayerNormalization", x, gamma, beta);
    fmd_onnx_set_int(&w->b, n, "axis", -op->axes);
    fmd_onnx_set_float(&w->b, n, "epsilon", (float)op->epsilon);
    y->plain = n->name;
}

static void normalization(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    fmd_onnx_layouts *v = input(w, op, 0);
    const size_t c = fmd_onnx_last_dim(op->out);
    const bool is_image = v->first != NULL;
    char *x = is_image ? v->first : plain(w, v);
    x = node(w, "Sub", x, channels(w, is_image, "mean", c, op->means), NULL);
    x = node(w, "Div", x, channels(w, is_image, "deviation", c, op->deviations), NULL);
    *(is_image ? &y->first : &y->plain) = x;
}

static void rescaling(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    char **out, *x = any(input(w, op, 0), y, &out);
    x = node(w, "Mul", x, fmd_onnx_float(&w->b, w->layer, op->scale), NULL);
    *out = node(w, "Add", x, fmd_onnx_float(&w->b, w->layer, op->offset), NULL);
}

static void pool(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    const fmd_pool *p = &op->pool;
    const int64_t pads[] = {p->pad_top, p->pad_left,
                            pad_behind(p->out_h, p->stride_h, p->pool_h, p->in_h, p->pad_top),
                            pad_behind(p->out_w, p->stride_w, p->pool_w, p->in_w, p->pad_left)};
    Onnx__Node *n =
        fmd_onnx_node(&w->b, w->layer, op->kind == FMD_FORWARD_MAX_POOL ? "MaxPool" : "AveragePool",
                      first(w, input(w, op, 0)), NULL, NULL);
    fmd_onnx_set_ints(&w->b, n, "kernel_shape", 2, (const int64_t[]){p->pool_h, p->pool_w});
    fmd_onnx_set_ints(&w->b, n, "strides", 2, (const int64_t[]){p->stride_h, p->stride_w});
    fmd_onnx_set_ints(&w->b, n, "pads", 4, pads);
    y->first = n->name;
}

static void global_pool(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    y->first = node(w, op->kind == FMD_FORWARD_GLOBAL_MAX ? "GlobalMaxPool" : "GlobalAveragePool",
                    first(w, input(w, op, 0)), NULL, NULL);
    if (op->out.rank == 3)
        return;
    y->plain = reshape(w, y->first, 1, op->out.dim);
    y->first = NULL;
}

/* Inputs become one another's layout: channels first where one image has it. */
static void merge(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    static const int axes[] = {2, 3, 1};
    bool is_first = false;
    for (int i = 0; i < op->n_inputs; i++)
        is_first = is_first || input(w, op, i)->first != NULL;
    char *x = is_first ? first(w, input(w, op, 0)) : plain(w, input(w, op, 0));
    if (op->kind == FMD_FORWARD_CONCATENATE) {
        for (int i = 1; i < op->n_inputs; i++)
            (void)(is_first ? first(w, input(w, op, i)) : plain(w, input(w, op, i)));
        Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "Concat", x, NULL, NULL);
        for (int i = 1; i < op->n_inputs; i++)
            fmd_onnx_add_input(&w->b, n, is_first ? input(w, op, i)->first : input(w, op, i)->plain,
                               (size_t)op->n_inputs);
        fmd_onnx_set_int(&w->b, n, "axis", is_first ? axes[op->axis] : op->axis + 1);
        x = n->name;
    }
    for (int i = 1; i < op->n_inputs && op->kind == FMD_FORWARD_ADD; i++)
        x = node(w, "Add", x, is_first ? first(w, input(w, op, i)) : plain(w, input(w, op, i)),
                 NULL);
    *(is_first ? &y->first : &y->plain) = x;
}

/* Zeros around an image, or a part of it. */
static void border(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    char *x = first(w, input(w, op, 0));
    const int top = op->border.top, left = op->border.left;
    if (top < 0 || left < 0 || op->border.bottom < 0 || op->border.right < 0) {
        char *starts = fmd_onnx_ints(&w->b, w->layer, 2, (const int64_t[]){-top, -left});
        char *ends = fmd_onnx_ints(&w->b, w->layer, 2,
                                   (const int64_t[]){op->out.dim[0] - top, op->out.dim[1] - left});
        char *axes = fmd_onnx_ints(&w->b, w->layer, 2, (const int64_t[]){2, 3});
        Onnx__Node *n = fmd_onnx_node(&w->b, w->layer, "Slice", x, NULL, NULL);
        fmd_onnx_add_input(&w->b, n, starts, 4);
        fmd_onnx_add_input(&w->b, n, ends, 0);
        fmd_onnx_add_input(&w->b, n, axes, 0);
        y->first = n->name;
        return;
    }
    const int64_t pads[] = {0, 0, top, left, 0, 0, op->border.bottom, op->border.right};
    y->first = node(w, "Pad", x, fmd_onnx_ints(&w->b, w->layer, 8, pads), NULL);
}

/* Flattened images keep their order; a dense layer behind them has its rows permuted instead. */
static void change_shape(fmd_onnx_writer *w, const fmd_forward_op *op, fmd_onnx_layouts *y)
{
    fmd_onnx_layouts *v = input(w, op, 0);
    const bool flattens = v->first != NULL && op->out.rank == 1;
    if (flattens && is_same_order(v->shape))
        y->plain = reshape(w, v->first, 1, op->out.dim);
    else if (flattens) {
        y->flat = reshape(w, v->first, 1, op->out.dim);
        y->image = v->shape;
    } else
        y->plain = reshape(w, plain(w, v), (size_t)op->out.rank, op->out.dim);
}

void fmd_onnx_write_op(fmd_onnx_writer *w, size_t i)
{
    const fmd_forward_op *op = &w->f->ops[i];
    fmd_onnx_layouts *y = &w->values[i + 1];
    w->layer = op->layer->name;
    y->shape = op->out;
    switch (op->kind) {
    case FMD_FORWARD_CONVOLUTION: convolution(w, op, y); break;
    case FMD_FORWARD_DENSE: dense(w, op, y); break;
    case FMD_FORWARD_ACTIVATION: activation(w, op, y); break;
    case FMD_FORWARD_BATCH_NORMALIZATION: batch_normalization(w, op, y); break;
    case FMD_FORWARD_LAYER_NORMALIZATION: layer_normalization(w, op, y); break;
    case FMD_FORWARD_NORMALIZATION: normalization(w, op, y); break;
    case FMD_FORWARD_RESCALING: rescaling(w, op, y); break;
    case FMD_FORWARD_MAX_POOL:
    case FMD_FORWARD_AVERAGE_POOL: pool(w, op, y); break;
    case FMD_FORWARD_GLOBAL_AVERAGE:
    case FMD_FORWARD_GLOBAL_MAX: global_pool(w, op, y); break;
    case FMD_FORWARD_ADD:
    case FMD_FORWARD_CONCATENATE: merge(w, op, y); break;
    case FMD_FORWARD_BORDER: border(w, op, y); break;
    case FMD_FORWARD_RESHAPE: change_shape(w, op, y); break;
    }
}
