#include "measure/step_bench.h"

#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "measure/stats.h"
#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Measurements of a bandwidth. */
enum { TRIES = 5 };

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
    double *sums; /* where the seconds of each sum go; NULL: nowhere */
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
        const double before = fmd_stepper_seconds(b->stepper).reduce;
        FMD_TRY(fmd_stepper_sum(b->stepper, order + b->step % batches * b->batch, b->batch, b->step,
                                (fmd_step_requests){false, false}, &sums));
        fmd_stepper_update(b->stepper, rate);
        if (b->sums != NULL)
            *b->sums++ = fmd_stepper_seconds(b->stepper).reduce - before;
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

/* Collective. Repeats, and separates waiting from the sums. All ranks have the total at about the same
 * time, so the sum is shortest on the last rank, which waits for no other. */
static fmd_status repeat_and_tell_waits(bench *b, double *seconds, double *wait)
{
    const size_t steps = b->args->repetitions * b->args->steps;
    double *sums = NULL;
    FMD_TRY(fmd_comm_agree(b->comm, fmd_alloc(&sums, 2 * steps, sizeof *sums, "the times")));
    b->sums = sums;
    const fmd_status st = repeat(b, seconds);
    b->sums = NULL;
    if (st == FMD_OK) {
        double *shortest = sums + steps;
        memcpy(shortest, sums, steps * sizeof *sums);
        fmd_comm_min(b->comm, shortest, (int)steps);
        for (size_t i = 0; i < steps; i++)
            *wait += sums[i] - shortest[i];
    }
    free(sums);
    return st;
}

/* Collective. Further steps, for the breakdown. */
static fmd_status measure_breakdown(bench *b, double *seconds, fmd_bench_rank *mine,
                                    fmd_layer_seconds *layers)
{
    const double steps = (double)(b->args->repetitions * b->args->steps);
    double wait = 0;
    fmd_stepper_breakdown(b->stepper);
    if (b->args->profile)
        fmd_model_hook(b->model, fmd_layer_time, layers);
    FMD_TRY(repeat_and_tell_waits(b, seconds, &wait));
    fmd_model_hook(b->model, NULL, NULL);
    for (size_t i = 0; i < fmd_model_n_layers(b->model); i++) {
        double of[] = {layers[i].forward / steps, layers[i].backward / steps};
        fmd_comm_mean(b->comm, of, 2);
        layers[i] = (fmd_layer_seconds){of[0], of[1]};
    }
    for (size_t i = 0; i < b->args->repetitions; i++)
        mine->step += seconds[i] / steps;
    fmd_phase_seconds p = fmd_stepper_seconds(b->stepper);
    p.wait = wait;
    p.reduce -= wait;
#define DIVIDE(phase, ...) mine->phases.phase = p.phase / steps;
    FMD_PHASE_LIST(DIVIDE, DIVIDE)
#undef DIVIDE
    return FMD_OK;
}

/* Adds the shortest times of the passes of a layer to those of this rank. What is fused with a
 * layer moves no memory of its own. */
static void add_bound(double flops, double bytes, fmd_bench_rank *mine)
{
    const double computing = flops / mine->peak, moving = bytes / mine->cache_bandwidth;
    mine->flops += flops;
    *(computing > moving ? &mine->compute : &mine->memory) += fmax(computing, moving);
}

static void add_bounds(const bench *b, size_t samples, fmd_bench_rank *mine)
{
    for (size_t i = 0; i < fmd_model_n_layers(b->model); i++) {
        const fmd_cost c = fmd_layer_cost(fmd_model_layer(b->model, i), samples);
        add_bound(c.forward_flops, c.forward_bytes, mine);
        add_bound(c.backward_flops, c.backward_bytes, mine);
    }
}

/* Collective. The best rate of a plain loop over `bytes` bytes of memory. */
static fmd_status best_bandwidth(bench *b, double bytes, double *rate)
{
    double rates[TRIES];
    FMD_TRY(fmd_measure_memory(b->comm, bytes, TRIES, rates));
    *rate = fmd_stats_of(rates, TRIES).max;
    return FMD_OK;
}

/* Collective. The lower bounds of the parts of a step on this machine. */
static fmd_status find_limits(bench *b, fmd_bench_rank *mine, fmd_bench_result *result,
                              double *seconds)
{
    const size_t n = fmd_model_n_trainable_params(b->model), tries = b->args->steps;
    fmd_model_size size;
    size_t samples, rows;
    fmd_stepper_share(b->stepper, b->batch, &samples, &rows);
    fmd_comm_bcast(b->comm, &rows, sizeof rows);
    FMD_TRY(fmd_measure_peak(b->comm, b->model, rows, &result->peak));
    mine->peak = result->peak.rate;
    FMD_TRY(fmd_comm_agree(
        b->comm, fmd_model_measure(&size, fmd_model_spec(b->model), fmd_model_in(b->model))));
    FMD_TRY(best_bandwidth(b, (double)size.sample_bytes * (double)fmd_model_max_samples(b->model),
                           &mine->cache_bandwidth));
    FMD_TRY(best_bandwidth(b, fmd_update_footprint(b->optimizer, n), &mine->bandwidth));
    add_bounds(b, samples, mine);
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
    FMD_TRY(measure_breakdown(b, scratch, mine, result->layers));
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
        st = fmd_sampler_create(&b.sampler, &fit->train, fit->seed);
    if (st == FMD_OK)
        st = fmd_alloc(&result->seconds, args->repetitions, sizeof(double), "the times");
    if (st == FMD_OK)
        st = fmd_alloc(&result->layers, fmd_model_n_layers(m), sizeof *result->layers, "the times");
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
    free(result->layers);
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
        bound.compute = fmax(bound.compute, k->compute);
        bound.memory = fmax(bound.memory, k->memory);
        bound.update = fmax(bound.update, r->update_bytes / k->bandwidth);
        bound.allreduce = fmax(bound.allreduce, k->allreduce);
    }
    return bound;
}

fmd_communication fmd_communication_of(const fmd_bench_result *r, int size)
{
    fmd_communication c = {.alone = fmd_roofline_of(r, size).allreduce};
    for (int i = 0; i < size; i++)
        c.exposed += (r->ranks[i].phases.progress + r->ranks[i].phases.reduce) / size;
    c.hidden = fmax(c.alone - c.exposed, 0);
    return c;
}
