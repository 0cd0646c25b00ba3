#include "nn/layers/augmentation/augmentation.h"

#include <math.h>
#include <string.h>

typedef struct args {
    fmd_numbers height_factor, width_factor;
    int fill_mode, interpolation;
    double fill_value;
} args;

enum { REFLECT, WRAP, CONSTANT, EDGE }; /* Keras calls the last one nearest */
enum { BILINEAR, NEAREST };

#define FACTOR(which)                                                                              \
    .name = #which, .kind = FMD_OPTION_NUMBERS, .offset = offsetof(args, which), .min = -2,        \
    .max = 2, .keras = #which

static const fmd_option options[] = {
    {FACTOR(height_factor),
     .help =
         "largest shift as a part of the height, or a range such as -0.1x0.2; positive is down"},
    {FACTOR(width_factor),
     .help = "largest shift as a part of the width, or a range; positive is right"},
    {.name = "fill_mode",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, fill_mode),
     .initial = "reflect",
     .choices = "reflect|wrap|constant|nearest",
     .keras = "fill_mode",
     .help = "source of pixels from outside the image: mirrored, from the other side, fill_value, "
             "or the edge"},
    {.name = "interpolation",
     .kind = FMD_OPTION_CHOICE,
     .offset = offsetof(args, interpolation),
     .initial = "bilinear",
     .choices = "bilinear|nearest",
     .keras = "interpolation",
     .help = "value between pixels"},
    {.name = "fill_value",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, fill_value),
     .initial = "0",
     .keras = "fill_value",
     .help = "pixels outside the image with fill_mode=constant"},
};

/* The source of a row or column of the output: the weighted sum of two input rows or columns; -1 is
 * fill_value. */
typedef struct source {
    int at[2];
    float weight[2];
} source;

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    FMD_TRY(fmd_augment_build(l, plan));
    if (a->height_factor.n > 2 || a->width_factor.n > 2)
        return FMD_FAIL(FMD_EUSAGE, "model: %s: a factor is one number or a range such as -0.1x0.2",
                        l->name);
    fmd_plan_workspace(plan, (size_t)(l->in[0].dim[0] + l->in[0].dim[1]) * sizeof(source));
    return FMD_OK;
}

/* The pixel for place k on an axis of n. */
static int place_of(int k, int n, int mode)
{
    const int around = ((k % n) + n) % n, twice = ((k % (2 * n)) + 2 * n) % (2 * n);
    if (k >= 0 && k < n)
        return k;
    switch (mode) {
    case REFLECT: return twice < n ? twice : 2 * n - 1 - twice;
    case WRAP: return around;
    case EDGE: return k < 0 ? 0 : n - 1;
    default: return -1;
    }
}

/* Output j is input j - shift. */
static void find_sources(const args *a, int n, double shift, source *s)
{
    const double start = floor(-shift), part = -shift - start;
    for (int j = 0; j < n; j++) {
        const int first = a->interpolation == NEAREST ? (int)rint(j - shift) : j + (int)start;
        const float weight = a->interpolation == NEAREST ? 0 : (float)part;
        s[j] = (source){{place_of(first, n, a->fill_mode), place_of(first + 1, n, a->fill_mode)},
                        {1 - weight, weight}};
    }
}

static void translate(const fmd_layer *l, const source *rows, const source *columns, const float *x,
                      float *y)
{
    const size_t h = (size_t)l->out.dim[0], w = (size_t)l->out.dim[1], c = (size_t)l->out.dim[2];
    const float fill = (float)((const args *)l->args)->fill_value;
    memset(y, 0, h * w * c * sizeof *y);
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++)
            for (size_t q = 0; q < 4; q++) {
                const int row = rows[i].at[q / 2], column = columns[j].at[q % 2];
                const float weight = rows[i].weight[q / 2] * columns[j].weight[q % 2];
                const bool outside = row < 0 || column < 0;
                const float *from = outside ? NULL : x + ((size_t)row * w + (size_t)column) * c;
                for (size_t k = 0; weight != 0 && k < c; k++)
                    y[(i * w + j) * c + k] += weight * (outside ? fill : from[k]);
            }
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const args *a = l->args;
    const size_t n = fmd_shape_count(l->out), images = fmd_pass_samples(p);
    const int h = l->out.dim[0], w = l->out.dim[1];
    source *rows = v->workspace, *columns = rows + h;
    if (!p->training) {
        memcpy(v->y, v->x[0], images * n * sizeof *v->y);
        return;
    }
    for (size_t i = 0; i < images; i++) {
        float u[FMD_AUGMENT_NUMBERS];
        fmd_augment_draw(l, p, p->first_sample + i, u);
        find_sources(a, h, h * fmd_augment_range(&a->height_factor, -1, u[0]), rows);
        find_sources(a, w, w * fmd_augment_range(&a->width_factor, -1, u[1]), columns);
        translate(l, rows, columns, v->x[0] + i * n, v->y + i * n);
    }
}

const fmd_layer_ops fmd_layer_random_translation = {
    .name = "random_translation",
    .keras_class = "RandomTranslation",
    .help = "in training shifts each image",
    .example = "random_translation:0.3:0.2",
    .example_in = {.rank = 3, .dim = {3, 4, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .needs_image = true,
    .build = build,
    .forward = forward,
    .cost = fmd_augment_cost,
};
