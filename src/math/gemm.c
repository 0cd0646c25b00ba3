#include "math/gemm.h"

#include "math/bf16/bf16.h"
#include "math/kernels.h"
#include "math/openblas.h"
#include "math/vec.h"

#include <stdint.h>
#include <stdio.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

/* OpenBLAS takes its small-matrix path up to this many multiply-adds (interface/gemm.c). */
enum { SMALL_PRODUCT = 1000000 };

/* Maximum and minimum rows of C per call; kernels work on vectors of 16 columns. */
enum { MOST_ROWS = 8, FEWEST_ROWS = 4, VECTOR = 16 };

/* Values of a sum that fit in the L1 cache beside the operands; with OpenBLAS, whose products go
 * through a buffer, in the L2 cache. */
enum { SUM_VALUES = 2048, BUFFER_VALUES = 65536, BLAS_SUM_VALUES = 16384 };

static const fmd_kernels *own; /* NULL: OpenBLAS */
static const fmd_openblas *openblas;
static int blas_threads = 1;

/* The fastest table for this CPU; NULL if none uses fused multiply-add instructions. */
static const fmd_kernels *best_kernels(void)
{
#if defined(__x86_64__) && !defined(FMD_ISA_BASELINE)
#if !defined(FMD_ISA_AVX2)
    if (__builtin_cpu_supports("avx512f"))
        return &fmd_kernels_avx512;
#endif
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fmd_kernels_avx2;
#elif defined(__FP_FAST_FMAF)
    return &fmd_kernels_plain;
#endif
    return NULL;
}

fmd_status fmd_math_open(fmd_gemm_kind kind, int threads)
{
    own = best_kernels();
    if (kind == FMD_GEMM_OPENBLAS || (kind == FMD_GEMM_AUTO && threads > 1))
        own = NULL;
    else if (kind == FMD_GEMM_OWN && own == NULL)
        own = &fmd_kernels_plain;
    blas_threads = threads;
    if (own == NULL)
        FMD_TRY(fmd_openblas_load(&openblas, threads));
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | UINT64_C(1) << 24));
#endif
    return FMD_OK;
}

bool fmd_math_is_own(void)
{
    return own != NULL;
}

const char *fmd_math_core(void)
{
    static char name[64];
    if (own != NULL)
        return "own";
    snprintf(name, sizeof name, "OpenBLAS %s", openblas->get_corename());
    return name;
}

const char *fmd_math_instructions(void)
{
    return own != NULL ? own->name : openblas->get_corename();
}

const char *fmd_math_library(void)
{
    return own != NULL ? "none: own kernels" : openblas->get_config();
}

fmd_status fmd_math_blas(const char **config)
{
    FMD_TRY(fmd_openblas_load(&openblas, blas_threads));
    *config = openblas->get_config();
    return FMD_OK;
}

void fmd_plain_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    openblas->sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k,
                    1, a, (blasint)k, b, (blasint)n, 0, c, (blasint)n);
}

/* Cuts `total` into pieces of at most `most`. All pieces but the last are equal, in whole vectors. */
static size_t piece(size_t total, size_t most)
{
    if (total <= most)
        return total;
    const size_t pieces = (total + most - 1) / most;
    const size_t even = (total + pieces - 1) / pieces;
    return (even + VECTOR - 1) / VECTOR * VECTOR;
}

size_t fmd_gemm_panel(size_t products, size_t m, size_t n, size_t k)
{
    if (fmd_bf16_is_on() || (own != NULL && (products == 1 || n > FMD_PACK_COLUMNS)))
        return m;
    size_t most = SUM_VALUES / n;
    if (own == NULL) {
        most = BLAS_SUM_VALUES / n;
        if (most > SMALL_PRODUCT / (n * k))
            most = SMALL_PRODUCT / (n * k);
    }
    return piece(m, most > VECTOR ? most : VECTOR);
}

/* Cuts C into calls that take OpenBLAS's small-matrix path: by rows, or by columns if C has few rows,
 * since a large call would copy all of B. Large products are not cut. */
static void choose_panel(size_t m, size_t n, size_t k, size_t *rows, size_t *columns)
{
    *rows = SMALL_PRODUCT / (n * k);
    *columns = n;
    if (*rows > MOST_ROWS)
        *rows = MOST_ROWS;
    if (*rows >= FEWEST_ROWS || *rows >= m)
        return;
    *rows = m;
    const size_t most = SMALL_PRODUCT / (m * k);
    if (m <= MOST_ROWS && most >= VECTOR)
        *columns = piece(n, most);
}

static void blas(CBLAS_TRANSPOSE b_form, size_t m, size_t n, size_t k, const float *a,
                 const float *b, float *c)
{
    const bool b_is_plain = b_form == CblasNoTrans;
    size_t rows, columns;
    choose_panel(m, n, k, &rows, &columns);
    for (size_t i = 0; i < m; i += rows) {
        const size_t r = m - i < rows ? m - i : rows;
        for (size_t j = 0; j < n; j += columns)
            openblas->sgemm(CblasRowMajor, CblasNoTrans, b_form, (blasint)r,
                            (blasint)(n - j < columns ? n - j : columns), (blasint)k, 1, a + i * k,
                            (blasint)k, b + (b_is_plain ? j : j * k), (blasint)(b_is_plain ? n : k),
                            0, c + i * n + j, (blasint)n);
    }
}

void fmd_gemm(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
              const float *bias, float *c)
{
    if (fmd_bf16_is_on()) {
        fmd_bf16_multiply(&(fmd_bf16_product){.m = blocks * m,
                                              .n = n,
                                              .k = k,
                                              .part = k,
                                              .a = a,
                                              .lda = k,
                                              .b = b,
                                              .ldb = n,
                                              .bias = bias,
                                              .c = c,
                                              .ldc = n});
        return;
    }
    if (own != NULL) {
        own->gemm(blocks * m, n, k, a, b, bias, c);
        return;
    }
    for (size_t i = 0; i < blocks * m; i += m)
        blas(CblasNoTrans, m, n, k, a + i * k, b, c + i * n);
    if (bias != NULL)
        fmd_add_row(blocks * m, n, bias, c);
}

void fmd_gemm_bt(size_t blocks, size_t m, size_t n, size_t k, const float *a, const float *b,
                 float *c)
{
    if (fmd_bf16_is_on()) {
        fmd_bf16_multiply(&(fmd_bf16_product){.b_transposed = true,
                                              .m = blocks * m,
                                              .n = n,
                                              .k = k,
                                              .part = k,
                                              .a = a,
                                              .lda = k,
                                              .b = b,
                                              .ldb = k,
                                              .c = c,
                                              .ldc = n});
        return;
    }
    if (own != NULL) {
        own->gemm_bt(blocks * m, n, k, a, b, c);
        return;
    }
    for (size_t i = 0; i < blocks * m; i += m)
        blas(CblasTrans, m, n, k, a + i * k, b, c + i * n);
}

void fmd_gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, float *c)
{
    if (fmd_bf16_is_on())
        fmd_bf16_multiply(&(fmd_bf16_product){.a_transposed = true,
                                              .m = m,
                                              .n = n,
                                              .k = k,
                                              .part = k,
                                              .a = a,
                                              .lda = lda,
                                              .b = b,
                                              .ldb = n,
                                              .c = c,
                                              .ldc = n});
    else if (own != NULL)
        own->gemm_at(m, n, k, a, lda, b, c);
    else
        openblas->sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k,
                        1, a, (blasint)lda, b, (blasint)n, 0, c, (blasint)n);
}

void fmd_gemm_at_fixed(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                       size_t lda, const float *b, fmd_fixed *fixed, size_t offset)
{
    static float buffer[BUFFER_VALUES]; /* holds at least one row: layers have no more units */
    if (fmd_bf16_is_on()) {
        fmd_bf16_multiply(&(fmd_bf16_product){.a_transposed = true,
                                              .m = m,
                                              .n = n,
                                              .k = microbatches * k,
                                              .part = k,
                                              .a = a,
                                              .lda = lda,
                                              .b = b,
                                              .ldb = n,
                                              .fixed = fixed,
                                              .offset = offset});
        return;
    }
    if (own != NULL) {
        own->gemm_at_fixed(microbatches, m, n, k, a, lda, b, fixed, offset);
        return;
    }
    const size_t most = BUFFER_VALUES / n;
    for (; microbatches > 0; microbatches--, a += k * lda, b += k * n)
        for (size_t i = 0; i < m; i += most) {
            const size_t rows = m - i < most ? m - i : most;
            fmd_gemm_at(rows, n, k, a + i, lda, b, buffer);
            fmd_fixed_add(fixed, offset + i * n, rows * n, buffer);
        }
}
