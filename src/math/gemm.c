#include "math/gemm.h"

#include <cblas.h>
#include <stdint.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

/* OpenBLAS takes its small-matrix path up to this many multiply-adds (interface/gemm.c). */
enum { SMALL_PRODUCT = 1000000 };

/* With fewer rows than this a panel is slower than one large call. */
enum { FEWEST_ROWS = 4 };

/* Rows that one panel has at most, so that it stays in the first-level caches. */
enum { MOST_ROWS = 128 };

void fmd_math_open(int threads)
{
    openblas_set_num_threads(threads);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ and DAZ */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | UINT64_C(1) << 24));
#endif
}

const char *fmd_math_core(void)
{
    return openblas_get_corename();
}

const char *fmd_math_library(void)
{
    return openblas_get_config();
}

size_t fmd_gemm_panel(size_t n, size_t k)
{
    size_t rows = SMALL_PRODUCT / (n * k > 0 ? n * k : 1);
    if (rows < FEWEST_ROWS)
        return SIZE_MAX;
    /* Whole vectors of rows: kernels work on 8 or 16 of them at a time. */
    if (rows > 8)
        rows -= rows % 8;
    return rows < MOST_ROWS ? rows : MOST_ROWS;
}

static void by_panels(CBLAS_TRANSPOSE b_form, size_t m, size_t n, size_t k, const float *a,
                      const float *b, float *c)
{
    size_t panel = fmd_gemm_panel(n, k);
    for (size_t i = 0; i < m; i += panel) {
        size_t rows = m - i < panel ? m - i : panel;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, b_form, (blasint)rows, (blasint)n, (blasint)k, 1,
                    a + i * k, (blasint)k, b, (blasint)(b_form == CblasNoTrans ? n : k), 0,
                    c + i * n, (blasint)n);
        if (rows == m - i)
            break;
    }
}

void fmd_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    by_panels(CblasNoTrans, m, n, k, a, b, c);
}

void fmd_gemm_bt(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    by_panels(CblasTrans, m, n, k, a, b, c);
}

void fmd_gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (blasint)m, (blasint)n, (blasint)k, 1, a,
                (blasint)lda, b, (blasint)n, 0, c, (blasint)n);
}
