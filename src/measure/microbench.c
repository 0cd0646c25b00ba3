#include "measure/microbench.h"

#include "base/mem.h"
#include "base/timer.h"
#include "math/gemm.h"
#include "math/membench.h"
#include "measure/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A shorter measurement would suffer from clock resolution and other processes. */
static const double least_seconds = 0.002;

typedef void work(void *self);

/* Seconds of `calls` calls. */
static double time_of(work *call, void *self, size_t calls)
{
    const double start = fmd_now();
    for (size_t i = 0; i < calls; i++)
        call(self);
    return fmd_now() - start;
}

/* Collective. All ranks begin together. */
static void time_calls(fmd_comm *c, work *call, void *self, size_t n, double *seconds)
{
    size_t calls = 1;
    while (time_of(call, self, calls) < least_seconds)
        calls *= 2;
    fmd_comm_barrier(c);
    for (size_t i = 0; i < n; i++)
        seconds[i] = time_of(call, self, calls) / (double)calls;
}

/* Arbitrary values, none of them zero or subnormal. */
static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(1 + i % 61) * 0x1p-7f;
}

static fmd_status create_filled(float **out, size_t n)
{
    FMD_TRY(fmd_alloc(out, n, sizeof **out, "the benchmark"));
    fill(*out, n);
    return FMD_OK;
}

static void add_product(fmd_product *out, const fmd_layer *l, const char *what,
                        fmd_product_form form, size_t m, size_t n, size_t k)
{
    *out = (fmd_product){.form = form, .m = m, .n = n, .k = k};
    snprintf(out->name, sizeof out->name, "%s %s", l->name, what);
}

size_t fmd_products_of(const fmd_model *m, size_t rows, fmd_product *out, size_t most)
{
    size_t n = 0;
    bool lowest = true; /* no layer below it needs the gradient of its input */
    for (size_t i = 0; i < fmd_model_n_layers(m) && n + 3 <= most; i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        if (l->n_tensors == 0)
            continue;
        const fmd_shape kernel = fmd_model_tensor(m, l->first_tensor)->shape;
        if (kernel.rank == 2) {
            const size_t in = (size_t)kernel.dim[0], units = (size_t)kernel.dim[1];
            const size_t all = rows * (fmd_shape_count(l->in[0]) / in);
            add_product(&out[n++], l, "forward", FMD_PRODUCT, all, units, in);
            add_product(&out[n++], l, "kernel gradient", FMD_PRODUCT_AT, in, units, all);
            if (!lowest)
                add_product(&out[n++], l, "input gradient", FMD_PRODUCT_BT, all, in, units);
        }
        lowest = false;
    }
    return n;
}

double fmd_product_flops(const fmd_product *p)
{
    return 2 * (double)p->m * (double)p->n * (double)p->k;
}

typedef struct product_work {
    const fmd_product *p;
    float *a, *b, *c;
} product_work;

/* As in src/nn/layers/dense.c. */
static void multiply(void *self)
{
    const product_work *w = self;
    const size_t m = w->p->m, n = w->p->n, k = w->p->k;
    if (w->p->form == FMD_PRODUCT) {
        fmd_gemm(1, m, n, k, w->a, w->b, NULL, w->c);
    } else if (w->p->form == FMD_PRODUCT_BT) {
        fmd_gemm_bt(1, m, n, k, w->a, w->b, w->c);
    } else {
        fmd_gemm_at(m, n, k, w->a, m, w->b, w->c);
    }
}

static void multiply_plainly(void *self)
{
    const product_work *w = self;
    fmd_plain_gemm(w->p->m, w->p->n, w->p->k, w->a, w->b, w->c);
}

fmd_status fmd_measure_product(fmd_comm *c, const fmd_product *p, size_t n, double *ours,
                               double *plain)
{
    product_work w = {.p = p};
    const char *blas;
    fmd_status st = fmd_math_blas(&blas);
    if (st == FMD_OK)
        st = create_filled(&w.a, p->m * p->k);
    if (st == FMD_OK)
        st = create_filled(&w.b, p->k * p->n);
    if (st == FMD_OK)
        st = create_filled(&w.c, p->m * p->n);
    if ((st = fmd_comm_agree(c, st)) == FMD_OK) {
        time_calls(c, multiply, &w, n, ours);
        time_calls(c, multiply_plainly, &w, n, plain);
    }
    free(w.a);
    free(w.b);
    free(w.c);
    return st;
}

/* Measurements of a product in the search for the peak, and most products of a model. */
enum { TRIES = 5, PRODUCTS = 48 };

/* Collective. Keeps the best rate of a product, by our kernels or by BLAS. */
static fmd_status try_product(fmd_comm *c, const fmd_product *p, fmd_peak *peak)
{
    double seconds[2][TRIES];
    FMD_TRY(fmd_measure_product(c, p, TRIES, seconds[0], seconds[1]));
    for (int way = 0; way < 2; way++) {
        const double rate = fmd_product_flops(p) / fmd_stats_of(seconds[way], TRIES).min;
        if (rate > peak->rate)
            *peak = (fmd_peak){.rate = rate, .product = *p, .is_ours = way == 0};
    }
    return FMD_OK;
}

fmd_status fmd_measure_peak(fmd_comm *c, const fmd_model *m, size_t rows, fmd_peak *peak)
{
    static const size_t squares[] = {128, 192, 256, 384, 512};
    fmd_product products[PRODUCTS];
    *peak = (fmd_peak){.rate = 0};
    for (size_t i = fmd_products_of(m, rows, products, PRODUCTS); i-- > 0;)
        FMD_TRY(try_product(c, &products[i], peak));
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++) {
        fmd_product square = {.m = squares[i], .n = squares[i], .k = squares[i]};
        snprintf(square.name, sizeof square.name, "square");
        FMD_TRY(try_product(c, &square, peak));
    }
    return FMD_OK;
}

typedef struct update_work {
    fmd_optimizer *optimizer;
    float *params, *grads;
} update_work;

static void update(void *self)
{
    const update_work *w = self;
    fmd_optimizer_step(w->optimizer, w->params, w->grads, 1e-6);
}

fmd_status fmd_measure_update(fmd_comm *c, fmd_optimizer *o, size_t n_params, size_t n,
                              double *seconds)
{
    update_work w = {.optimizer = o};
    fmd_status st = create_filled(&w.params, n_params);
    if (st == FMD_OK)
        st = create_filled(&w.grads, n_params);
    if ((st = fmd_comm_agree(c, st)) == FMD_OK)
        time_calls(c, update, &w, n, seconds);
    free(w.params);
    free(w.grads);
    return st;
}

double fmd_update_bytes(const fmd_optimizer *o, size_t n_params)
{
    return (double)(3 + 2 * fmd_optimizer_n_slots(o)) * (double)n_params * sizeof(float);
}

double fmd_update_footprint(const fmd_optimizer *o, size_t n_params)
{
    return (double)(2 + fmd_optimizer_n_slots(o)) * (double)n_params * sizeof(float);
}

typedef struct axpy_work {
    float *x, *y;
    size_t n;
} axpy_work;

static void axpy(void *self)
{
    const axpy_work *w = self;
    fmd_axpy(w->n, 0x1p-20f, w->x, w->y);
}

fmd_status fmd_measure_memory(fmd_comm *c, double footprint, size_t n, double *rates)
{
    enum { ARRAYS = 2, ACCESSES = 3 };
    axpy_work w = {.n = (size_t)ceil(footprint / (ARRAYS * sizeof(float)))};
    fmd_status st = create_filled(&w.x, w.n);
    if (st == FMD_OK)
        st = create_filled(&w.y, w.n);
    if ((st = fmd_comm_agree(c, st)) == FMD_OK)
        time_calls(c, axpy, &w, n, rates);
    for (size_t i = 0; i < n && st == FMD_OK; i++)
        rates[i] = ACCESSES * (double)w.n * sizeof(float) / rates[i];
    free(w.x);
    free(w.y);
    return st;
}

/* Besides the values, a message without counters has a cache line. */
enum { ELEMENT_BYTES = sizeof(uint32_t), OTHER_WORDS = FMD_ALIGN / sizeof(uint32_t) };

fmd_status fmd_measure_allreduce(fmd_comm *c, fmd_reduction_mode mode, fmd_allreduce allreduce,
                                 size_t bytes, size_t warmup, size_t n, double *seconds)
{
    const size_t values = bytes / ELEMENT_BYTES - OTHER_WORDS;
    fmd_reduction *r = NULL;
    FMD_TRY(fmd_reduction_create(&r, mode, allreduce, false, 0, c, &values, 1, 0));
    fmd_status st = FMD_OK;
    for (size_t i = 0; i < warmup + n; i++) {
        fmd_reduction_seconds s = {0};
        fmd_reduction_time(r, &s);
        fmd_reduction_begin_step(r, fmd_comm_size(c), 0);
        fmd_comm_barrier(c);
        if (fmd_reduction_finish(r, NULL) != FMD_REDUCED) {
            st = FMD_FAIL(FMD_EINTERNAL, "zeros have no sum");
            break;
        }
        if (i >= warmup)
            seconds[i - warmup] = s.sum;
    }
    fmd_reduction_destroy(r);
    return st;
}
