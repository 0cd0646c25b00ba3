/* bench --profile and --op conv: the layers of a model. */
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/bench/bench.h"
#include "measure/layer_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORWARD, BACKWARD, UPDATE, REDUCE, TOTAL, PERCENT, OF_PEAK, PROFILE_COLUMNS };

static const double none = (double)NAN;

/* A row of the profile; `ms` NULL: only a total. */
static void profile_row(const fmd_bench_table *t, const char *name, const double ms[TOTAL],
                        double total, double step, double of_peak)
{
    double values[PROFILE_COLUMNS];
    for (int i = 0; i < TOTAL; i++)
        values[i] = ms != NULL ? ms[i] : none;
    values[TOTAL] = total;
    values[PERCENT] = 100 * total / step;
    values[OF_PEAK] = of_peak;
    fmd_bench_table_row(t, name, values);
}

/* Means over the ranks, in ms and FLOP per ms. */
typedef struct means {
    double assemble, forward, backward, update, reduce, step, peak;
} means;

static means means_of(const fmd_bench_result *r, int size)
{
    means m = {0};
    for (int i = 0; i < size; i++) {
        const fmd_bench_rank *k = &r->ranks[i];
        m.assemble += k->phases.assemble * 1e3 / size;
        m.forward += k->phases.forward * 1e3 / size;
        m.backward += k->phases.backward * 1e3 / size;
        m.update += k->phases.update * 1e3 / size;
        m.reduce += k->phases.reduce * 1e3 / size;
        m.step += k->step * 1e3 / size;
        m.peak += k->peak * 1e-3 / size;
    }
    return m;
}

/* The share of a layer in all values of a model. */
static double share_of(const fmd_model *m, const fmd_layer *l)
{
    size_t n = 0;
    for (size_t i = 0; i < fmd_layer_n_variables(l); i++)
        n += fmd_model_tensor(m, fmd_layer_variable(l, i))->count;
    return n == 0 ? 0 : (double)n / (double)fmd_model_n_params(m);
}

void fmd_bench_profile(const fmd_bench *b, const fmd_bench_result *r)
{
    static const fmd_bench_column label = {"layer", "layer, ms per step", 25, 0};
    static const fmd_bench_column columns[PROFILE_COLUMNS] = {
        {"forward_ms", "forward", 7, 3},     {"backward_ms", "backward", 8, 3},
        {"update_ms", "update", 6, 3},       {"reduce_ms", "reduce", 6, 3},
        {"total_ms", "total", 7, 3},         {"percent", "%", 5, 1},
        {"percent_of_peak", "peak %", 6, 1},
    };
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "profile", label, columns);
    const fmd_model *m = b->job->model;
    const int size = fmd_comm_size(b->job->comm);
    const means of = means_of(r, size);
    double rest = of.step - of.assemble, loss = of.forward;
    if (b->json == NULL)
        putchar('\n');
    fmd_bench_table_head(&t);
    profile_row(&t, "assemble", NULL, of.assemble, of.step, none);
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        const fmd_cost cost = fmd_layer_cost(l, r->batch);
        const double share = share_of(m, l);
        const double ms[] = {r->layers[i].forward * 1e3, r->layers[i].backward * 1e3,
                             of.update * share, of.reduce * share};
        const double total = ms[FORWARD] + ms[BACKWARD] + ms[UPDATE] + ms[REDUCE];
        const double busy = (ms[FORWARD] + ms[BACKWARD]) * of.peak;
        const double flops = (cost.forward_flops + cost.backward_flops) / size;
        if (total > 0)
            profile_row(&t, l->name, ms, total, of.step,
                        busy > 0 ? 100 * flops / busy : (double)NAN);
        loss -= ms[FORWARD];
        rest -= total;
    }
    profile_row(&t, "loss", NULL, loss, of.step, none);
    profile_row(&t, "other", NULL, rest - loss, of.step, none);
    profile_row(&t, "step", NULL, of.step, of.step, none);
}

static fmd_shape kernel_of(const fmd_model *m, const fmd_layer *l)
{
    return fmd_model_tensor(m, l->first_tensor)->shape;
}

/* Whether two layers make the same convolutions. */
static bool alike(const fmd_model *m, const fmd_layer *a, const fmd_layer *b)
{
    return a->ops == b->ops && a->activation == b->activation &&
           a->sends_gradient == b->sends_gradient && fmd_shape_equal(a->in[0], b->in[0]) &&
           fmd_shape_equal(a->out, b->out) && fmd_shape_equal(kernel_of(m, a), kernel_of(m, b));
}

/* The layers that are like layer i; 0 if one before it is. */
static size_t count_alike(const fmd_model *m, size_t i)
{
    const fmd_layer *l = fmd_model_layer(m, i);
    size_t n = 0;
    for (size_t k = 0; k < fmd_model_n_layers(m); k++) {
        const fmd_layer *other = fmd_model_layer(m, k);
        const bool is_like = fmd_layer_convolves(m, other) && alike(m, l, other);
        if (is_like && k < i)
            return 0;
        n += is_like;
    }
    return n;
}

typedef struct conv_table {
    fmd_bench_table table;
    const fmd_bench *bench;
    double peak; /* FLOP per second */
    size_t samples;
} conv_table;

static void conv_row(const conv_table *t, const fmd_layer *l, size_t layers, const char *pass,
                     double seconds, double flops, double bytes)
{
    const fmd_model *m = t->bench->job->model;
    fmd_json *json = t->bench->json;
    char text[FMD_SHAPE_TEXT], name[FMD_PRODUCT_NAME];
    const double values[] = {seconds * 1e6, flops / seconds * 1e-9, 100 * flops / seconds / t->peak,
                             bytes * 1e-6, bytes / seconds * 1e-9};
    snprintf(name, sizeof name, "%s %s", l->name, pass);
    fmd_bench_table_row(&t->table, json != NULL ? name : pass, values);
    if (json == NULL)
        return;
    fmd_json_text(json, "conv", "in", fmd_shape_text(l->in[0], 0, text));
    fmd_json_text(json, "conv", "out", fmd_shape_text(l->out, 0, text));
    fmd_json_text(json, "conv", "kernel", fmd_shape_text(kernel_of(m, l), 0, text));
    fmd_json_int(json, "conv", "layers", (long long)layers);
}

static void conv_rows(const conv_table *t, const fmd_layer *l, size_t layers,
                      const fmd_convolution_seconds *s)
{
    const fmd_cost c = fmd_layer_cost(l, t->samples);
    const double gradients = l->sends_gradient ? 2 : 1; /* equal parts of the backward cost */
    if (t->bench->json == NULL) {
        char in[FMD_SHAPE_TEXT], out[FMD_SHAPE_TEXT], kernel[FMD_SHAPE_TEXT];
        fmd_print("# %s: %s to %s, kernel %s", l->name, fmd_shape_text(l->in[0], 0, in),
                  fmd_shape_text(l->out, 0, out),
                  fmd_shape_text(kernel_of(t->bench->job->model, l), 0, kernel));
        if (layers > 1)
            fmd_print("; %zu layers", layers);
        putchar('\n');
    }
    conv_row(t, l, layers, "forward", s->forward, c.forward_flops, c.forward_bytes);
    conv_row(t, l, layers, "kernel gradient", s->weight_gradient, c.backward_flops / gradients,
             c.backward_bytes / gradients);
    if (!isnan(s->input_gradient))
        conv_row(t, l, layers, "input gradient", s->input_gradient, c.backward_flops / gradients,
                 c.backward_bytes / gradients);
}

/* Rank 0. */
static void report_convolutions(const fmd_bench *b, double peak, size_t samples,
                                const fmd_convolution_seconds *seconds)
{
    static const fmd_bench_column label = {"convolution", "pass of a layer", 16, 0};
    static const fmd_bench_column columns[] = {
        {"us", "us", 10, 1},      {"gflops", "GFLOP/s", 8, 1}, {"percent_of_peak", "peak %", 7, 1},
        {"mb", "MB moved", 9, 3}, {"gbs", "GB/s", 7, 1},
    };
    const fmd_model *m = b->job->model;
    const conv_table t = {.table = FMD_BENCH_TABLE(b, "conv", label, columns),
                          .bench = b,
                          .peak = peak,
                          .samples = samples};
    if (b->json == NULL)
        fmd_print("# passes over %zu images; peak %.1f GFLOP/s\n", samples, peak * 1e-9);
    else
        fmd_json_int(b->json, NULL, "samples", (long long)samples);
    fmd_bench_table_head(&t.table);
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        const size_t layers = fmd_layer_convolves(m, l) ? count_alike(m, i) : 0;
        if (layers > 0)
            conv_rows(&t, l, layers, &seconds[i]);
    }
}

static fmd_status check_convolutions(const fmd_model *m)
{
    for (size_t i = 0; i < fmd_model_n_layers(m); i++)
        if (fmd_layer_convolves(m, fmd_model_layer(m, i)))
            return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE, "--op conv: the model has no convolutions; choose one that has "
                                "with --model, e.g. --model convnet");
}

fmd_status fmd_bench_conv(fmd_bench *b)
{
    const fmd_job *j = b->job;
    fmd_convolution_seconds *seconds = NULL;
    size_t message, rows;
    fmd_peak peak;
    FMD_TRY(check_convolutions(j->model));
    FMD_TRY(fmd_bench_sizes(j->comm, j->model, j->optimizer, &j->fit, &message, &rows));
    const size_t group = fmd_model_max_samples(j->model) / rows * rows;
    const size_t samples = j->fit.batch_size < group ? j->fit.batch_size : group;
    fmd_status st = fmd_comm_agree(
        j->comm, fmd_alloc(&seconds, fmd_model_n_layers(j->model), sizeof *seconds, "the times"));
    if (st == FMD_OK)
        st = fmd_measure_peak(j->comm, j->model, rows, &peak);
    if (st == FMD_OK)
        st = fmd_measure_convolutions(j->comm, j->model, &j->fit, samples, rows,
                                      b->args.repetitions, seconds);
    if (st == FMD_OK) {
        fmd_comm_mean(j->comm, &peak.rate, 1);
        if (fmd_comm_rank(j->comm) == 0)
            report_convolutions(b, peak.rate, samples, seconds);
    }
    free(seconds);
    return st;
}
