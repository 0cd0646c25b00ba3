#include "math/vec.h"
#include "nn/layers/augmentation/augmentation.h"

#include <math.h>
#include <string.h>

/* Zhong et al., "Random erasing data augmentation", 2017, as Keras draws its box. */

typedef struct args {
    fmd_numbers factor, scale, value_range;
    double fill_value;
} args;

static const fmd_option options[] = {
    {.name = "factor",
     .kind = FMD_OPTION_NUMBERS,
     .offset = offsetof(args, factor),
     .initial = "1",
     .min = 0,
     .max = 1,
     .keras = "factor",
     .help = "range of the probability of erasing, which is drawn too; one number f is 0xf: 1 "
             "erases in half of the images"},
    {.name = "scale",
     .kind = FMD_OPTION_NUMBERS,
     .size = 2,
     .offset = offsetof(args, scale),
     .initial = "0.02x0.33",
     .min = 0,
     .max = 1,
     .keras = "scale",
     .help = "range of the box, as a part of the image"},
    {.name = "fill_value",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, fill_value),
     .initial = "noise",
     .unset = "noise",
     .keras = "fill_value",
     .help = "value of erased pixels; noise: normal, cut to value_range"},
    {.name = "value_range",
     .kind = FMD_OPTION_NUMBERS,
     .size = 2,
     .offset = offsetof(args, value_range),
     .initial = "0x1",
     .keras = "value_range",
     .help = "range of pixels for noise; Keras' default is 0x255"},
};

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    if (((const args *)l->args)->factor.n > 2)
        return FMD_FAIL(FMD_EUSAGE, "model: %s: factor is one number or a range such as 0.5x1",
                        l->name);
    return fmd_augment_build(l, plan);
}

/* Rows or columns [from, to): those with start <= index < start + side. */
typedef struct range {
    size_t from, to;
} range;

static range side_of(const args *a, int n, float size, float start)
{
    const double side = n * sqrt(fmd_augment_range(&a->scale, 0, size));
    const double from = (double)start * (n - side), to = ceil(from + side);
    return (range){(size_t)ceil(from), to < n ? (size_t)to : (size_t)n};
}

/* Normal noise by rejection (von Neumann): x uniform in [-4, 4) is taken with probability
 * exp(-x^2 / 2). `value` is the place of the value among those of the global batch. */
static float noise(const fmd_layer *l, const fmd_pass *p, uint64_t value)
{
    const double *limit = ((const args *)l->args)->value_range.at;
    const fmd_rng r = {
        .seed = p->seed, .purpose = FMD_RNG_NOISE, .stream = (uint32_t)l->index, .time = p->step};
    for (uint64_t try = 0;; try++) {
        uint32_t u[4];
        fmd_rng_block(&r, value << 16 | try, u);
        for (int j = 0; j < 4; j += 2) {
            const float x = 8 * fmd_rng_unit(u[j]) - 4;
            float density = -0.5f * x * x;
            fmd_vec_exp(1, &density, &density);
            if (fmd_rng_unit(u[j + 1]) < density)
                return (float)fmin(fmax((double)x * limit[1], limit[0]), limit[1]);
        }
    }
}

static void erase(const fmd_layer *l, const fmd_pass *p, uint64_t place, float *y)
{
    const args *a = l->args;
    const size_t w = (size_t)l->out.dim[1], c = (size_t)l->out.dim[2];
    float u[FMD_AUGMENT_NUMBERS];
    fmd_augment_draw(l, p, place, u);
    if (!((double)u[0] < fmd_augment_range(&a->factor, 0, u[1])))
        return;
    const range rows = side_of(a, l->out.dim[0], u[2], u[3]);
    const range columns = side_of(a, l->out.dim[1], u[4], u[5]);
    const uint64_t first = place * fmd_shape_count(l->out);
    for (size_t i = rows.from; i < rows.to; i++)
        for (size_t j = (i * w + columns.from) * c; j < (i * w + columns.to) * c; j++)
            y[j] = isnan(a->fill_value) ? noise(l, p, first + j) : (float)a->fill_value;
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t n = fmd_shape_count(l->out), rows = fmd_pass_samples(p);
    memcpy(v->y, v->x[0], rows * n * sizeof *v->y);
    for (size_t i = 0; p->training && i < rows; i++)
        erase(l, p, p->first_sample + i, v->y + i * n);
}

const fmd_layer_ops fmd_layer_random_erasing = {
    .name = "random_erasing",
    .keras_class = "RandomErasing",
    .help = "in training fills a random box of an image",
    .example = "random_erasing",
    .example_in = {.rank = 3, .dim = {5, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .cost = fmd_augment_cost,
};
