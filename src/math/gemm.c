#include "math/gemm.h"

#include <cblas.h>
#include <stdbool.h>
#include <stdint.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif

/* OpenBLAS takes its small-matrix path up to this many multiply-adds (interface/gemm.c). */
enum { SMALL_PRODUCT = 1000000 };

/* Rows of C that one call computes at most and at least; kernels work on vectors of 16 columns. */
enum { MOST_ROWS = 8, FEWEST_ROWS = 4, VECTOR = 16 };

/* Values that a panel of a transposed product has at most, so that it stays in the caches. */
enum { PANEL_VALUES = 16384 };

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

/* Cuts `total` into pieces of at most `most`, all but the last equal and whole vectors. */
static size_t piece(size_t total, size_t most)
{
    if (total <= most)
        return total;
    const size_t pieces = (total + most - 1) / most;
    const size_t even = (total + pieces - 1) / pieces;
    return (even + VECTOR - 1) / VECTOR * VECTOR;
}

size_t fmd_gemm_panel(size_t m, size_t n, size_t k)
{
    size_t most = SMALL_PRODUCT / (n * k);
    if (most > PANEL_VALUES / n)
        most = PANEL_VALUES / n;
    return most < VECTOR ? m : piece(m, most);
}

/* How to cut C into calls that take the small-matrix path: by rows; or where a few rows are all
 * there is, by columns, as a large call would copy all of B for them; or not at all. */
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

static void by_panels(CBLAS_TRANSPOSE b_form, size_t m, size_t n, size_t k, const float *a,
                      const float *b, float *c)
{
    const bool b_is_plain = b_form == CblasNoTrans;
    size_t rows, columns;
    choose_panel(m, n, k, &rows, &columns);
    for (size_t i = 0; i < m; i += rows) {
        const size_t r = m - i < rows ? m - i : rows;
        for (size_t j = 0; j < n; j += columns)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, b_form, (blasint)r,
                        (blasint)(n - j < columns ? n - j : columns), (blasint)k, 1, a + i * k,
                        (blasint)k, b + (b_is_plain ? j : j * k), (blasint)(b_is_plain ? n : k), 0,
                        c + i * n + j, (blasint)n);
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
