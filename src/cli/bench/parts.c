/* bench --op allreduce|gemm|update|load: single operations of a training. */
#include "base/system/print.h"
#include "cli/bench/bench.h"

#include "base/timer.h"
#include "measure/stats.h"
#include "train/loader.h"

#include <stdio.h>
#include <string.h>

static bool is_root(const fmd_bench *b)
{
    return fmd_comm_rank(b->job->comm) == 0;
}

/* The spread of a value over the ranks. */
typedef struct spread {
    double min, mean, max;
} spread;

/* Collective. */
static spread over_ranks(const fmd_bench *b, double mine)
{
    double ends[] = {-mine, mine};
    fmd_comm_max(b->job->comm, ends, 2);
    fmd_comm_mean(b->job->comm, &mine, 1);
    return (spread){-ends[0], mine, ends[1]};
}

/* As the OSU benchmarks: average latency, and the lowest and highest of a rank. */
static fmd_status allreduce_row(fmd_bench *b, const fmd_bench_table *t, size_t bytes)
{
    enum { LARGE = 65536, FEWER = 10 };
    const fmd_bench_args *a = &b->args;
    size_t n = a->repetitions * a->steps;
    if (bytes > LARGE && n > FEWER)
        n /= FEWER;
    FMD_TRY(fmd_measure_allreduce(b->job->comm, b->job->fit.reduce, b->job->fit.allreduce, bytes,
                                  a->warmup, n, b->seconds));
    const fmd_stats s = fmd_stats_of(b->seconds, n);
    const spread mean = over_ranks(b, s.mean);
    const double p50 = over_ranks(b, s.median).mean;
    const double p99 = over_ranks(b, fmd_percentile(b->seconds, n, 0.99)).max;
    const double values[] = {
        (double)bytes, mean.mean * 1e6, mean.min * 1e6, mean.max * 1e6,
        p50 * 1e6,     p99 * 1e6,       (double)n,      (double)bytes * 1e-9 / mean.mean};
    if (is_root(b))
        fmd_bench_table_row(t, "", values);
    return FMD_OK;
}

fmd_status fmd_bench_allreduce(fmd_bench *b)
{
    enum { SMALLEST = 128, LARGEST = 4 << 20 };
    static const fmd_bench_column none = {0}, columns[] = {
                                                  {"bytes", "Size(B)", 7, 0},
                                                  {"avg_us", "Avg(us)", 9, 2},
                                                  {"min_us", "Min(us)", 9, 2},
                                                  {"max_us", "Max(us)", 9, 2},
                                                  {"p50_us", "p50(us)", 9, 2},
                                                  {"p99_us", "p99(us)", 9, 2},
                                                  {"iterations", "Calls", 6, 0},
                                                  {"algbw_gbs", "algbw(GB/s)", 11, 3},
                                              };
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "allreduce", none, columns);
    const fmd_job *j = b->job;
    size_t message, rows;
    FMD_TRY(fmd_bench_sizes(j->comm, j->model, j->optimizer, &j->fit, &message, &rows));
    if (is_root(b) && b->json == NULL)
        fmd_print("# sums of %s over the ranks; this model sends %zu bytes per step\n",
                  j->fit.reduce == FMD_REDUCE_EXACT ? "32-bit integers" : "floats", message);
    if (is_root(b))
        fmd_bench_table_head(&t);
    for (size_t bytes = SMALLEST; bytes <= LARGEST; bytes *= 2) {
        FMD_TRY(allreduce_row(b, &t, bytes));
        if (message > bytes && message < 2 * bytes)
            FMD_TRY(allreduce_row(b, &t, message));
    }
    return FMD_OK;
}

/* Rates of a product, means over the ranks, by the kernels of the layers and by BLAS. */
static fmd_status gemm_row(fmd_bench *b, const fmd_bench_table *t, const fmd_product *p)
{
    const size_t n = b->args.repetitions;
    double *ours = b->seconds, *plain = b->seconds + n;
    FMD_TRY(fmd_measure_product(b->job->comm, p, n, ours, plain));
    const double gflop = fmd_product_flops(p) * 1e-9;
    const fmd_stats s = fmd_stats_of(ours, n), blas = fmd_stats_of(plain, n);
    const double values[] = {(double)p->m,
                             (double)p->n,
                             (double)p->k,
                             over_ranks(b, gflop / s.median).mean,
                             over_ranks(b, gflop / s.min).mean,
                             over_ranks(b, gflop / blas.median).mean,
                             over_ranks(b, gflop / blas.min).mean};
    if (is_root(b))
        fmd_bench_table_row(t, p->name, values);
    return FMD_OK;
}

fmd_status fmd_bench_gemm(fmd_bench *b)
{
    enum { PRODUCTS = 48, SMALLEST = 32, LARGEST = 1024 };
    static const fmd_bench_column label = {"product", "C (M x N), inner K", 24, 0};
    static const fmd_bench_column columns[] = {
        {"m", "M", 5, 0},
        {"n", "N", 5, 0},
        {"k", "K", 5, 0},
        {"gflops", "GFLOP/s", 8, 1},
        {"gflops_max", "max", 7, 1},
        {"blas_gflops", "plain BLAS", 10, 1},
        {"blas_gflops_max", "max", 7, 1},
    };
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "gemm", label, columns);
    const fmd_job *j = b->job;
    fmd_product products[PRODUCTS];
    size_t message, rows;
    FMD_TRY(fmd_bench_sizes(j->comm, j->model, j->optimizer, &j->fit, &message, &rows));
    const size_t n = fmd_products_of(j->model, rows, products, PRODUCTS);
    if (is_root(b))
        fmd_bench_table_head(&t);
    for (size_t i = 0; i < n; i++)
        FMD_TRY(gemm_row(b, &t, &products[i]));
    for (size_t side = SMALLEST; side <= LARGEST; side *= 2) {
        const fmd_product square = {.name = "square", .m = side, .n = side, .k = side};
        FMD_TRY(gemm_row(b, &t, &square));
    }
    return FMD_OK;
}

/* A step of one optimizer on the parameters of the model, and the bandwidth of as much memory. */
static fmd_status update_row(fmd_bench *b, const fmd_bench_table *t, const char *spec)
{
    fmd_comm *c = b->job->comm;
    const size_t n = b->args.repetitions, n_params = fmd_model_n_trainable_params(b->job->model);
    double *rates = b->seconds + n;
    fmd_optimizer *o = NULL;
    fmd_status st = fmd_comm_agree(c, fmd_optimizer_create(&o, spec, n_params));
    if (st == FMD_OK)
        st = fmd_measure_update(c, o, n_params, n, b->seconds);
    if (st == FMD_OK)
        st = fmd_measure_memory(c, fmd_update_footprint(o, n_params), n, rates);
    if (st != FMD_OK)
        goto out;
    const fmd_stats s = fmd_stats_of(b->seconds, n);
    const double seconds = over_ranks(b, s.median).mean;
    const double values[] = {(double)n_params,
                             seconds * 1e6,
                             over_ranks(b, s.min).min * 1e6,
                             over_ranks(b, s.max).max * 1e6,
                             seconds * 1e9 / (double)n_params,
                             fmd_update_bytes(o, n_params) * 1e-9 / seconds,
                             over_ranks(b, fmd_stats_of(rates, n).median).mean * 1e-9};
    if (is_root(b))
        fmd_bench_table_row(t, spec, values);
out:
    fmd_optimizer_destroy(o);
    return st;
}

fmd_status fmd_bench_update(fmd_bench *b)
{
    static const fmd_bench_column label = {"optimizer", "optimizer", 13, 0};
    static const fmd_bench_column columns[] = {
        {"parameters", "parameters", 10, 0},
        {"us", "us", 8, 2},
        {"min_us", "min", 8, 2},
        {"max_us", "max", 8, 2},
        {"ns_per_parameter", "ns/param", 8, 4},
        {"gbs", "GB/s", 6, 1},
        {"memory_gbs", "plain GB/s", 10, 1},
    };
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "update", label, columns);
    const char *wanted = fmd_optimizer_spec(b->job->optimizer);
    bool listed = false;
    if (is_root(b))
        fmd_bench_table_head(&t);
    for (size_t i = 0; fmd_optimizer_ops_at(i) != NULL; i++) {
        const char *name = fmd_optimizer_ops_at(i)->name;
        FMD_TRY(update_row(b, &t, name));
        listed = listed || strcmp(name, wanted) == 0;
    }
    return listed ? FMD_OK : update_row(b, &t, wanted);
}

/* Rank 0. A summary as IOR's. */
static void report_load(const fmd_bench *b, double mib, double images)
{
    static const fmd_bench_column label = {"repetition", "read and unpack", 16, 0};
    static const fmd_bench_column columns[] = {
        {"mib_per_second", "bw(MiB/s)", 10, 1},
        {"images_per_second", "images/s", 12, 0},
        {"seconds", "total(s)", 9, 4},
    };
    const fmd_bench_table t = FMD_BENCH_TABLE(b, "load", label, columns);
    const double first = b->seconds[0];
    const fmd_stats s = fmd_stats_of(b->seconds, b->args.repetitions);
    const struct {
        const char *name;
        double seconds;
    } rows[] = {{"first", first}, {"median", s.median}, {"min", s.min}, {"max", s.max}};
    fmd_bench_table_head(&t);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fmd_bench_table_row(
            &t, rows[i].name,
            (double[]){mib / rows[i].seconds, images / rows[i].seconds, rows[i].seconds});
}

/* From files to shared memory of a node, on the slowest rank. After the first repetition the files are
 * in the page cache. */
fmd_status fmd_bench_load(fmd_bench *b)
{
    const fmd_config *config = b->job->config;
    fmd_comm *c = b->job->comm;
    fmd_dataset *d = &b->job->data;
    for (size_t i = 0; i < b->args.repetitions; i++) {
        fmd_comm_barrier(c);
        const double start = fmd_now();
        FMD_TRY(fmd_loader_read(c, config->data.dataset, config->data.dir, d));
        b->seconds[i] = fmd_now() - start;
        fmd_comm_unshare(c);
    }
    fmd_comm_max(c, b->seconds, (int)b->args.repetitions);
    const double images = (double)(d->info.n_train + d->info.n_test);
    const double mib = images * (double)(fmd_shape_count(d->info.image) + 1) / (1 << 20);
    if (is_root(b) && b->json == NULL)
        fmd_print("# %s in %s: %.1f MiB unpacked, %.0f images, %zu repetitions\n", d->info.name,
                  d->info.path, mib, images, b->args.repetitions);
    if (is_root(b))
        report_load(b, mib, images);
    return FMD_OK;
}
