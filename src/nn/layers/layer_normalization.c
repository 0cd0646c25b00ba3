#include "base/simd.h"
#include "nn/plan.h"

#include <math.h>

/* Ba, Kiros and Hinton, 2016: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and
 * variance over the last axes of each sample. */

typedef struct args {
    fmd_shape axis;
    double epsilon;
    bool center, scale;
} args;

static const fmd_option options[] = {
    {.name = "axis",
     .kind = FMD_OPTION_DIMS,
     .offset = offsetof(args, axis),
     .initial = "-1",
     .min = -FMD_SHAPE_MAX,
     .max = FMD_SHAPE_MAX,
     .keras = "axis",
     .help = "the last axis, or the last ones: -3x-2x-1 is a whole image"},
    {.name = "epsilon",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, epsilon),
     .initial = "0.001",
     .min = 1e-12,
     .max = 1,
     .keras = "epsilon",
     .help = "added to the variance"},
    {.name = "center",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, center),
     .initial = "true",
     .keras = "center",
     .help = "adds beta"},
    {.name = "scale",
     .kind = FMD_OPTION_BOOL,
     .offset = offsetof(args, scale),
     .initial = "true",
     .keras = "scale",
     .help = "multiplies by gamma"},
};

enum { STATISTICS }; /* saved: mean and 1 / deviation of each row, doubles */

/* The axes that are normalised together. Keras counts the batch as axis 0. FMD_EUSAGE unless they
 * are the last ones. */
static fmd_status find_axes(const fmd_layer *l, fmd_shape *axes)
{
    const fmd_shape *given = &((const args *)l->args)->axis, in = l->in[0];
    unsigned set = 0;
    for (int i = 0; i < given->rank; i++) {
        const int axis = given->dim[i] < 0 ? in.rank + given->dim[i] : given->dim[i] - 1;
        set |= axis < 0 || axis >= in.rank ? 0 : 1u << axis;
    }
    *axes = (fmd_shape){.rank = given->rank};
    for (int i = 0; i < given->rank && given->rank <= in.rank; i++)
        axes->dim[i] = in.dim[in.rank - given->rank + i];
    const unsigned all = (1u << in.rank) - 1;
    char shape[FMD_SHAPE_TEXT];
    if (given->rank <= in.rank && set == (all & ~(all >> given->rank)))
        return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE,
                    "model: %s: axis must be the last axes of its input %s, such as -1 or -2x-1",
                    l->name, fmd_shape_text(in, 0, shape));
}

/* Values that are normalised together. */
static size_t row_of(const fmd_layer *l)
{
    const int n = ((const args *)l->args)->axis.rank;
    size_t row = 1;
    for (int i = l->out.rank - n; i < l->out.rank; i++)
        row *= (size_t)l->out.dim[i];
    return row;
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    fmd_shape shape;
    FMD_TRY(find_axes(l, &shape));
    l->out = l->in[0];
    if (a->scale)
        fmd_plan_param(plan, (fmd_param){.name = "gamma", .shape = shape, .init = FMD_INIT_ones});
    if (a->center)
        fmd_plan_param(plan, (fmd_param){.name = "beta", .shape = shape, .init = FMD_INIT_zeros});
    fmd_plan_saved(plan, fmd_shape_count(l->out) / row_of(l) * 2 * sizeof(double));
    fmd_plan_workspace(plan, 2 * row_of(l) * sizeof(double));
    return FMD_OK;
}

/* The parameters; NULL where the arguments leave them out. */
static const float *gamma_of(const fmd_layer *l)
{
    return ((const args *)l->args)->scale ? l->param[0] : NULL;
}

static const float *beta_of(const fmd_layer *l)
{
    const args *a = l->args;
    return a->center ? l->param[a->scale ? 1 : 0] : NULL;
}

static void measure(size_t n, const float *x, double epsilon, double *statistics)
{
    double sum = 0, squares = 0;
    for (size_t j = 0; j < n; j++)
        sum += (double)x[j];
    const double mean = sum / (double)n;
    for (size_t j = 0; j < n; j++)
        squares += ((double)x[j] - mean) * ((double)x[j] - mean);
    statistics[0] = mean;
    statistics[1] = 1 / sqrt(squares / (double)n + epsilon);
}

/* gamma and beta may be NULL. */
FMD_SIMD static void normalize(size_t n, const float *restrict x, const double *statistics,
                               const float *restrict gamma, const float *restrict beta,
                               float *restrict y)
{
    const double mean = statistics[0], inverse = statistics[1];
    for (size_t j = 0; j < n; j++)
        y[j] = (float)(((double)x[j] - mean) * inverse);
    for (size_t j = 0; gamma != NULL && j < n; j++)
        y[j] *= gamma[j];
    for (size_t j = 0; beta != NULL && j < n; j++)
        y[j] += beta[j];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    (void)sink;
    const size_t n = row_of(l), rows = fmd_pass_samples(p) * (fmd_shape_count(l->out) / n);
    double *statistics = v->saved[STATISTICS];
    for (size_t i = 0; i < rows; i++) {
        measure(n, v->x[0] + i * n, ((const args *)l->args)->epsilon, statistics + 2 * i);
        normalize(n, v->x[0] + i * n, statistics + 2 * i, gamma_of(l), beta_of(l), v->y + i * n);
    }
}

/* The gradients of beta and gamma: the sums of dy and of dy xhat, from the first row to the last. */
FMD_SIMD static void sum_gradients(size_t rows, size_t n, const float *restrict x,
                                   const double *statistics, const float *restrict dy,
                                   double *restrict beta, double *restrict gamma)
{
    for (size_t j = 0; j < n; j++)
        beta[j] = gamma[j] = 0;
    for (size_t i = 0; i < rows; i++) {
        const double mean = statistics[2 * i], inverse = statistics[2 * i + 1];
        for (size_t j = 0; j < n; j++) {
            beta[j] += (double)dy[i * n + j];
            gamma[j] += (double)dy[i * n + j] * (((double)x[i * n + j] - mean) * inverse);
        }
    }
}

/* dx = inverse (g - mean of g - xhat mean of g xhat) with g = gamma dy. */
static void input_gradient(size_t n, const float *x, const double *statistics, const float *gamma,
                           const float *dy, float *dx)
{
    const double mean = statistics[0], inverse = statistics[1];
    double sum = 0, product = 0;
    for (size_t j = 0; j < n; j++) {
        const double g = (double)dy[j] * (gamma == NULL ? 1 : (double)gamma[j]);
        sum += g;
        product += g * (((double)x[j] - mean) * inverse);
    }
    for (size_t j = 0; j < n; j++) {
        const double g = (double)dy[j] * (gamma == NULL ? 1 : (double)gamma[j]);
        const double xhat = ((double)x[j] - mean) * inverse;
        dx[j] = (float)(inverse * (g - sum / (double)n - xhat * (product / (double)n)));
    }
}

static void commit_sums(const fmd_gradient_sink *sink, size_t tensor, size_t n, const double *sums)
{
    float *sum = sink->begin(sink->self, tensor, 0, n);
    for (size_t j = 0; j < n; j++)
        sum[j] = (float)sums[j];
    sink->commit(sink->self, tensor, 0, n);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t n = row_of(l);
    const size_t rows = (size_t)p->microbatch_size * (fmd_shape_count(l->out) / n);
    const double *statistics = v->saved[STATISTICS];
    double *beta = v->workspace, *gamma = beta + n;
    for (size_t i = 0; i < (size_t)p->microbatches && l->n_tensors > 0; i++) {
        const size_t at = i * rows;
        sum_gradients(rows, n, v->x[0] + at * n, statistics + 2 * at, v->dy + at * n, beta, gamma);
        if (a->scale)
            commit_sums(sink, l->first_tensor, n, gamma);
        if (a->center)
            commit_sums(sink, l->first_tensor + (a->scale ? 1 : 0), n, beta);
    }
    for (size_t i = 0; v->dx[0] != NULL && i < (size_t)p->microbatches * rows; i++)
        input_gradient(n, v->x[0] + i * n, statistics + 2 * i, gamma_of(l), v->dy + i * n,
                       v->dx[0] + i * n);
}

/* Forward reads x three times; backward reads x and dy three times. */
static fmd_cost cost(const fmd_layer *l, size_t samples)
{
    const double n = (double)samples * (double)fmd_shape_count(l->out);
    return (fmd_cost){.forward_flops = 8 * n,
                      .forward_bytes = 2 * n * sizeof(float),
                      .backward_flops = (l->sends_gradient ? 18 : 5) * n,
                      .backward_bytes = (l->sends_gradient ? 3 : 2) * n * sizeof(float)};
}

const fmd_layer_ops fmd_layer_layer_normalization = {
    .name = "layer_normalization",
    .keras_class = "LayerNormalization",
    .help = "normalises each row of channels, or each image",
    .example = "layer_normalization:axis=-2x-1",
    .example_in = {.rank = 3, .dim = {2, 3, 4}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
    .cost = cost,
};
