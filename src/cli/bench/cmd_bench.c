/* bench: measures training speed on this machine, its breakdown, and single operations. */
#include "base/format.h"
#include "base/system/print.h"
#include "cli/bench/bench.h"
#include "cli/commands.h"
#include "cli/train/output.h"

#include "base/log.h"
#include "base/mem.h"
#include "math/gemm.h"
#include "run/provenance.h"
#include "train/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of FMD_BENCH_OPS. */
static const struct {
    bool needs_model;
    fmd_status (*run)(fmd_bench *b);
} ops[] = {
    {true, fmd_bench_train}, {true, fmd_bench_allreduce}, {true, fmd_bench_gemm},
    {true, fmd_bench_conv},  {true, fmd_bench_update},    {false, fmd_bench_load},
};

/* Collective. Random images stand in for a published data set that is not installed. */
static fmd_status load_data(fmd_job *j)
{
    const fmd_config *c = j->config;
    const bool published =
        strcmp(c->data.dataset, "fashion-mnist") == 0 || strcmp(c->data.dataset, "mnist") == 0;
    const fmd_status st = fmd_loader_read(j->comm, c->data.dataset, c->data.dir, &j->data);
    if (st != FMD_ENOINPUT || !published || *c->data.dir != '\0')
        return st;
    fmd_warn("%s is not installed: using random images instead", c->data.dataset);
    return fmd_loader_synthetic(j->comm, &j->data);
}

/* Collective. */
static fmd_status prepare(fmd_job *j)
{
    const fmd_weights_file none = {.path = ""};
    FMD_TRY(load_data(j));
    FMD_TRY(fmd_job_build(j, &none));
    fmd_report_waste(j);
    return FMD_OK;
}

/* Collective. Threads per core on the most crowded node. */
static double threads_per_core(const fmd_job *j)
{
    double crowd = (double)(fmd_comm_node_size(j->comm) * j->config->distribution.threads) /
                   fmd_comm_node_cores(j->comm);
    fmd_comm_max(j->comm, &crowd, 1);
    return crowd;
}

/* Rank 0. Prints or records what is measured, and where. */
static void describe(const fmd_bench *b, const char *op, double threads_per_core)
{
    const fmd_job *j = b->job;
    const bool has_model = j->model != NULL;
    if (b->json == NULL && has_model)
        fmd_report_header(j);
    if (b->json == NULL) {
        fmd_print("bench  %s · warm-up %zu · %zu repetition%s of %zu\n\n", op, b->args.warmup,
                  b->args.repetitions, b->args.repetitions == 1 ? "" : "s", b->args.steps);
        fflush(stdout);
        return;
    }
    fmd_provenance_add(b->json);
    fmd_json_text(b->json, NULL, "op", op);
    fmd_json_text(b->json, NULL, "host", fmd_comm_host(j->comm));
    fmd_json_int(b->json, NULL, "ranks", fmd_comm_size(j->comm));
    fmd_json_int(b->json, NULL, "nodes", fmd_comm_nodes(j->comm));
    fmd_json_int(b->json, NULL, "threads", j->config->distribution.threads);
    fmd_json_real(b->json, NULL, "threads_per_core", threads_per_core);
    fmd_json_int(b->json, NULL, "warmup", (long long)b->args.warmup);
    fmd_json_int(b->json, NULL, "repetitions", (long long)b->args.repetitions);
    fmd_json_int(b->json, NULL, "steps", (long long)b->args.steps);
    if (!has_model)
        return;
    fmd_json_text(b->json, NULL, "data", j->data.info.name);
    fmd_json_text(b->json, NULL, "layers", fmd_model_spec(j->model));
    fmd_json_int(b->json, NULL, "parameters", (long long)fmd_model_n_params(j->model));
    fmd_json_text(b->json, NULL, "optimizer", fmd_optimizer_spec(j->optimizer));
    fmd_json_int(b->json, NULL, "batch_size", (long long)j->fit.batch_size);
    fmd_json_int(b->json, NULL, "microbatch_size", (long long)j->fit.microbatch_size);
    fmd_json_text(b->json, NULL, "allreduce_choice",
                  j->fit.allreduce == FMD_ALLREDUCE_SHARED ? "shared" : "mpi");
    fmd_json_text(b->json, NULL, "reduce", j->fit.reduce == FMD_REDUCE_EXACT ? "exact" : "native");
}

/* Collective. */
static fmd_status measure(fmd_bench *b)
{
    const fmd_config *config = b->job->config;
    char name[FMD_OPTION_TEXT_BYTES];
    if (config->bench.profile && ops[config->bench.op].run != fmd_bench_train)
        return FMD_FAIL(FMD_EUSAGE, "--profile: shows the layers of a step: only with --op train");
    if (ops[config->bench.op].needs_model)
        FMD_TRY(prepare(b->job));
    const double crowd = threads_per_core(b->job);
    if (fmd_comm_rank(b->job->comm) == 0)
        describe(b, fmd_choice_text(FMD_BENCH_OPS, config->bench.op, name), crowd);
    FMD_TRY(ops[config->bench.op].run(b));
    return fmd_comm_agree(b->job->comm, b->json != NULL ? fmd_print_json(b->json) : FMD_OK);
}

static fmd_status run_bench(fmd_comm *c, const fmd_config *config)
{
    fmd_bench b = {.args = {.warmup = (size_t)config->bench.warmup,
                            .steps = (size_t)config->bench.steps,
                            .repetitions = (size_t)config->bench.repetitions,
                            .profile = config->bench.profile}};
    const size_t n = b.args.repetitions * (b.args.steps > 2 ? b.args.steps : 2);
    fmd_status st = fmd_alloc(&b.job, 1, sizeof *b.job, "the benchmark");
    if (st == FMD_OK)
        st = fmd_alloc(&b.seconds, n, sizeof *b.seconds, "the times");
    if (st == FMD_OK && config->view.json && fmd_comm_rank(c) == 0)
        st = fmd_json_create(&b.json);
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        goto out;
    b.job->comm = c;
    b.job->config = config;
    st = measure(&b);
out:
    if (b.job != NULL) {
        fmd_optimizer_destroy(b.job->optimizer);
        fmd_model_destroy(b.job->model);
    }
    fmd_json_destroy(b.json);
    free(b.seconds);
    free(b.job);
    return st;
}

const fmd_command fmd_command_bench = {
    .name = "bench",
    .usage = "[OPTIONS]",
    .help = "measures training speed, its breakdown, and single operations",
    .section = FMD_TO_MEASURE,
    .example = "--batch-size 32 --reduce native",
    .groups = "benchmark|steps|data|training data|amount|model|training|distribution|json",
    .needs_mpi = true,
    .run = run_bench,
};
