#include "nn/plan.h"

#include <limits.h>
#include <string.h>

typedef struct args {
    int64_t axis;
} args;

static const fmd_option options[] = {
    {.name = "axis",
     .kind = FMD_OPTION_INT,
     .offset = offsetof(args, axis),
     .initial = "-1",
     .min = -FMD_SHAPE_MAX,
     .max = FMD_SHAPE_MAX,
     .keras = "axis",
     .help = "1 is the first one of an image, -1 the last"},
};

/* The axis among those of a sample; Keras counts the batch as axis 0. */
static int axis_of(const fmd_layer *l)
{
    const int axis = (int)((const args *)l->args)->axis;
    return axis < 0 ? l->in[0].rank + axis : axis - 1;
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    (void)plan;
    const int axis = axis_of(l);
    char first[FMD_SHAPE_TEXT], other[FMD_SHAPE_TEXT];
    if (axis < 0 || axis >= l->in[0].rank)
        return FMD_FAIL(FMD_EUSAGE,
                        "model: %s: its inputs have shape %s: axis must be 1 to %d or -1 to -%d",
                        l->name, fmd_shape_text(l->in[0], 0, first), l->in[0].rank, l->in[0].rank);
    l->out = l->in[0];
    int64_t together = l->out.dim[axis];
    for (int i = 1; i < l->n_inputs; i++) {
        fmd_shape same = l->in[i];
        if (same.rank == l->out.rank)
            same.dim[axis] = l->in[0].dim[axis];
        if (!fmd_shape_equal(same, l->in[0]))
            return FMD_FAIL(FMD_EUSAGE,
                            "model: %s: its inputs have shapes %s and %s: they must be equal but "
                            "for axis %d; use padding same and equal strides",
                            l->name, fmd_shape_text(l->in[0], 0, first),
                            fmd_shape_text(l->in[i], 0, other), axis + 1);
        together += l->in[i].dim[axis];
    }
    if (together > INT_MAX)
        return FMD_FAIL(FMD_EUSAGE, "model: %s: axis %d would have %lld values: at most %d",
                        l->name, axis + 1, (long long)together, INT_MAX);
    l->out.dim[axis] = (int)together;
    return FMD_OK;
}

/* Values of one input that lie together in the output. */
static size_t run_of(const fmd_layer *l, fmd_shape s)
{
    size_t n = 1;
    for (int i = axis_of(l); i < s.rank; i++)
        n *= (size_t)s.dim[i];
    return n;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t whole = run_of(l, l->out);
    const size_t runs = fmd_pass_samples(p) * (fmd_shape_count(l->out) / whole);
    size_t offset = 0;
    for (int i = 0; i < l->n_inputs; i++) {
        const size_t n = run_of(l, l->in[i]);
        for (size_t k = 0; k < runs; k++)
            memcpy(v->y + k * whole + offset, v->x[i] + k * n, n * sizeof *v->y);
        offset += n;
    }
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t whole = run_of(l, l->out);
    const size_t runs = fmd_pass_samples(p) * (fmd_shape_count(l->out) / whole);
    size_t offset = 0;
    for (int i = 0; i < l->n_inputs; i++) {
        const size_t n = run_of(l, l->in[i]);
        for (size_t k = 0; k < runs && v->dx[i] != NULL; k++)
            memcpy(v->dx[i] + k * n, v->dy + k * whole + offset, n * sizeof *v->dy);
        offset += n;
    }
}

const fmd_layer_ops fmd_layer_concatenate = {
    .name = "concatenate",
    .keras_class = "Concatenate",
    .help = "the layer before and the marked ones side by side: concatenate:a:b",
    .example = "concatenate:axis=1",
    .example_in = {.rank = 2, .dim = {2, 3}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .merges = true,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
