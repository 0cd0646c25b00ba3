#include "nn/convolution.h"

#include <string.h>

typedef struct args {
    fmd_shape padding;
} args;

static const fmd_option options[] = {
    {.name = "padding",
     .kind = FMD_OPTION_DIMS,
     .offset = offsetof(args, padding),
     .initial = "1",
     .min = 0,
     .max = 65536,
     .keras = "padding",
     .help = "rows and columns of zeros: 1 on each side, 1x2 above and below x left and right, or "
             "1x2x3x4 above x below x left x right"},
};

typedef struct border {
    int top, bottom, left, right;
} border;

static border border_of(const fmd_layer *l)
{
    const fmd_shape *s = &((const args *)l->args)->padding;
    const int *d = s->dim;
    if (s->rank == 4)
        return (border){d[0], d[1], d[2], d[3]};
    return (border){d[0], d[0], d[s->rank - 1], d[s->rank - 1]};
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    FMD_TRY(fmd_layer_check_image(l));
    if (((const args *)l->args)->padding.rank == 3)
        return FMD_FAIL(FMD_EUSAGE, "model: %s: padding is one number, two or four", l->name);
    const border b = border_of(l);
    l->out = l->in[0];
    l->out.dim[0] += b.top + b.bottom;
    l->out.dim[1] += b.left + b.right;
    return FMD_OK;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const border b = border_of(l);
    const size_t h = (size_t)l->in[0].dim[0], c = (size_t)l->in[0].dim[2];
    const size_t from = (size_t)l->in[0].dim[1] * c, to = (size_t)l->out.dim[1] * c;
    const size_t samples = fmd_pass_samples(p), n = fmd_shape_count(l->out);
    memset(v->y, 0, samples * n * sizeof *v->y);
    for (size_t i = 0; i < samples; i++)
        for (size_t j = 0; j < h; j++)
            memcpy(v->y + i * n + ((size_t)b.top + j) * to + (size_t)b.left * c,
                   v->x[0] + (i * h + j) * from, from * sizeof *v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const border b = border_of(l);
    const size_t h = (size_t)l->in[0].dim[0], c = (size_t)l->in[0].dim[2];
    const size_t from = (size_t)l->in[0].dim[1] * c, to = (size_t)l->out.dim[1] * c;
    const size_t samples = fmd_pass_samples(p), n = fmd_shape_count(l->out);
    for (size_t i = 0; v->dx[0] != NULL && i < samples; i++)
        for (size_t j = 0; j < h; j++)
            memcpy(v->dx[0] + (i * h + j) * from,
                   v->dy + i * n + ((size_t)b.top + j) * to + (size_t)b.left * c,
                   from * sizeof *v->dy);
}

const fmd_layer_ops fmd_layer_zero_padding2d = {
    .name = "zero_padding2d",
    .keras_class = "ZeroPadding2D",
    .help = "zeros around an image",
    .example = "zero_padding2d:1x2x0x3",
    .example_in = {.rank = 3, .dim = {3, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
