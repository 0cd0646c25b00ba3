#include "measure/step_bench.h"

#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "measure/stats.h"
#include "train/step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Products of a step that are measured, and measurements of each. */
enum { PRODUCTS = 48, TRIES = 5 };

/* Sizes of the square products among the candidates for the peak. */
static const size_t squares[] = {128, 192, 256, 384, 512};

typedef struct bench {
    fmd_comm *comm;
    fmd_model *model;
    fmd_optimizer *optimizer;
    const fmd_fit_args *fit;
    const fmd_bench_args *args;
    fmd_stepper *stepper;
    fmd_sampler *sampler;
    size_t batch;
    uint64_t step;
} bench;

static size_t batch_of(const fmd_fit_args *fit)
{
    return fit->batch_size < fit->train.n ? fit->batch_size : fit->train.n;
}

/* Collective. */
static fmd_status run_steps(bench *b, size_t n)
{
    const uint32_t *order = fmd_sampler_order(b->sampler);
    const uint64_t batches = b->fit->train.n / b->batch;
    for (size_t i = 0; i < n; i++, b->step++) {
        const double rate = fmd_schedule_rate(&b->fit->schedule, b->step);
        fmd_step_sums sums;
        FMD_TRY(fmd_stepper_run(b->stepper, order + b->step % batches * b->batch, b->batch, b->step,
                                rate, (fmd_step_requests){false, false}, &sums));
    }
    return FMD_OK;
}

/* Collective. The seconds of each repetition on this rank. */
static fmd_status repeat(bench *b, double *seconds)
{
    for (size_t i = 0; i < b->args->repetitions; i++) {
        fmd_comm_barrier(b->comm);
        const double start = fmd_now();
        FMD_TRY(run_steps(b, b->args->steps));
        seconds[i] = fmd_now() - start;
    }
    return FMD_OK;
}

/* Collective. Further steps, for the breakdown. */
static fmd_status measure_breakdown(bench *b, double *seconds, fmd_bench_rank *mine)
{
    const double steps = (double)(b->args->repetitions * b->args->steps);
    fmd_stepper_breakdown(b->stepper);
    FMD_TRY(repeat(b, seconds));
    for (size_t i = 0; i < b->args->repetitions; i++)
        mine->step += seconds[i] / steps;
    const fmd_phase_seconds p = fmd_stepper_seconds(b->stepper);
#define DIVIDE(phase, ...) mine->phases.phase = p.phase / steps;
    FMD_PHASE_LIST(DIVIDE, DIVIDE)
#undef DIVIDE
    return FMD_OK;
}

/* Collective. Keeps the best rate of a product, by our kernels or by BLAS. */
static fmd_status try_product(bench *b, const fmd_product *p, fmd_bench_rank *mine,
                              fmd_bench_result *result)
{
    double seconds[2][TRIES];
    FMD_TRY(fmd_measure_product(b->comm, p, TRIES, seconds[0], seconds[1]));
    for (int way = 0; way < 2; way++) {
        const double rate = fmd_product_flops(p) / fmd_stats_of(seconds[way], TRIES).min;
        if (rate <= mine->peak)
            continue;
        mine->peak = rate;
        result->fastest = *p;
        result->fastest_is_ours = way == 0;
    }
    return FMD_OK;
}

/* Collective. The fastest product among those of a step and some square ones. */
static fmd_status find_peak(bench *b, fmd_bench_rank *mine, fmd_bench_result *result)
{
    fmd_product products[PRODUCTS];
    size_t samples, rows;
    fmd_stepper_share(b->stepper, b->batch, &samples, &rows);
    const fmd_cost cost = fmd_model_cost(b->model, samples);
    mine->flops = cost.forward_flops + cost.backward_flops;
    fmd_comm_bcast(b->comm, &rows, sizeof rows);
    for (size_t i = fmd_products_of(b->model, rows, products, PRODUCTS); i-- > 0;)
        FMD_TRY(try_product(b, &products[i], mine, result));
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        fmd_product square = {.m = squares[i], .n = squares[i], .k = squares[i]};
        snprintf(square.name, sizeof square.name, "square");
        FMD_TRY(try_product(b, &square, mine, result));
    }
    return FMD_OK;
}

/* Collective. The lower bounds of the parts of a step on this machine. */
static fmd_status find_limits(bench *b, fmd_bench_rank *mine, fmd_bench_result *result,
                              double *seconds)
{
    const size_t n = fmd_model_n_trainable_params(b->model), tries = b->args->steps;
    double rates[TRIES];
    FMD_TRY(find_peak(b, mine, result));
    FMD_TRY(fmd_measure_memory(b->comm, fmd_update_footprint(b->optimizer, n), TRIES, rates));
    mine->bandwidth = fmd_stats_of(rates, TRIES).max;
    FMD_TRY(fmd_measure_allreduce(b->comm, b->fit->reduce, b->fit->allreduce, result->message_bytes,
                                  b->args->warmup, tries, seconds));
    mine->allreduce = fmd_stats_of(seconds, tries).median;
    return FMD_OK;
}

/* Collective. All measurements of this rank; `seconds` and `scratch` have room for the repetitions. */
static fmd_status measure(bench *b, double *seconds, double *scratch, fmd_bench_rank *mine,
                          fmd_bench_result *result)
{
    result->batch = b->batch;
    result->message_bytes = fmd_stepper_message_bytes(b->stepper);
    result->update_bytes = fmd_update_bytes(b->optimizer, fmd_model_n_trainable_params(b->model));
    if (b->fit->shuffle)
        fmd_sampler_shuffle(b->sampler, 0);
    FMD_TRY(run_steps(b, b->args->warmup));
    FMD_TRY(repeat(b, seconds));
    FMD_TRY(measure_breakdown(b, scratch, mine));
    return find_limits(b, mine, result, scratch);
}

/* Collective. Gathers the measurements on rank 0. */
static void collect(bench *b, const fmd_bench_rank *mine, fmd_bench_result *result)
{
    fmd_comm_gather(b->comm, mine, sizeof *mine, result->ranks);
    fmd_comm_max(b->comm, result->seconds, (int)b->args->repetitions);
}

fmd_status fmd_bench_steps(fmd_comm *c, fmd_model *m, fmd_optimizer *o, const fmd_fit_args *fit,
                           const fmd_bench_args *args, fmd_bench_result *result)
{
    bench b = {.comm = c, .model = m, .optimizer = o, .fit = fit, .args = args};
    fmd_bench_rank mine = {.peak = 0};
    double *scratch = NULL;
    const size_t most = args->steps > args->repetitions ? args->steps : args->repetitions;
    *result = (fmd_bench_result){.batch = 0};
    b.batch = batch_of(fit);
    fmd_status st = fmd_stepper_create(&b.stepper, c, m, o, fit);
    if (st == FMD_OK)
        st = fmd_sampler_create(&b.sampler, fit->train.n, fit->seed);
    if (st == FMD_OK)
        st = fmd_alloc(&result->seconds, args->repetitions, sizeof(double), "the times");
    if (st == FMD_OK)
        st = fmd_alloc(&scratch, most, sizeof(double), "the times");
    if (st == FMD_OK)
        st = fmd_alloc(&result->ranks, (size_t)fmd_comm_size(c), sizeof mine, "the times");
    const bool has_room = st == FMD_OK; /* the static analyzer cannot see that the ranks agree */
    if ((st = fmd_comm_agree(c, st)) == FMD_OK && has_room)
        st = measure(&b, result->seconds, scratch, &mine, result);
    if (st == FMD_OK)
        collect(&b, &mine, result);
    fmd_sampler_destroy(b.sampler);
    fmd_stepper_destroy(b.stepper);
    free(scratch);
    return st;
}

void fmd_bench_release(fmd_bench_result *result)
{
    free(result->seconds);
    free(result->ranks);
}

fmd_status fmd_bench_sizes(fmd_comm *c, fmd_model *m, fmd_optimizer *o, const fmd_fit_args *fit,
                           size_t *message_bytes, size_t *rows)
{
    fmd_stepper *s = NULL;
    size_t samples;
    const fmd_status st = fmd_comm_agree(c, fmd_stepper_create(&s, c, m, o, fit));
    if (st == FMD_OK) {
        *message_bytes = fmd_stepper_message_bytes(s);
        fmd_stepper_share(s, batch_of(fit), &samples, rows);
        fmd_comm_bcast(c, rows, sizeof *rows);
    }
    fmd_stepper_destroy(s);
    return st;
}

fmd_roofline fmd_roofline_of(const fmd_bench_result *r, int size)
{
    fmd_roofline bound = {0};
    for (int i = 0; i < size; i++) {
        const fmd_bench_rank *k = &r->ranks[i];
        bound.compute = fmax(bound.compute, k->flops / k->peak);
        bound.update = fmax(bound.update, r->update_bytes / k->bandwidth);
        bound.allreduce = fmax(bound.allreduce, k->allreduce);
    }
    return bound;
}
