#include "base/simd.h"
#include "nn/plan.h"

#include <math.h>
#include <string.h>

/* Ioffe and Szegedy, 2015, as Keras' BatchNormalization over the last axis: y = gamma (x - mean) /
 * sqrt(variance + epsilon) + beta. In training mean and variance are those of a microbatch ("ghost
 * batch normalisation", Hoffer et al., 2017), so they do not depend on the ranks. */

typedef struct args {
    double momentum, epsilon;
    bool center, scale;
} args;

static const fmd_option options[] = {
    {.name = "momentum",
     .kind = FMD_OPTION_FLOAT,
     .offset = offsetof(args, momentum),
     .initial = "0.99",
     .min = 0,
     .max = 1,
     .keras = "momentum",
     .help = "share of the moving statistics that a step keeps"},
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

enum { MEAN, VARIANCE }; /* states */
enum { STATISTICS };     /* saved */

static size_t channels(const fmd_layer *l)
{
    return (size_t)l->out.dim[l->out.rank - 1];
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

/* The statistics of a microbatch, one value per channel in each array: xhat = ((x - mean) - rest) *
 * inverse. A float cannot represent a mean much larger than the deviation precisely enough: `rest`
 * holds its next digits. */
typedef struct statistics {
    float *mean, *rest, *inverse;
} statistics;

static statistics statistics_of(const fmd_layer *l, const fmd_values *v, size_t microbatch)
{
    const size_t c = channels(l);
    float *at = (float *)v->saved[STATISTICS] + microbatch * 3 * c;
    return (statistics){.mean = at, .rest = at + c, .inverse = at + 2 * c};
}

static fmd_status build(fmd_layer *l, fmd_plan *plan)
{
    const args *a = l->args;
    l->out = l->in[0];
    const fmd_shape shape = {.rank = 1, .dim = {l->out.dim[l->out.rank - 1]}};
    if (a->scale)
        fmd_plan_param(plan, (fmd_param){.name = "gamma", .shape = shape, .init = FMD_INIT_ones});
    if (a->center)
        fmd_plan_param(plan, (fmd_param){.name = "beta", .shape = shape, .init = FMD_INIT_zeros});
    fmd_plan_state(plan, "moving_mean", shape, FMD_INIT_zeros);
    fmd_plan_state(plan, "moving_variance", shape, FMD_INIT_ones);
    fmd_plan_saved_by_microbatch(plan, 3 * channels(l) * sizeof(float));
    fmd_plan_workspace(plan, channels(l) * (2 * sizeof(double) + 3 * sizeof(float)));
    return FMD_OK;
}

/* Rows of channels in one microbatch, and those that belong to samples. */
static size_t rows_of(const fmd_layer *l, size_t samples)
{
    return samples * (fmd_shape_count(l->out) / channels(l));
}

/* sum[j] and squares[j] over the rows, from the first to the last. The square of a float is exact
 * in a double, so the cancellation in squares / n - mean^2 is harmless. */
FMD_SIMD static void sum_columns(size_t rows, size_t c, const float *restrict x,
                                 double *restrict sum, double *restrict squares)
{
    for (size_t j = 0; j < c; j++)
        sum[j] = squares[j] = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const double value = (double)x[i * c + j];
            sum[j] += value;
            squares[j] += value * value;
        }
}

static void set_statistics(double mean, double variance, double epsilon, const statistics *s,
                           size_t j)
{
    s->mean[j] = (float)mean;
    s->rest[j] = (float)(mean - (double)s->mean[j]);
    s->inverse[j] = (float)(1 / sqrt(variance + epsilon));
}

/* Mean and variance of a microbatch; their sums over its samples, for the moving ones, go into the
 * sink. */
static void measure(const fmd_layer *l, const fmd_pass *p, const fmd_values *v, size_t microbatch,
                    const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t c = channels(l), samples = fmd_pass_real(p, microbatch);
    const size_t rows = rows_of(l, samples);
    const statistics s = statistics_of(l, v, microbatch);
    double *mean = v->workspace, *variance = mean + c;
    sum_columns(rows, c, v->x[0] + microbatch * rows_of(l, (size_t)p->microbatch_size) * c, mean,
                variance);
    for (size_t j = 0; j < c; j++) {
        mean[j] /= (double)rows;
        variance[j] = variance[j] / (double)rows - mean[j] * mean[j];
        variance[j] = variance[j] > 0 ? variance[j] : 0;
        set_statistics(mean[j], variance[j], a->epsilon, &s, j);
    }
    for (size_t state = MEAN; sink != NULL && state <= VARIANCE; state++) {
        const double *value = state == MEAN ? mean : variance;
        float *sum = sink->begin(sink->self, l->first_state + state, 0, c);
        for (size_t j = 0; j < c; j++)
            sum[j] = (float)(value[j] * (double)samples);
        sink->commit(sink->self, l->first_state + state, 0, c);
    }
}

/* y = (x - mean) factor + shift. */
FMD_SIMD static void normalize(size_t rows, size_t c, const float *restrict x, statistics s,
                               const float *restrict factor, const float *restrict shift,
                               float *restrict y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++)
            y[i * c + j] = (x[i * c + j] - s.mean[j] - s.rest[j]) * factor[j] + shift[j];
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t c = channels(l), rows = rows_of(l, (size_t)p->microbatch_size);
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        const statistics s = statistics_of(l, v, i);
        if (p->training)
            measure(l, p, v, i, sink);
        for (size_t j = 0; !p->training && j < c; j++)
            set_statistics((double)l->state[MEAN][j], (double)l->state[VARIANCE][j], a->epsilon, &s,
                           j);
        float *factor = v->workspace, *shift = factor + c;
        const float *gamma = gamma_of(l), *beta = beta_of(l);
        for (size_t j = 0; j < c; j++) {
            factor[j] = gamma != NULL ? gamma[j] * s.inverse[j] : s.inverse[j];
            shift[j] = beta != NULL ? beta[j] : 0;
        }
        normalize(rows, c, v->x[0] + i * rows * c, s, factor, shift, v->y + i * rows * c);
    }
}

/* The gradients of beta and gamma: the sums of dy and of dy xhat, from the first row to the last. */
FMD_SIMD static void sum_gradients(size_t rows, size_t c, const float *restrict x, statistics s,
                                   const float *restrict dy, double *restrict beta,
                                   double *restrict gamma)
{
    for (size_t j = 0; j < c; j++)
        beta[j] = gamma[j] = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const float xhat = (x[i * c + j] - s.mean[j] - s.rest[j]) * s.inverse[j];
            beta[j] += (double)dy[i * c + j];
            gamma[j] += (double)dy[i * c + j] * (double)xhat;
        }
}

/* dx = factor (dy - mean_dy - xhat mean_dy_xhat), each of a channel. */
typedef struct slope {
    float *factor, *mean_dy, *mean_dy_xhat;
} slope;

/* From the sums over n rows; gamma may be NULL. In inference the statistics do not depend on x, and
 * n is infinite: no means are taken off. */
static slope slope_of(const fmd_values *v, size_t c, statistics s, const float *gamma, double n)
{
    const double *sum_dy = v->workspace, *sum_dy_xhat = sum_dy + c;
    float *at = (float *)(void *)((double *)v->workspace + 2 * c);
    for (size_t j = 0; j < c; j++) {
        at[j] = gamma != NULL ? gamma[j] * s.inverse[j] : s.inverse[j];
        at[c + j] = (float)(sum_dy[j] / n);
        at[2 * c + j] = (float)(sum_dy_xhat[j] / n);
    }
    return (slope){.factor = at, .mean_dy = at + c, .mean_dy_xhat = at + 2 * c};
}

FMD_SIMD static void input_gradient(size_t rows, size_t c, const float *restrict x, statistics s,
                                    slope k, const float *restrict dy, float *restrict dx)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < c; j++) {
            const float xhat = (x[i * c + j] - s.mean[j] - s.rest[j]) * s.inverse[j];
            dx[i * c + j] = k.factor[j] * (dy[i * c + j] - k.mean_dy[j] - xhat * k.mean_dy_xhat[j]);
        }
}

static void commit_sums(const fmd_gradient_sink *sink, size_t tensor, size_t c, const double *sums)
{
    float *sum = sink->begin(sink->self, tensor, 0, c);
    for (size_t j = 0; j < c; j++)
        sum[j] = (float)sums[j];
    sink->commit(sink->self, tensor, 0, c);
}

static void backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t c = channels(l), all = rows_of(l, (size_t)p->microbatch_size);
    double *beta = v->workspace, *gamma = beta + c;
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        const statistics s = statistics_of(l, v, i);
        const size_t rows = rows_of(l, fmd_pass_real(p, i)), at = i * all * c;
        sum_gradients(rows, c, v->x[0] + at, s, v->dy + at, beta, gamma);
        if (a->scale)
            commit_sums(sink, l->first_tensor, c, gamma);
        if (a->center)
            commit_sums(sink, l->first_tensor + (a->scale ? 1 : 0), c, beta);
        if (v->dx[0] == NULL)
            continue;
        const slope k =
            slope_of(v, c, s, gamma_of(l), p->training ? (double)rows : (double)INFINITY);
        input_gradient(rows, c, v->x[0] + at, s, k, v->dy + at, v->dx[0] + at);
        memset(v->dx[0] + at + rows * c, 0, (all - rows) * c * sizeof *v->dy);
    }
}

/* moving = momentum moving + (1 - momentum) mean, for both. */
static void update_state(const fmd_layer *l, size_t state, size_t n, const float *mean,
                         float *values)
{
    (void)state;
    const double momentum = ((const args *)l->args)->momentum;
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(momentum * (double)values[i] + (1 - momentum) * (double)mean[i]);
}

/* Forward reads x twice; backward reads x and dy twice. */
static fmd_cost cost(const fmd_layer *l, size_t samples)
{
    const double n = (double)samples * (double)fmd_shape_count(l->out);
    return (fmd_cost){.forward_flops = 7 * n,
                      .forward_bytes = 3 * n * sizeof(float),
                      .backward_flops = (l->sends_gradient ? 12 : 6) * n,
                      .backward_bytes = (l->sends_gradient ? 5 : 2) * n * sizeof(float)};
}

const fmd_layer_ops fmd_layer_batch_normalization = {
    .name = "batch_normalization",
    .keras_class = "BatchNormalization",
    .help = "normalises each channel over a microbatch",
    .example = "batch_normalization",
    .example_in = {.rank = 2, .dim = {3, 4}},
    .args_size = sizeof(args),
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .batch_statistics = true,
    .forgets_y = true,
    .build = build,
    .forward = forward,
    .backward = backward,
    .update_state = update_state,
    .cost = cost,
};
