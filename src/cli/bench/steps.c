/* bench --op train: whole training steps. */
#include "base/system/print.h"
#include "cli/bench/bench.h"

#include "measure/stats.h"
#include "measure/step_bench.h"

#include <math.h>
#include <stdio.h>

/* A phase of a step, in the order of the table. */
typedef struct phase {
    const char *name;
    size_t offset; /* in fmd_phase_seconds */
} phase;

static const phase phases[] = {
#define ROW(field, label, ...) {label, offsetof(fmd_phase_seconds, field)},
    FMD_PHASE_LIST(ROW, ROW)
#undef ROW
};
enum { PHASES = sizeof phases / sizeof *phases };

static double seconds_of(const fmd_bench_rank *r, size_t i)
{
    return *(const double *)((const char *)&r->phases + phases[i].offset);
}

/* The rest of a step: the loop itself, flags, the watchdog. */
static double other_seconds(const fmd_bench_rank *r)
{
    double rest = r->step;
    for (size_t i = 0; i < PHASES; i++)
        rest -= seconds_of(r, i);
    return rest;
}

/* The distribution of a quantity over the repetitions; `key` is its name in JSON. */
static void report_stats(const fmd_bench_table *t, const char *key, const char *label,
                         const fmd_stats *s, double factor)
{
    const double values[] = {s->median * factor, s->min * factor, s->max * factor, s->q1 * factor,
                             s->q3 * factor,     s->low * factor, s->high * factor};
    fmd_bench_table_row(t, t->json != NULL ? key : label, values);
}

/* Returns the median of the seconds of a step. */
static double report_rates(const fmd_bench *b, fmd_bench_result *r)
{
    static const fmd_bench_column columns[] = {
        {"median", "median", 7, 0}, {"min", "min", 7, 0}, {"max", "max", 7, 0},
        {"q1", "25 %", 7, 0},       {"q3", "75 %", 7, 0}, {"low", "95 %: from", 10, 0},
        {"high", "to", 7, 0}};
    static const fmd_bench_column fine[] = {
        {"median", "median", 7, 4}, {"min", "min", 7, 4}, {"max", "max", 7, 4},
        {"q1", "25 %", 7, 4},       {"q3", "75 %", 7, 4}, {"low", "95 %: from", 10, 4},
        {"high", "to", 7, 4}};
    const size_t n = b->args.repetitions;
    const double images = (double)r->batch * (double)b->args.steps;
    const fmd_bench_column label = {"quantity", "over repetitions", 17, 0};
    fmd_bench_table t = FMD_BENCH_TABLE(b, "repeated", label, columns);
    for (size_t i = 0; i < n; i++)
        r->seconds[i] = images / r->seconds[i];
    const fmd_stats rate = fmd_stats_of(r->seconds, n);
    for (size_t i = 0; i < n; i++)
        r->seconds[i] = (double)r->batch / r->seconds[i];
    const fmd_stats step = fmd_stats_of(r->seconds, n);
    fmd_bench_table_head(&t);
    report_stats(&t, "images_per_second", "images/s", &rate, 1);
    report_stats(&t, "images_per_second_per_rank", "images/s per rank", &rate,
                 1.0 / fmd_comm_size(b->job->comm));
    t.columns = fine;
    report_stats(&t, "step_ms", "ms per step", &step, 1e3);
    return step.median;
}

/* Minimum, mean and maximum of a phase over the ranks, and its share of a step. */
static void report_phase(const fmd_bench_table *t, const char *name, const fmd_bench_result *r,
                         int size, size_t phase_number)
{
    double least = HUGE_VAL, most = -HUGE_VAL, mean = 0, step = 0;
    for (int i = 0; i < size; i++) {
        const fmd_bench_rank *rank = &r->ranks[i];
        const double s = phase_number < PHASES    ? seconds_of(rank, phase_number)
                         : phase_number == PHASES ? other_seconds(rank)
                                                  : rank->step;
        least = fmin(least, s);
        most = fmax(most, s);
        mean += s / size;
        step += rank->step / size;
    }
    const double values[] = {least * 1e3, mean * 1e3, most * 1e3, 100 * mean / step};
    fmd_bench_table_row(t, name, values);
}

static void report_breakdown(const fmd_bench *b, const fmd_bench_result *r)
{
    static const fmd_bench_column columns[] = {{"min_ms", "min ms", 9, 4},
                                               {"mean_ms", "mean ms", 9, 4},
                                               {"max_ms", "max ms", 9, 4},
                                               {"percent", "share %", 9, 1}};
    const fmd_bench_column label = {"phase", "step, over ranks", 17, 0};
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "breakdown", label, columns);
    const int size = fmd_comm_size(b->job->comm);
    fmd_bench_table_head(&t);
    for (size_t i = 0; i < PHASES; i++)
        report_phase(&t, phases[i].name, r, size, i);
    report_phase(&t, "other", r, size, PHASES);
    report_phase(&t, "step", r, size, PHASES + 1);
}

/* Rank 0. One rank sends no message. */
static void report_communication(const fmd_bench *b, const fmd_bench_result *r)
{
    const int size = fmd_comm_size(b->job->comm);
    const fmd_communication c = fmd_communication_of(r, size);
    double step = 0;
    for (int i = 0; i < size; i++)
        step += r->ranks[i].step / size;
    if (b->json != NULL) {
        fmd_json_real(b->json, "communication", "alone_ms", c.alone * 1e3);
        fmd_json_real(b->json, "communication", "exposed_ms", c.exposed * 1e3);
        fmd_json_real(b->json, "communication", "hidden_ms", c.hidden * 1e3);
        fmd_json_real(b->json, "communication", "exposed_percent", 100 * c.exposed / step);
    } else if (size > 1) {
        fmd_print("\nmessage  %.4f ms alone; in a step %.4f exposed (%.1f %%), %.4f hidden\n",
                  c.alone * 1e3, c.exposed * 1e3, 100 * c.exposed / step, c.hidden * 1e3);
    }
}

/* Means over the ranks: operations of a step, and their rate, reached and possible, per second. */
typedef struct rates {
    double flops, rate, peak;
} rates;

static rates rates_of(const fmd_bench_result *r, int size)
{
    rates p = {0};
    for (int i = 0; i < size; i++) {
        const fmd_bench_rank *k = &r->ranks[i];
        p.flops += k->flops / size;
        const double busy = k->phases.forward + k->phases.backward; /* 0: no work for this rank */
        p.rate += busy > 0 ? k->flops / busy / size : 0;
        p.peak += k->peak / size;
    }
    return p;
}

static const char *product_text(const fmd_peak *peak, char text[128])
{
    const fmd_product *p = &peak->product;
    snprintf(text, 128, "%s %zu x %zu x %zu by %s", p->name, p->m, p->n, p->k,
             peak->is_ours ? "our own kernels" : "a plain call of BLAS");
    return text;
}

static void report_limits(const fmd_bench *b, const fmd_bench_result *r, double step)
{
    const int size = fmd_comm_size(b->job->comm);
    fmd_json *json = b->json;
    const rates p = rates_of(r, size);
    const fmd_roofline f = fmd_roofline_of(r, size);
    const double sum = f.compute + f.memory + f.update + f.allreduce;
    char text[128];
    product_text(&r->peak, text);
    if (json != NULL) {
        fmd_json_real(json, "compute", "mflop_per_rank_and_step", p.flops * 1e-6);
        fmd_json_real(json, "compute", "gflops", p.rate * 1e-9);
        fmd_json_real(json, "compute", "peak_gflops", p.peak * 1e-9);
        fmd_json_text(json, "compute", "peak_from", text);
        fmd_json_real(json, "roofline", "compute_ms", f.compute * 1e3);
        fmd_json_real(json, "roofline", "memory_ms", f.memory * 1e3);
        fmd_json_real(json, "roofline", "update_ms", f.update * 1e3);
        fmd_json_real(json, "roofline", "allreduce_ms", f.allreduce * 1e3);
        fmd_json_real(json, "roofline", "ms", sum * 1e3);
        fmd_json_real(json, "roofline", "share_reached", sum / step);
        fmd_json_real(json, "roofline", "update_bytes", r->update_bytes);
        fmd_json_int(json, "roofline", "message_bytes", (long long)r->message_bytes);
        return;
    }
    if (size == 1)
        putchar('\n');
    fmd_print("compute  %.1f GFLOP/s, %.0f %% of peak; %.1f MFLOP per rank and step\n",
              p.rate * 1e-9, 100 * p.rate / p.peak, p.flops * 1e-6);
    fmd_print("peak     %.1f GFLOP/s per rank, all ranks at once:\n", p.peak * 1e-9);
    fmd_print("         %s\n", text);
    fmd_print("roofline %.0f %% of the limit (step %.4g ms; lower bound %.4g ms)\n",
              100 * sum / step, step * 1e3, sum * 1e3);
    fmd_print("         = compute %.4f + memory %.4f + update of %.2f MB %.4f\n", f.compute * 1e3,
              f.memory * 1e3, r->update_bytes * 1e-6, f.update * 1e3);
    fmd_print("         + allreduce of %.2f MB %.4f\n", (double)r->message_bytes * 1e-6,
              f.allreduce * 1e3);
}

fmd_status fmd_bench_train(fmd_bench *b)
{
    fmd_job *j = b->job;
    fmd_bench_result r;
    fmd_status st = fmd_bench_steps(j->comm, j->model, j->optimizer, &j->fit, &b->args, &r);
    if (st == FMD_OK && fmd_comm_rank(j->comm) == 0) {
        const double step = report_rates(b, &r);
        if (b->json == NULL)
            putchar('\n');
        report_breakdown(b, &r);
        if (b->args.profile)
            fmd_bench_profile(b, &r);
        report_communication(b, &r);
        report_limits(b, &r, step);
    }
    fmd_bench_release(&r);
    return st;
}
