#include "nn/convolution.h"

#include <string.h>

/* Dropout of whole channels (Tompson et al., 2015). */

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
     .help = "share of channels that a training step drops"},
};

/* The mask: a factor for each channel of an image. */
enum { MASK };

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    FMD_TRY(fmd_layer_check_image(l));
    l->out = l->in[0];
    fmd_plan_saved(plan, (size_t)l->out.dim[2] * sizeof(float));
    return FMD_OK;
}

static void fill_mask(const fmd_layer *l, const fmd_pass *p, uint64_t place, float *mask)
{
    const fmd_rng r = {
        .seed = p->seed, .purpose = FMD_RNG_DROPOUT, .stream = (uint32_t)l->index, .time = p->step};
    const float rate = (float)((const args *)l->args)->rate, scale = 1.0f / (1.0f - rate);
    const size_t n = (size_t)l->out.dim[2];
    for (size_t i = 0; i < n; i += 4) {
        uint32_t u[4];
        fmd_rng_block(&r, place * ((n + 3) / 4) + i / 4, u);
        for (size_t j = 0; j < 4 && i + j < n; j++)
            mask[i + j] = fmd_rng_unit(u[j]) < rate ? 0 : scale;
    }
}

/* y = x times the mask of its image, for each pixel. */
static void multiply(const fmd_layer *l, size_t images, const float *x, const float *mask, float *y)
{
    const size_t c = (size_t)l->out.dim[2], pixels = fmd_shape_count(l->out) / c;
    for (size_t i = 0; i < images * pixels; i++)
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = x[i * c + j] * mask[i / pixels * c + j];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t images = fmd_pass_samples(p), c = (size_t)l->out.dim[2];
    float *mask = v->saved[MASK];
    if (!p->training) {
        memcpy(v->y, v->x[0], images * fmd_shape_count(l->out) * sizeof *v->y);
        return;
    }
    for (size_t i = 0; i < images; i++)
        fill_mask(l, p, p->first_sample + i, mask + i * c);
    multiply(l, images, v->x[0], mask, v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    if (v->dx[0] != NULL)
        multiply(l, fmd_pass_samples(p), v->dy, v->saved[MASK], v->dx[0]);
}

const fmd_layer_ops fmd_layer_spatial_dropout2d = {
    .name = "spatial_dropout2d",
    .keras_class = "SpatialDropout2D",
    .help = "sets a share of the channels to zero while training",
    .example = "spatial_dropout2d:0.4",
    .example_in = {.rank = 3, .dim = {2, 3, 5}},
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
