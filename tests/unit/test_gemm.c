/* Matrix products: right, and of our own kernels the same bits whatever the instructions and the
 * other rows. */
#include "support/fmd_test.h"
#include "support/values.h"

#include "base/rng.h"
#include "math/gemm.h"
#include "math/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_M = 90, MOST_N = 420, MOST_K = 600, UNITS = 1 << 16 };

/* Operands in every form that a product takes, and results. */
typedef struct product {
    size_t m, n, k, lda;
    float *a, *at, *b, *bt, *bias;
} product;

typedef struct results {
    float *c, *bt, *at;
    uint32_t *fixed, largest;
} results;

static product make_product(size_t m, size_t n, size_t k, bool bias)
{
    product p = {.m = m, .n = n, .k = k, .lda = m + 3};
    p.a = values_random(m * k, 0);
    p.b = values_random(k * n, 1);
    p.at = values_random(k * p.lda, 2);
    p.bt = values_random(n * k, 3);
    p.bias = bias ? values_random(n, 4) : NULL;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < k; j++)
            p.at[j * p.lda + i] = p.a[i * k + j];
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            p.bt[j * k + i] = p.b[i * n + j];
    return p;
}

static void free_product(product *p)
{
    free(p->a);
    free(p->at);
    free(p->b);
    free(p->bt);
    free(p->bias);
}

static results multiply(const fmd_kernels *kernels, const product *p)
{
    const size_t mn = p->m * p->n;
    results r = {.c = values_zero(mn),
                 .bt = values_zero(mn),
                 .at = values_zero(mn),
                 .fixed = values_zero(mn)};
    fmd_fixed fixed = {.at = r.fixed, .inverse = UNITS};
    kernels->gemm(p->m, p->n, p->k, p->a, p->b, p->bias, r.c);
    kernels->gemm_bt(p->m, p->n, p->k, p->a, p->bt, r.bt);
    kernels->gemm_at(p->m, p->n, p->k, p->at, p->lda, p->b, r.at);
    kernels->gemm_at_fixed(1, p->m, p->n, p->k, p->at, p->lda, p->b, &fixed, 0);
    r.largest = fixed.largest;
    /* Nothing behind the end is touched. */
    assert_true(r.c[mn] == 0 && r.bt[mn] == 0 && r.at[mn] == 0 && r.fixed[mn] == 0);
    return r;
}

static void free_results(results *r)
{
    free(r->c);
    free(r->bt);
    free(r->at);
    free(r->fixed);
}

static void assert_right(const product *p, const results *r)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0, magnitude = 1;
            for (size_t l = 0; l < p->k; l++) {
                const double term = (double)p->a[i * p->k + l] * (double)p->b[l * p->n + j];
                sum += term;
                magnitude += fabs(term);
            }
            const double bias = p->bias != NULL ? (double)p->bias[j] : 0;
            const double limit = magnitude * 0x1p-24 * sqrt((double)p->k) * 4;
            const size_t at = i * p->n + j;
            assert_true(fabs((double)r->c[at] - sum - bias) <= limit);
            assert_true(fabs((double)r->bt[at] - sum) <= limit);
            assert_true(fabs((double)r->at[at] - sum) <= limit);
        }
}

/* What the fixed hold is what fmd_fixed_add makes of the floats. */
static void assert_lanes(const product *p, const results *r)
{
    const size_t mn = p->m * p->n;
    uint32_t *at = values_zero(mn);
    fmd_fixed fixed = {.at = at, .inverse = UNITS};
    fmd_fixed_add(&fixed, 0, mn, r->at);
    assert_memory_equal(at, r->fixed, mn * sizeof *at);
    assert_int_equal(fixed.largest, r->largest);
    free(at);
}

static void assert_same(const product *p, const results *x, const results *y)
{
    const size_t bytes = p->m * p->n * sizeof(float);
    assert_memory_equal(x->c, y->c, bytes);
    assert_memory_equal(x->bt, y->bt, bytes);
    assert_memory_equal(x->at, y->at, bytes);
    assert_memory_equal(x->fixed, y->fixed, bytes);
    assert_int_equal(x->largest, y->largest);
}

/* The tables that this CPU can run. */
static size_t usable(const fmd_kernels *tables[3])
{
    size_t n = 0;
    tables[n++] = &fmd_kernels_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        tables[n++] = &fmd_kernels_avx2;
    if (__builtin_cpu_supports("avx512f"))
        tables[n++] = &fmd_kernels_avx512;
#endif
    return n;
}

/* Blocks whole and broken, in every direction; the last ones are packed, in several parts. */
static const size_t shapes[][3] = {{1, 1, 1},      {2, 10, 4},    {3, 16, 32},    {8, 32, 5},
                                   {5, 33, 17},    {9, 47, 784},  {13, 48, 31},   {32, 128, 40},
                                   {90, 64, 77},   {64, 420, 30}, {67, 401, 600}, {300, 403, 29},
                                   {261, 397, 270}};

static void test_gemm__all_instruction_sets_give_the_same_right_bits(void **state)
{
    (void)state;
    const fmd_kernels *tables[3];
    const size_t n = usable(tables);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        product p = make_product(shapes[i][0], shapes[i][1], shapes[i][2], i % 2 != 0);
        results first = multiply(tables[0], &p);
        assert_right(&p, &first);
        assert_lanes(&p, &first);
        for (size_t t = 1; t < n; t++) {
            results other = multiply(tables[t], &p);
            assert_same(&p, &first, &other);
            free_results(&other);
        }
        free_results(&first);
        free_product(&p);
    }
}

static void test_gemm__a_row_does_not_depend_on_the_others(void **state)
{
    (void)state;
    const fmd_kernels *tables[3];
    const size_t n_tables = usable(tables), n = 401, k = 600, most = 67;
    product p = make_product(most, n, k, true);
    for (size_t t = 0; t < n_tables; t++) {
        results all = multiply(tables[t], &p);
        float *c = values_zero(most * n);
        for (size_t m = 1; m < most; m += 11) {
            tables[t]->gemm(m, n, k, p.a, p.b, p.bias, c);
            assert_memory_equal(c, all.c, m * n * sizeof *c);
            tables[t]->gemm_bt(m, n, k, p.a, p.bt, c);
            assert_memory_equal(c, all.bt, m * n * sizeof *c);
        }
        free(c);
        free_results(&all);
    }
    free_product(&p);
}

/* As images have them: long runs of zeros here, single ones there, more to the left. */
static void strew_zeros(product *p)
{
    const fmd_rng rng = {.seed = 5, .purpose = FMD_RNG_INIT, .stream = 5};
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->k; j++) {
            uint32_t r[4];
            fmd_rng_block(&rng, i * p->k + j, r);
            if ((i / 3 + j / 5) % 3 == 0 || r[0] % (j + 2) < 2)
                p->at[j * p->lda + i] = p->a[i * p->k + j] = r[1] % 2 == 0 ? 0.0f : -0.0f;
        }
}

/* Each value is the chain of all its terms, those that are zero too. */
static void assert_chains(const product *p, const results *r)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            float sum = 0, with_bias = p->bias != NULL ? p->bias[j] : 0;
            for (size_t l = 0; l < p->k; l++) {
                sum = fmaf(p->a[i * p->k + l], p->b[l * p->n + j], sum);
                with_bias = fmaf(p->a[i * p->k + l], p->b[l * p->n + j], with_bias);
            }
            assert_memory_equal(&r->at[i * p->n + j], &sum, sizeof sum);
            assert_memory_equal(&r->bt[i * p->n + j], &sum, sizeof sum);
            assert_memory_equal(&r->c[i * p->n + j], &with_bias, sizeof with_bias);
        }
}

/* Odd rows at the end, terms of one word and of several, strips that are packed, more rows than one
 * slice, too few terms to look for zeros, and several packed parts. */
static const size_t shapes_with_zeros[][3] = {{27, 128, 100}, {33, 512, 130}, {48, 256, 64},
                                              {83, 128, 33},  {520, 128, 40}, {32, 128, 4},
                                              {283, 533, 300}};

static void test_gemm__zeros_are_left_out_and_change_no_bit(void **state)
{
    (void)state;
    const fmd_kernels *tables[3];
    const size_t n = usable(tables);
    for (size_t i = 0; i < sizeof shapes_with_zeros / sizeof *shapes_with_zeros; i++) {
        const size_t *s = shapes_with_zeros[i];
        product p = make_product(s[0], s[1], s[2], i % 2 != 0);
        strew_zeros(&p);
        for (size_t t = 0; t < n; t++) {
            results r = multiply(tables[t], &p);
            assert_chains(&p, &r);
            assert_lanes(&p, &r);
            free_results(&r);
        }
        free_product(&p);
    }
}

/* Microbatches long and short, of whole blocks and of others; packed, and too long for that. */
static const size_t microbatch_shapes[][4] = {
    {8, 16, 128, 4},  {3, 16, 64, 1},    {5, 18, 70, 4},    {2, 13, 64, 7},   {4, 48, 96, 15},
    {3, 32, 128, 20}, {9, 261, 401, 32}, {5, 27, 392, 100}, {2, 20, 392, 260}};

static void test_gemm__each_microbatch_is_rounded_by_itself(void **state)
{
    (void)state;
    const fmd_kernels *tables[3];
    const size_t n_tables = usable(tables);
    for (size_t i = 0; i < sizeof microbatch_shapes / sizeof *microbatch_shapes; i++) {
        const size_t *s = microbatch_shapes[i], microbatches = s[0], m = s[1], n = s[2], k = s[3];
        product p = make_product(m, n, microbatches * k, false);
        for (size_t t = 0; t < n_tables; t++) {
            uint32_t *one_by_one = values_zero(m * n), *at_once = values_zero(m * n);
            fmd_fixed expected = {.at = one_by_one, .inverse = UNITS};
            fmd_fixed fixed = {.at = at_once, .inverse = UNITS};
            float *c = values_zero(m * n);
            for (size_t l = 0; l < microbatches; l++) {
                tables[t]->gemm_at(m, n, k, p.at + l * k * p.lda, p.lda, p.b + l * k * n, c);
                fmd_fixed_add(&expected, 0, m * n, c);
            }
            tables[t]->gemm_at_fixed(microbatches, m, n, k, p.at, p.lda, p.b, &fixed, 0);
            assert_memory_equal(at_once, one_by_one, (m * n + 1) * sizeof *at_once);
            assert_int_equal(fixed.largest, expected.largest);
            free(c);
            free(one_by_one);
            free(at_once);
        }
        free_product(&p);
    }
}

/* The control: OpenBLAS and our own kernels add in another order. */
static void test_gemm__openblas_is_as_right_but_not_the_same(void **state)
{
    (void)state;
    product p = make_product(64, 128, 600, true);
    results own = multiply(&fmd_kernels_plain, &p), blas = multiply(&fmd_kernels_plain, &p);
    fmd_fixed fixed = {.at = blas.fixed, .inverse = UNITS};
    memset(blas.fixed, 0, p.m * p.n * sizeof *blas.fixed);
    assert_ok(fmd_math_open(FMD_GEMM_OPENBLAS, 1));
    assert_non_null(strstr(fmd_math_core(), "OpenBLAS "));
    fmd_gemm(2, 32, p.n, p.k, p.a, p.b, p.bias, blas.c);
    fmd_gemm_bt(2, 32, p.n, p.k, p.a, p.bt, blas.bt);
    fmd_gemm_at(p.m, p.n, p.k, p.at, p.lda, p.b, blas.at);
    fmd_gemm_at_fixed(1, p.m, p.n, p.k, p.at, p.lda, p.b, &fixed, 0);
    blas.largest = fixed.largest;
    assert_ok(fmd_math_open(FMD_GEMM_AUTO, 1));
    assert_right(&p, &blas);
    assert_memory_not_equal(own.c, blas.c, p.m * p.n * sizeof(float));
    free_results(&own);
    free_results(&blas);
    free_product(&p);
}

static void test_gemm__more_threads_than_one_are_openblas(void **state)
{
    (void)state;
    assert_ok(fmd_math_open(FMD_GEMM_AUTO, 2));
    assert_non_null(strstr(fmd_math_core(), "OpenBLAS "));
    assert_ok(fmd_math_open(FMD_GEMM_OWN, 1));
    assert_string_equal(fmd_math_core(), "own");
}

/* NaN and values that no lane holds are seen in `largest`; the fixed of the others are right. */
static void test_gemm__largest_value_is_seen(void **state)
{
    (void)state;
    const fmd_kernels *tables[3];
    const size_t n = usable(tables);
    for (size_t t = 0; t < n; t++) {
        float a[3] = {1, -5, 2}, b[2] = {3, 1};
        uint32_t at[6] = {0};
        fmd_fixed fixed = {.at = at, .inverse = 4};
        float largest;
        tables[t]->gemm_at_fixed(1, 3, 2, 1, a, 3, b, &fixed, 0);
        memcpy(&largest, &fixed.largest, sizeof largest);
        assert_true(largest == 60);
        assert_int_equal((int32_t)at[2], -60);
        a[1] = NAN;
        tables[t]->gemm_at_fixed(1, 3, 2, 1, a, 3, b, &fixed, 0);
        memcpy(&largest, &fixed.largest, sizeof largest);
        assert_true(isnan(largest));
        assert_int_equal((int32_t)at[0], 24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemm__all_instruction_sets_give_the_same_right_bits),
        cmocka_unit_test(test_gemm__a_row_does_not_depend_on_the_others),
        cmocka_unit_test(test_gemm__zeros_are_left_out_and_change_no_bit),
        cmocka_unit_test(test_gemm__each_microbatch_is_rounded_by_itself),
        cmocka_unit_test(test_gemm__openblas_is_as_right_but_not_the_same),
        cmocka_unit_test(test_gemm__more_threads_than_one_are_openblas),
        cmocka_unit_test(test_gemm__largest_value_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
