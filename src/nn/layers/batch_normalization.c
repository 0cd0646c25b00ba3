#include "base/mem.h"
#include "base/simd.h"
#include "math/channels.h"
#include "nn/plan.h"
#include "nn/pooling.h"

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

enum { MEAN, VARIANCE };     /* states */
enum { STATISTICS, PLACES }; /* saved; the last one by a fused pooling */

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

static fmd_channel_statistics statistics_of(const fmd_layer *l, const fmd_values *v,
                                            size_t microbatch)
{
    const size_t c = channels(l);
    float *at = (float *)v->saved[STATISTICS] + microbatch * 3 * c;
    return (fmd_channel_statistics){.mean = at, .rest = at + c, .inverse = at + 2 * c};
}

static size_t larger(size_t x, size_t y)
{
    return x > y ? x : y;
}

/* Rows of a band, which stays in the first cache while all loops of a pass go over it. */
static size_t band_rows(size_t c)
{
    enum { BAND_FLOATS = 2048 };
    return larger(BAND_FLOATS / larger(c, 1), 1);
}

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

/* Rows of a line of windows. */
static size_t line_rows(const fmd_pool *p)
{
    return (size_t)p->pool_h * (size_t)p->in_w;
}

/* The workspace holds sums and slopes, then the band of an image in front of a pooling. */
static size_t sums_bytes(size_t c)
{
    return (c * (2 * sizeof(double) + 3 * sizeof(float)) + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
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
    fmd_plan_workspace(plan, sums_bytes(channels(l)));
    return FMD_OK;
}

static bool is_layer(const fmd_layer *l, const char *name)
{
    return strcmp(l->ops->name, name) == 0;
}

/* add of two inputs, then relu, then a maximum pooling; or some of them. */
static int fuse(const fmd_layer *l, int n, fmd_plan *plan)
{
    int fused = 0;
    if (fused < n && is_layer(l + 1, "add") && l[1].n_inputs == 2)
        fused++;
    if (fused < n && is_layer(l + fused + 1, "relu"))
        fused++;
    if (fused < n && is_layer(l + fused + 1, "max_pooling2d")) {
        const fmd_pool p = fmd_pooling_of(l + fused + 1);
        const size_t c = channels(l), rows = larger(band_rows(c), line_rows(&p));
        if (fmd_pool_is_apart(&p)) {
            fmd_plan_workspace(plan, sums_bytes(c) + rows * c * sizeof(float));
            fused++;
        }
    }
    return fused;
}

/* The layers that this one computes as well, and the arrays of their own. */
typedef struct fused {
    bool relu, adds, pools;
    const float *added;
    float *added_dx; /* NULL: not needed */
    fmd_pool pool;
    uint8_t *places;
    float *band; /* the values in front of the pooling */
} fused;

static fused fused_of(const fmd_layer *l, const fmd_values *v)
{
    fused f = {.relu = false};
    for (int i = 1; i <= l->n_fused; i++) {
        f.adds = f.adds || is_layer(l + i, "add");
        f.relu = f.relu || is_layer(l + i, "relu");
        f.pools = f.pools || is_layer(l + i, "max_pooling2d");
    }
    if (f.pools) {
        f.pool = fmd_pooling_of(l + l->n_fused);
        f.places = v->saved[PLACES];
        f.band = (float *)(void *)((char *)v->workspace + sums_bytes(channels(l)));
    }
    if (f.adds) {
        f.added = v->x[2];
        f.added_dx = v->dx[2];
    }
    return f;
}

/* Rows of channels in one microbatch, and those that belong to samples. */
static size_t rows_of(const fmd_layer *l, size_t samples)
{
    return samples * (fmd_shape_count(l->out) / channels(l));
}

/* Rows that a pass goes over at a time, and values before them in x, and in y. In front of a pooling
 * they are whole lines of windows, or what is left of an image below them. */
typedef struct band {
    size_t rows, first, first_y;
    fmd_pool pool; /* of these rows */
} band;

/* The band that begins at a row of the `rows` rows of all microbatches. */
static band band_at(const fused *f, size_t c, size_t row, size_t rows)
{
    band b = {.rows = least(band_rows(c), rows - row), .first = row * c, .first_y = row * c};
    if (!f->pools)
        return b;
    const fmd_pool *p = &f->pool;
    const size_t width = (size_t)p->in_w, image = width * (size_t)p->in_h;
    const size_t line = line_rows(p), lines = larger(band_rows(c) / line, 1);
    b.rows = least(lines * line, image - row % image);
    b.pool = *p;
    b.pool.in_h = (int)(b.rows / width);
    b.pool.out_h = b.pool.in_h / p->pool_h;
    b.first_y = (row / image * (size_t)p->out_h + row % image / line) * (size_t)p->out_w * c;
    return b;
}

static void set_statistics(double mean, double variance, double epsilon,
                           const fmd_channel_statistics *s, size_t j)
{
    s->mean[j] = (float)mean;
    s->rest[j] = (float)(mean - (double)s->mean[j]);
    s->inverse[j] = (float)(1 / sqrt(variance + epsilon));
}

/* Mean and variance of a microbatch; their sums over its samples, for the moving ones, go into the
 * sink. The square of a float is exact in a double, so the cancellation in squares / n - mean^2 is
 * harmless. A float cannot represent a mean much larger than the deviation precisely enough: `rest`
 * holds its next digits. */
static void measure(const fmd_layer *l, const fmd_pass *p, const fmd_values *v, size_t microbatch,
                    const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t c = channels(l), samples = fmd_pass_real(p, microbatch);
    const size_t rows = rows_of(l, samples);
    const fmd_channel_statistics s = statistics_of(l, v, microbatch);
    double *mean = v->workspace, *variance = mean + c;
    memset(mean, 0, 2 * c * sizeof *mean);
    const float *x = v->x[0] + microbatch * rows_of(l, (size_t)p->microbatch_size) * c;
    for (size_t i = 0; i < rows; i += band_rows(c))
        fmd_channel_sums(least(band_rows(c), rows - i), c, x + i * c, mean, variance);
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

/* Normalises the rows of one microbatch. */
static void normalize(const fmd_layer *l, const fmd_values *v, size_t from, size_t to,
                      fmd_channel_statistics s)
{
    const size_t c = channels(l);
    const fused f = fused_of(l, v);
    const float *gamma = gamma_of(l), *beta = beta_of(l);
    float *factor = v->workspace, *shift = factor + c;
    for (size_t j = 0; j < c; j++) {
        factor[j] = gamma != NULL ? gamma[j] * s.inverse[j] : s.inverse[j];
        shift[j] = beta != NULL ? beta[j] : 0;
    }
    for (size_t row = from; row < to;) {
        const band b = band_at(&f, c, row, to);
        float *y = f.pools ? f.band : v->y + b.first_y;
        fmd_channel_normalize(b.rows, c, v->x[0] + b.first, s, factor, shift,
                              f.adds ? f.added + b.first : NULL, f.relu, y);
        if (f.pools)
            fmd_max_pool(&b.pool, 1, y, v->y + b.first_y, f.places + b.first_y);
        row += b.rows;
    }
}

static void forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink)
{
    const args *a = l->args;
    const size_t c = channels(l), rows = rows_of(l, (size_t)p->microbatch_size);
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        const fmd_channel_statistics s = statistics_of(l, v, i);
        if (p->training)
            measure(l, p, v, i, sink);
        for (size_t j = 0; !p->training && j < c; j++)
            set_statistics((double)l->state[MEAN][j], (double)l->state[VARIANCE][j], a->epsilon, &s,
                           j);
        normalize(l, v, i * rows, (i + 1) * rows, s);
    }
}

/* dy becomes zero where y is not positive. */
FMD_SIMD static void keep_positive(size_t n, const float *restrict y, float *restrict dy)
{
    for (size_t i = 0; i < n; i++)
        dy[i] = y[i] > 0 ? dy[i] : 0;
}

/* The gradient of this layer's own output for a band of rows; in front of a pooling it is made anew in
 * each pass. */
static float *gradient_of(const fused *f, const band *b, const fmd_values *v)
{
    float *dy = v->dy + b->first_y;
    if (!f->pools)
        return dy;
    fmd_max_pool_gradient(&b->pool, 1, dy, f->places + b->first_y, f->band);
    return f->band;
}

/* The gradients of beta and gamma of the rows of one microbatch: the sums of dy and of dy xhat. On the
 * way dy goes through relu, in front of a pooling at the maxima, and to the other input of an add. */
static void sum_gradients(const fmd_layer *l, const fmd_values *v, size_t from, size_t to,
                          fmd_channel_statistics s, double *beta, double *gamma)
{
    const size_t c = channels(l);
    const fused f = fused_of(l, v);
    memset(beta, 0, c * sizeof *beta);
    memset(gamma, 0, c * sizeof *gamma);
    for (size_t row = from; row < to;) {
        const band b = band_at(&f, c, row, to);
        const float *y = v->y + b.first_y;
        if (f.pools && f.relu)
            keep_positive((size_t)(b.pool.out_h * b.pool.out_w) * c, y, v->dy + b.first_y);
        fmd_channel_gradient_sums(b.rows, c, v->x[0] + b.first, s, f.relu && !f.pools ? y : NULL,
                                  gradient_of(&f, &b, v),
                                  f.added_dx != NULL ? f.added_dx + b.first : NULL, beta, gamma);
        row += b.rows;
    }
}

/* From the sums over n rows; gamma may be NULL. In inference the statistics do not depend on x, and
 * n is infinite: no means are taken off. */
static fmd_channel_slope slope_of(const fmd_values *v, size_t c, fmd_channel_statistics s,
                                  const float *gamma, double n)
{
    const double *sum_dy = v->workspace, *sum_dy_xhat = sum_dy + c;
    float *at = (float *)(void *)((double *)v->workspace + 2 * c);
    for (size_t j = 0; j < c; j++) {
        at[j] = gamma != NULL ? gamma[j] * s.inverse[j] : s.inverse[j];
        at[c + j] = (float)(sum_dy[j] / n);
        at[2 * c + j] = (float)(sum_dy_xhat[j] / n);
    }
    return (fmd_channel_slope){.factor = at, .mean_dy = at + c, .mean_dy_xhat = at + 2 * c};
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
    const fused f = fused_of(l, v);
    double *beta = v->workspace, *gamma = beta + c;
    for (size_t i = 0; i < (size_t)p->microbatches; i++) {
        const fmd_channel_statistics s = statistics_of(l, v, i);
        const size_t rows = rows_of(l, fmd_pass_real(p, i)), from = i * all, to = from + rows;
        const size_t end = to * c;
        const size_t padding = (all - rows) * c * sizeof *v->dy;
        sum_gradients(l, v, from, to, s, beta, gamma);
        if (f.added_dx != NULL)
            memset(f.added_dx + end, 0, padding);
        if (a->scale)
            commit_sums(sink, l->first_tensor, c, gamma);
        if (a->center)
            commit_sums(sink, l->first_tensor + (a->scale ? 1 : 0), c, beta);
        if (v->dx[0] == NULL)
            continue;
        const fmd_channel_slope k =
            slope_of(v, c, s, gamma_of(l), p->training ? (double)rows : (double)INFINITY);
        for (size_t row = from; row < to;) {
            const band b = band_at(&f, c, row, to);
            fmd_channel_input_gradient(b.rows, c, v->x[0] + b.first, s, k, gradient_of(&f, &b, v),
                                       v->dx[0] + b.first);
            row += b.rows;
        }
        memset(v->dx[0] + end, 0, padding);
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
    .fuse = fuse,
    .update_state = update_state,
    .cost = cost,
};
