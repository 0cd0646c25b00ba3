#include "base/simd.h"
#include "nn/plan.h"

#include <string.h>

typedef struct args {
    double rate;
} args;

static const fmd_option options[] = {
    {.name = "rate",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, rate),
     .min = 0,
     .max = 0.99,
     .keras = "rate",
     .help = "share of values that a training step drops"},
};

/* The mask: a factor for each value. */
enum { MASK };

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    l->out = l->in[0];
    fmd_plan_saved(plan, fmd_shape_count(l->in[0]) * sizeof(float));
    return FMD_OK;
}

/* Numbers that are drawn at a time: whole blocks. */
enum { DRAWN = 1024 };

/* Fills the mask of one row, whose place in the global batch is `position`, and multiplies by it: a
 * value is kept with probability 1 - rate and then divided by it (inverted dropout, as in Keras). */
FMD_SIMD static void drop(const fmd_rng *r, uint64_t position, size_t n, float rate, const float *x,
                          float *mask, float *y)
{
    const float scale = 1.0f / (1.0f - rate);
    const uint64_t blocks = (n + 3) / 4;
    uint32_t u[DRAWN];
    for (size_t i = 0; i < n; i += DRAWN) {
        const size_t now = n - i < DRAWN ? n - i : DRAWN;
        fmd_rng_blocks(r, position * blocks + i / 4, (now + 3) / 4, u);
        for (size_t j = 0; j < now; j++)
            mask[i + j] = fmd_rng_unit(u[j]) < rate ? 0 : scale;
        for (size_t j = 0; j < now; j++)
            y[i + j] = x[i + j] * mask[i + j];
    }
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    const size_t n = fmd_shape_count(l->in[0]), rows = fmd_pass_samples(p);
    if (!p->training) {
        memcpy(v->y, v->x[0], rows * n * sizeof *v->y);
        return;
    }
    const fmd_rng r = {
        .seed = p->seed, .purpose = FMD_RNG_DROPOUT, .stream = (uint32_t)l->index, .time = p->step};
    for (size_t i = 0; i < rows; i++) {
        drop(&r, p->first_sample + i, n, (float)a->rate, v->x[0] + i * n,
             (float *)v->saved[MASK] + i * n, v->y + i * n);
    }
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] == NULL)
        return;
    const float *mask = v->saved[MASK];
    const size_t n = fmd_pass_samples(p) * fmd_shape_count(l->in[0]);
    for (size_t i = 0; i < n; i++)
        v->dx[0][i] = v->dy[i] * mask[i];
}

const fmd_layer_ops fmd_layer_dropout = {
    .name = "dropout",
    .keras_class = "Dropout",
    .help = "sets a share of the values to zero while training",
    .example = "dropout:0.4",
    .example_in = {.rank = 1, .dim = {6}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
