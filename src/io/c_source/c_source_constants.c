#include "io/c_source/c_source_private.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *fmd_c_source_name(const fmd_c_writer *w, size_t i, char text[FMD_C_NAME])
{
    const fmd_forward_op *op = &w->f->ops[i];
    bool again = false;
    for (size_t k = 0; k < i; k++)
        again = again || (w->f->ops[k].layer == op->layer && w->f->ops[k].kind == op->kind);
    snprintf(text, FMD_C_NAME, "%s%s", op->layer->name, again ? "_b" : "");
    return text;
}

int fmd_c_source_columns(fmd_shape s, int axes)
{
    int n = 1;
    for (int i = s.rank - axes; i < s.rank; i++)
        n *= s.dim[i];
    return n;
}

int fmd_c_source_rows(fmd_shape s, int axes)
{
    return (int)fmd_shape_count(s) / fmd_c_source_columns(s, axes);
}

void fmd_c_source_float(const fmd_c_writer *w, float value)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", (double)(fabsf(value) < FLT_MIN ? 0 : value));
    fprintf(w->out, "%s%sf", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void print_floats(const fmd_c_writer *w, const char *name, const char *suffix, size_t n,
                         const float *values)
{
    fprintf(w->out, "\nstatic const float %s_%s[%zu] = {", name, suffix, n);
    for (size_t i = 0; i < n; i++) {
        fputs(i % 6 == 0 ? "\n    " : " ", w->out);
        fmd_c_source_float(w, values[i]);
        fputc(',', w->out);
    }
    fputs("\n};\n", w->out);
}

/* Rows of the kernel's columns. */
static size_t kernel_rows(const fmd_forward_op *op)
{
    if (op->kind == FMD_FORWARD_DENSE)
        return (size_t)fmd_c_source_columns(op->in[0], 1);
    return (size_t)(op->conv.kernel_h * op->conv.kernel_w) *
           (size_t)(op->conv.in_c / op->conv.groups);
}

/* The largest weight of a column becomes 127. */
static fmd_status print_bytes(const fmd_c_writer *w, const char *name, const fmd_forward_op *op)
{
    const size_t c = (size_t)fmd_c_source_columns(op->out, 1), rows = kernel_rows(op);
    float *scale;
    FMD_TRY(fmd_alloc(&scale, c, sizeof *scale, "the scales"));
    for (size_t j = 0; j < c; j++) {
        float most = 0;
        for (size_t i = 0; i < rows; i++)
            most = fmaxf(most, fabsf(op->kernel[i * c + j]));
        scale[j] = most > 0 ? most / 127 : 1;
    }
    fprintf(w->out, "\nstatic const weight %s_kernel[%zu] = {", name, rows * c);
    for (size_t i = 0; i < rows * c; i++)
        fprintf(w->out, "%s%d,", i % 20 == 0 ? "\n    " : " ",
                (int)rintf(op->kernel[i] / scale[i % c]));
    fputs("\n};\n", w->out);
    print_floats(w, name, "scale", c, scale);
    free(scale);
    return FMD_OK;
}

bool fmd_c_source_is_winograd(const fmd_c_writer *w, const fmd_forward_op *op)
{
    return op->kind == FMD_FORWARD_CONVOLUTION && !w->int8 && fmd_conv_is_winograd(&op->conv);
}

size_t fmd_c_source_kernel_values(const fmd_c_writer *w, const fmd_forward_op *op)
{
    if (fmd_c_source_is_winograd(w, op))
        return (size_t)(FMD_C_TILE * op->conv.in_c) * (size_t)op->conv.out_c;
    return kernel_rows(op) * (size_t)fmd_c_source_columns(op->out, 1);
}

static fmd_status print_winograd_kernel(const fmd_c_writer *w, const char *name,
                                        const fmd_forward_op *op)
{
    const size_t n = fmd_c_source_kernel_values(w, op);
    float *values;
    FMD_TRY(fmd_alloc(&values, n, sizeof *values, "a transformed kernel"));
    fmd_conv_winograd_kernel(&op->conv, op->kernel, values);
    print_floats(w, name, "kernel", n, values);
    free(values);
    return FMD_OK;
}

static fmd_status print_kernel(const fmd_c_writer *w, const char *name, const fmd_forward_op *op)
{
    const size_t c = (size_t)fmd_c_source_columns(op->out, 1);
    if (w->int8)
        FMD_TRY(print_bytes(w, name, op));
    else if (fmd_c_source_is_winograd(w, op))
        FMD_TRY(print_winograd_kernel(w, name, op));
    else
        print_floats(w, name, "kernel", kernel_rows(op) * c, op->kernel);
    if (op->bias != NULL)
        print_floats(w, name, "bias", c, op->bias);
    return FMD_OK;
}

/* The constants that fmd_channel_normalize takes; the mean's further digits are zero. */
static fmd_status print_channels(const fmd_c_writer *w, const char *name, const fmd_forward_op *op)
{
    const size_t c = (size_t)fmd_c_source_columns(op->out, 1);
    float *factor, *shift;
    FMD_TRY(fmd_alloc(&factor, 2 * c, sizeof *factor, "a normalization"));
    shift = factor + c;
    for (size_t j = 0; j < c; j++) {
        const float inverse = (float)(1 / sqrt((double)op->variance[j] + op->epsilon));
        factor[j] = op->gamma != NULL ? op->gamma[j] * inverse : inverse;
        shift[j] = op->beta != NULL ? op->beta[j] : 0;
    }
    print_floats(w, name, "mean", c, op->mean);
    print_floats(w, name, "factor", c, factor);
    print_floats(w, name, "shift", c, shift);
    free(factor);
    return FMD_OK;
}

fmd_status fmd_c_source_constants(const fmd_c_writer *w, size_t i)
{
    const fmd_forward_op *op = &w->f->ops[i];
    const fmd_conv *c = &op->conv;
    const fmd_pool *p = &op->pool;
    const size_t n = (size_t)fmd_c_source_columns(op->out, op->axes > 0 ? op->axes : 1);
    char name[FMD_C_NAME];
    fmd_c_source_name(w, i, name);
    switch (op->kind) {
    case FMD_FORWARD_CONVOLUTION:
        fprintf(w->out,
                "\nstatic const struct convolution %s_shape = {\n    %d, %d, %d, %d, %d, %d, %d, "
                "%d, %d, %d, %d, %d, %d, %d, %d, %d};\n",
                name, c->in_h, c->in_w, c->in_c, c->out_h, c->out_w, c->out_c, c->kernel_h,
                c->kernel_w, c->stride_h, c->stride_w, c->dilation_h, c->dilation_w, c->pad_top,
                c->pad_left, c->groups, op->columns_last);
        return print_kernel(w, name, op);
    case FMD_FORWARD_DENSE: return print_kernel(w, name, op);
    case FMD_FORWARD_BATCH_NORMALIZATION: return print_channels(w, name, op);
    case FMD_FORWARD_LAYER_NORMALIZATION:
        if (op->gamma != NULL)
            print_floats(w, name, "gamma", n, op->gamma);
        if (op->beta != NULL)
            print_floats(w, name, "beta", n, op->beta);
        return FMD_OK;
    case FMD_FORWARD_NORMALIZATION:
        print_floats(w, name, "mean", n, op->means);
        print_floats(w, name, "deviation", n, op->deviations);
        return FMD_OK;
    case FMD_FORWARD_MAX_POOL:
    case FMD_FORWARD_AVERAGE_POOL:
        fprintf(w->out,
                "\nstatic const struct pool %s_shape = {\n    %d, %d, %d, %d, %d, %d, %d, %d, %d, "
                "%d, %d};\n",
                name, p->in_h, p->in_w, p->out_h, p->out_w, p->channels, p->pool_h, p->pool_w,
                p->stride_h, p->stride_w, p->pad_top, p->pad_left);
        return FMD_OK;
    default: return FMD_OK;
    }
}
