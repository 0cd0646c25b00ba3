#include "measure/layer_bench.h"

#include "base/mem.h"
#include "base/timer.h"
#include "measure/stats.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>

void fmd_layer_time(void *self, const fmd_layer_call *call)
{
    fmd_layer_seconds *s = (fmd_layer_seconds *)self + call->layer->index;
    const double start = fmd_now();
    fmd_layer_run(call);
    *(call->backward ? &s->backward : &s->forward) += fmd_now() - start;
}

bool fmd_layer_convolves(const fmd_model *m, const fmd_layer *l)
{
    enum { KERNEL_RANK = 4 };
    return l->n_tensors > 0 && fmd_model_tensor(m, l->first_tensor)->shape.rank == KERNEL_RANK;
}

/* Inputs of a layer with all that is fused with it. */
enum { MOST_INPUTS = 16 };

typedef struct bench {
    const fmd_model *model;
    size_t n, pass;                           /* passes; the one under way */
    double *forward, *kernel_gradient, *both; /* seconds: n for each layer */
    float *gradients;                         /* of a tensor */
} bench;

static double time_of(const fmd_layer_call *call)
{
    const double start = fmd_now();
    fmd_layer_run(call);
    return fmd_now() - start;
}

/* Backward twice, first without the gradient of the input, whose time is the difference. */
static void measure_backward(bench *b, const fmd_layer_call *call, size_t at)
{
    float *none[MOST_INPUTS] = {NULL};
    fmd_values values = *call->values;
    fmd_layer_call kernel_only = *call;
    values.dx = none;
    kernel_only.values = &values;
    b->kernel_gradient[at] = time_of(&kernel_only);
    b->both[at] = time_of(call);
}

static void measure_call(void *self, const fmd_layer_call *call)
{
    bench *b = self;
    const size_t at = (size_t)call->layer->index * b->n + b->pass;
    if (!fmd_layer_convolves(b->model, call->layer))
        fmd_layer_run(call);
    else if (call->backward)
        measure_backward(b, call, at);
    else
        b->forward[at] = time_of(call);
}

static float *sink_begin(void *self, size_t tensor, size_t offset, size_t n)
{
    (void)tensor;
    (void)offset;
    (void)n;
    return ((bench *)self)->gradients;
}

static void sink_commit(void *self, size_t tensor, size_t offset, size_t n)
{
    (void)self;
    (void)tensor;
    (void)offset;
    (void)n;
}

/* Gradients of logits in the place of the loss's: small, none of them zero except in padding. */
static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    const size_t classes = (size_t)fmd_model_classes(((bench *)self)->model);
    (void)first;
    (void)logits;
    for (size_t i = 0; i < rows * classes; i++)
        grads[i] = i < n * classes ? (float)(1 + i % 61) * 0x1p-9f : 0;
}

static fmd_status allocate(bench *b)
{
    const size_t n = b->n * fmd_model_n_layers(b->model);
    size_t largest = 0;
    for (size_t i = 0; i < fmd_model_n_tensors(b->model); i++)
        if (largest < fmd_model_tensor(b->model, i)->count)
            largest = fmd_model_tensor(b->model, i)->count;
    FMD_TRY(fmd_alloc(&b->forward, n, sizeof(double), "the times"));
    FMD_TRY(fmd_alloc(&b->kernel_gradient, n, sizeof(double), "the times"));
    FMD_TRY(fmd_alloc(&b->both, n, sizeof(double), "the times"));
    return fmd_alloc(&b->gradients, largest, sizeof(float), "the benchmark");
}

/* Collective. Medians of a layer; means over the ranks. */
static fmd_convolution_seconds seconds_of(fmd_comm *c, bench *b, const fmd_layer *l)
{
    const size_t at = (size_t)l->index * b->n;
    for (size_t i = at; i < at + b->n; i++)
        b->both[i] -= b->kernel_gradient[i];
    double medians[] = {fmd_stats_of(b->forward + at, b->n).median,
                        fmd_stats_of(b->kernel_gradient + at, b->n).median,
                        fmd_stats_of(b->both + at, b->n).median};
    fmd_comm_mean(c, medians, 3);
    return (fmd_convolution_seconds){.forward = medians[0],
                                     .weight_gradient = medians[1],
                                     .input_gradient =
                                         l->sends_gradient ? medians[2] : (double)NAN};
}

fmd_status fmd_measure_convolutions(fmd_comm *c, fmd_model *m, const fmd_fit_args *fit,
                                    size_t samples, size_t microbatch_size, size_t n,
                                    fmd_convolution_seconds *seconds)
{
    bench b = {.model = m, .n = n};
    const fmd_gradient_sink sink = {.self = &b, .begin = sink_begin, .commit = sink_commit};
    const fmd_passes passes = {.model = m,
                               .split = &fit->train,
                               .divisor = fit->divisor,
                               .count = samples,
                               .microbatch_size = microbatch_size,
                               .training = true,
                               .seed = fit->seed,
                               .sink = &sink,
                               .score = score,
                               .self = &b};
    const fmd_status st = fmd_comm_agree(c, allocate(&b));
    if (st == FMD_OK) {
        fmd_passes_run(&passes);
        fmd_comm_barrier(c);
        fmd_model_hook(m, measure_call, &b);
        for (b.pass = 0; b.pass < n; b.pass++)
            fmd_passes_run(&passes);
        fmd_model_hook(m, NULL, NULL);
        for (size_t i = 0; i < fmd_model_n_layers(m); i++)
            if (fmd_layer_convolves(m, fmd_model_layer(m, i)))
                seconds[i] = seconds_of(c, &b, fmd_model_layer(m, i));
    }
    free(b.forward);
    free(b.kernel_gradient);
    free(b.both);
    free(b.gradients);
    return st;
}
