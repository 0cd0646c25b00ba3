#include "base/simd.h"
#include "nn/plan.h"

#include <math.h>

/* Given statistics, not learned ones: Keras' Normalization over the last axis with mean and variance
 * as arguments. */

typedef struct args {
    fmd_numbers mean, variance;
} args;

static const fmd_option options[] = {
    {.name = "mean",
     .kind = FMD_OPTION_NUMBERS,
     .offset = offsetof(args, mean),
     .keras = "mean",
     .help = "one number, or one for each channel such as 0.49x0.48x0.45"},
    {.name = "variance",
     .kind = FMD_OPTION_NUMBERS,
     .offset = offsetof(args, variance),
     .min = 0,
     .max = (double)INFINITY,
     .keras = "variance",
     .help = "one number, or one for each channel"},
};

static size_t channels(const fmd_layer *l)
{
    return (size_t)l->out.dim[l->out.rank - 1];
}

static fmd_status check_numbers(const fmd_layer *l, const char *what, const fmd_numbers *v)
{
    char shape[FMD_SHAPE_TEXT];
    if (v->n == 1 || (size_t)v->n == channels(l))
        return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE,
                    "model: %s: %s has %d numbers, but its input %s has %zu channels: give one "
                    "number or one for each",
                    l->name, what, v->n, fmd_shape_text(l->in[0], 0, shape), channels(l));
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    l->out = l->in[0];
    FMD_TRY(check_numbers(l, "mean", &a->mean));
    FMD_TRY(check_numbers(l, "variance", &a->variance));
    fmd_plan_workspace(plan, 2 * channels(l) * sizeof(float));
    return FMD_OK;
}

/* Of each channel, into the workspace: the mean, then the deviation, at least 1e-7 as in Keras. */
static void find_statistics(const fmd_layer *l, float *mean, float *deviation)
{
    const args *a = l->args;
    for (size_t i = 0; i < channels(l); i++) {
        const double root = sqrt(a->variance.at[a->variance.n == 1 ? 0 : i]);
        mean[i] = (float)a->mean.at[a->mean.n == 1 ? 0 : i];
        deviation[i] = root > 1e-7 ? (float)root : 1e-7f;
    }
}

/* `mean` may be NULL. */
FMD_SIMD static void normalize(size_t rows, size_t c, const float *x, const float *mean,
                               const float *deviation, float *y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = (mean == NULL ? x[i * c + j] : x[i * c + j] - mean[j]) / deviation[j];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t c = channels(l);
    float *mean = v->workspace, *deviation = mean + c;
    find_statistics(l, mean, deviation);
    normalize(fmd_pass_samples(p) * (fmd_shape_count(l->out) / c), c, v->x[0], mean, deviation,
              v->y);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t c = channels(l);
    float *mean = v->workspace, *deviation = mean + c;
    find_statistics(l, mean, deviation);
    if (v->dx[0] != NULL)
        normalize(fmd_pass_samples(p) * (fmd_shape_count(l->out) / c), c, v->dy, NULL, deviation,
                  v->dx[0]);
}

const fmd_layer_ops fmd_layer_normalization = {
    .name = "normalization",
    .keras_class = "Normalization",
    .help = "(x - mean) / sqrt(variance), with given numbers",
    .example = "normalization:0.1x-0.2:0.5x2",
    .example_in = {.rank = 2, .dim = {3, 2}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .forgets_x = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
};
