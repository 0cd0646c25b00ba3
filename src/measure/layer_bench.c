#include "measure/layer_bench.h"

#include "base/mem.h"
#include "base/timer.h"
#include "measure/stats.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

typedef struct bench {
    fmd_comm *comm;
    fmd_model *model;
    size_t n;                  /* repetitions */
    double *whole, *part;      /* their seconds */
    float *gradients, *backup; /* of a tensor; of an output */
    fmd_convolution_seconds *seconds;
} bench;

static double median_of(bench *b, double *seconds)
{
    double median = fmd_stats_of(seconds, b->n).median;
    fmd_comm_mean(b->comm, &median, 1);
    return median;
}

static double time_of(const fmd_layer_call *call)
{
    const double start = fmd_now();
    fmd_layer_run(call);
    return fmd_now() - start;
}

static void measure_forward(bench *b, const fmd_layer_call *call)
{
    fmd_layer_run(call);
    fmd_comm_barrier(b->comm);
    for (size_t i = 0; i < b->n; i++)
        b->whole[i] = time_of(call);
    b->seconds[call->layer->index].forward = median_of(b, b->whole);
}

/* The input gradient is the difference between calls with it and calls without it. */
static void measure_backward(bench *b, const fmd_layer_call *call)
{
    fmd_convolution_seconds *s = &b->seconds[call->layer->index];
    const size_t bytes =
        fmd_pass_samples(call->pass) * fmd_shape_count(call->layer->out) * sizeof(float);
    fmd_values values = *call->values;
    fmd_layer_call weights_only = *call;
    float *dx[] = {NULL};
    const bool sends = values.dx[0] != NULL;
    values.dx = dx;
    weights_only.values = &values;
    memcpy(b->backup, values.dy, bytes);
    fmd_layer_run(&weights_only);
    fmd_comm_barrier(b->comm);
    for (size_t i = 0; i < b->n; i++) {
        memcpy(values.dy, b->backup, bytes);
        b->part[i] = time_of(&weights_only);
        memcpy(values.dy, b->backup, bytes);
        b->whole[i] = time_of(call) - b->part[i];
    }
    s->weight_gradient = median_of(b, b->part);
    s->input_gradient = sends ? median_of(b, b->whole) : (double)NAN;
}

static void measure_call(void *self, const fmd_layer_call *call)
{
    bench *b = self;
    if (!fmd_layer_convolves(b->model, call->layer))
        fmd_layer_run(call);
    else if (call->backward)
        measure_backward(b, call);
    else
        measure_forward(b, call);
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

static fmd_status allocate(bench *b, size_t rows)
{
    size_t largest = 0, output = 0;
    for (size_t i = 0; i < fmd_model_n_tensors(b->model); i++)
        if (largest < fmd_model_tensor(b->model, i)->count)
            largest = fmd_model_tensor(b->model, i)->count;
    for (size_t i = 0; i < fmd_model_n_layers(b->model); i++)
        if (output < fmd_shape_count(fmd_model_layer(b->model, i)->out))
            output = fmd_shape_count(fmd_model_layer(b->model, i)->out);
    FMD_TRY(fmd_alloc(&b->whole, b->n, sizeof *b->whole, "the times"));
    FMD_TRY(fmd_alloc(&b->part, b->n, sizeof *b->part, "the times"));
    FMD_TRY(fmd_alloc(&b->gradients, largest, sizeof(float), "the benchmark"));
    return fmd_alloc(&b->backup, rows * output, sizeof(float), "the benchmark");
}

fmd_status fmd_measure_convolutions(fmd_comm *c, fmd_model *m, const fmd_fit_args *fit,
                                    size_t samples, size_t microbatch_size, size_t n,
                                    fmd_convolution_seconds *seconds)
{
    bench b = {.comm = c, .model = m, .n = n, .seconds = seconds};
    const size_t rows = (samples + microbatch_size - 1) / microbatch_size * microbatch_size;
    const fmd_gradient_sink sink = {.self = &b, .begin = sink_begin, .commit = sink_commit};
    const fmd_status st = fmd_comm_agree(c, allocate(&b, rows));
    if (st == FMD_OK) {
        fmd_model_hook(m, measure_call, &b);
        fmd_passes_run(&(fmd_passes){.model = m,
                                     .split = &fit->train,
                                     .divisor = fit->divisor,
                                     .count = samples,
                                     .microbatch_size = microbatch_size,
                                     .training = true,
                                     .seed = fit->seed,
                                     .sink = &sink,
                                     .score = score,
                                     .self = &b});
        fmd_model_hook(m, NULL, NULL);
    }
    free(b.whole);
    free(b.part);
    free(b.gradients);
    free(b.backup);
    return st;
}
