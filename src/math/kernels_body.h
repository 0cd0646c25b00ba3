/* The matrix products, for the vector type that the including file defines:
 *
 *   vec, ivec, mask       a vector of VL floats, of VL 32-bit integers, and a set of lanes
 *   MASK(n)               the first n lanes
 *   LOAD STORE ILOAD ISTORE   all lanes; LOAD_SOME ... (.., mask): the others stay untouched
 *   SPREAD FMA MUL PLUS MINUS   one float in all lanes; a b + c, rounded once; product; sum; difference
 *   MAGNITUDE IMAX IADD   bits without the sign; unsigned maximum; sum modulo 2^32
 *   ROUND                 to the nearest int32, ties to even
 *   LARGEST               the largest of all lanes, as uint32_t
 *   ONCE                  keeps a loaded value in a register; the compiler would load it for each use
 *   transpose             writes VL rows of VL floats as columns
 *   NONZERO               the bits of the lanes that are not zero
 *   ROWS                  rows of C in one block, 4 or more; its columns are 2 * VL
 *   FIXED_ROWS            rows of a block whose fixed-point sums stay in registers as well
 *   BF16_ROWS             rows of a block of bf16 products, which has two chains for each element
 *   PAIR_VECTORS          vectors per row of a block that skips zeros
 *
 * A block of C, ROWS x 2 VL, stays in registers over the whole inner dimension. For each term, a row
 * of the block needs one float of A, a vector of columns one vector of B. */
#include "math/kernels.h"

#include <string.h>

enum { VECTORS = 2, WIDTH = VECTORS * VL };

/* With more than FMD_PACK_COLUMNS columns and at least so many rows, operands are packed. */
enum { PACK_USES = 16 };

#define INLINE static inline __attribute__((always_inline))

/* Initial value and destination of a block. */
typedef struct target {
    const float *bias; /* for the block's columns; or NULL */
    float *c;          /* floats, row stride ldc; or NULL */
    bool go_on;        /* c holds the sums over the first part of the inner dimension */
    uint32_t *fixed;   /* fixed-point sums, used if c is NULL; row stride ldc */
    size_t ldc;
    float inverse;
    ivec *largest;
} target;

/* An operand: element (row, p) is at row * row_step + p * inner_step. */
typedef struct operand {
    const float *at;
    size_t row_step, inner_step;
} operand;

/* The target of the block whose first element is `values` elements further on. */
INLINE target moved(target t, size_t values)
{
    if (t.c != NULL)
        t.c += values;
    else
        t.fixed += values;
    return t;
}

/* The width of a block; after inlining all fields but `last` are constants. */
typedef struct shape {
    int vectors;
    bool partial; /* the last vector uses only the lanes `last` */
    mask last;
} shape;

INLINE vec load(shape s, int v, const float *x)
{
    return s.partial && v == s.vectors - 1 ? LOAD_SOME(x, s.last) : LOAD(x);
}

INLINE void store(shape s, int v, float *x, vec values)
{
    if (s.partial && v == s.vectors - 1)
        STORE_SOME(x, s.last, values);
    else
        STORE(x, values);
}

INLINE void add(shape s, int v, uint32_t *x, ivec values)
{
    if (s.partial && v == s.vectors - 1)
        ISTORE_SOME(x, s.last, IADD(ILOAD_SOME(x, s.last), values));
    else
        ISTORE(x, IADD(ILOAD(x), values));
}

/* Adds k terms of a block, in ascending order. */
INLINE void add_products(const int rows, const shape s, size_t k, operand a, const float *b,
                         size_t ldb, vec sum[][VECTORS])
{
    for (size_t p = 0; p < k; p++) {
        vec column[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < s.vectors; v++)
            column[v] = load(s, v, b + p * ldb + (size_t)v * VL);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            const vec row = SPREAD(a.at[(size_t)r * a.row_step + p * a.inner_step]);
#pragma GCC unroll 2
            for (int v = 0; v < s.vectors; v++)
                sum[r][v] = FMA(row, column[v], sum[r][v]);
        }
    }
}

/* The same for products of bf16 values, in the order that math/bf16/bf16.h has. */
INLINE void add_bf16_products(const int rows, const shape s, size_t k, operand a, const float *b,
                              size_t ldb, vec sum[][VECTORS])
{
    for (size_t first = 0; first < k; first += FMD_BF16_TERMS) {
        const size_t end = k - first < FMD_BF16_TERMS ? k : first + FMD_BF16_TERMS;
        vec even[BF16_ROWS][VECTORS], odd[BF16_ROWS][VECTORS];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < s.vectors; v++)
                even[r][v] = odd[r][v] = SPREAD(0);
        for (size_t p = first; p + 1 < end; p += 2) {
            add_products(rows, s, 1, (operand){a.at + p * a.inner_step, a.row_step, 0}, b + p * ldb,
                         ldb, even);
            add_products(rows, s, 1, (operand){a.at + (p + 1) * a.inner_step, a.row_step, 0},
                         b + (p + 1) * ldb, ldb, odd);
        }
        if (end % 2 != 0)
            add_products(rows, s, 1, (operand){a.at + (end - 1) * a.inner_step, a.row_step, 0},
                         b + (end - 1) * ldb, ldb, even);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < s.vectors; v++)
                sum[r][v] = PLUS(sum[r][v], PLUS(even[r][v], odd[r][v]));
    }
}

INLINE void block(const bool bf16, const int rows, const shape s, size_t k, operand a,
                  const float *b, size_t ldb, const target *t)
{
    vec sum[ROWS][VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < s.vectors; v++) {
            if (t->go_on)
                sum[r][v] = load(s, v, t->c + (size_t)r * t->ldc + (size_t)v * VL);
            else
                sum[r][v] = t->bias != NULL ? load(s, v, t->bias + (size_t)v * VL) : SPREAD(0);
        }
    if (bf16)
        add_bf16_products(rows, s, k, a, b, ldb, sum);
    else
        add_products(rows, s, k, a, b, ldb, sum);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < s.vectors; v++) {
            const size_t at = (size_t)r * t->ldc + (size_t)v * VL;
            if (t->c != NULL) {
                store(s, v, t->c + at, sum[r][v]);
            } else {
                const vec z = MUL(sum[r][v], SPREAD(t->inverse));
                *t->largest = IMAX(*t->largest, MAGNITUDE(z));
                add(s, v, t->fixed + at, ROUND(z));
            }
        }
}

/* m rows of one block's columns. */
INLINE void rows_of_blocks(const bool bf16, const shape s, size_t m, size_t k, operand a,
                           const float *b, size_t ldb, target t)
{
    const size_t most = bf16 ? BF16_ROWS : ROWS;
    while (m > 0) {
        const size_t rows = m >= most ? most : m >= 4 ? 4 : m >= 2 ? 2 : 1;
        if (rows == most)
            block(bf16, bf16 ? BF16_ROWS : ROWS, s, k, a, b, ldb, &t);
        else if (rows == 4 && !bf16)
            block(bf16, 4, s, k, a, b, ldb, &t);
        else if (rows == 2)
            block(bf16, 2, s, k, a, b, ldb, &t);
        else
            block(bf16, 1, s, k, a, b, ldb, &t);
        a.at += rows * a.row_step;
        t = moved(t, rows * t.ldc);
        m -= rows;
    }
}

/* m rows of `n` columns, at most WIDTH. */
INLINE void blocks(const bool bf16, size_t n, size_t m, size_t k, operand a, const float *b,
                   size_t ldb, target t)
{
    if (n == WIDTH)
        rows_of_blocks(bf16, (shape){.vectors = 2}, m, k, a, b, ldb, t);
    else if (n > VL)
        rows_of_blocks(bf16, (shape){2, true, MASK(n - VL)}, m, k, a, b, ldb, t);
    else if (n == VL)
        rows_of_blocks(bf16, (shape){.vectors = 1}, m, k, a, b, ldb, t);
    else
        rows_of_blocks(bf16, (shape){1, true, MASK(n)}, m, k, a, b, ldb, t);
}

static inline size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

static inline void keep_largest(uint32_t most, fmd_fixed *fixed)
{
    if (most > fixed->largest)
        fixed->largest = most;
}

#include "math/kernels_zeros.h"

#include "math/kernels_large_body.h"

static void gemm(size_t m, size_t n, size_t k, const float *a, const float *b, const float *bias,
                 float *c)
{
    if (n > FMD_PACK_COLUMNS && m >= PACK_USES) {
        const large l = {m, n, k, k, a, b, k, n, {.bias = bias, .c = c, .ldc = n}};
        large_plain(&l);
        return;
    }
    if (n % STRIP == 0 && m >= FEWEST_ROWS && rows_have_zeros(m, k, a)) {
        const size_t even = m / PAIR * PAIR;
        gemm_zeros(even, n, k, a, b, bias, c);
        m -= even;
        a += even * k;
        c += even * n;
    }
    /* Few rows at a time, so that they stay in the L1 cache from block to block. */
    for (size_t i = 0; i < m; i += ROWS)
        for (size_t j = 0; j < n; j += WIDTH) {
            const target t = {.bias = bias != NULL ? bias + j : NULL, .c = c + i * n + j, .ldc = n};
            blocks(false, least(n - j, WIDTH), least(m - i, ROWS), k, (operand){a + i * k, k, 1},
                   b + j, n, t);
        }
}

static void gemm_bt(size_t m, size_t n, size_t k, const float *a, const float *b, float *c)
{
    const large l = {m, n, k, k, a, b, k, k, {.c = c, .ldc = n}};
    large_transposed(&l);
}

/* A^T B, block by block; `t` is the target of the first block. */
INLINE void transposed_blocks(size_t m, size_t n, size_t k, const float *a, size_t lda,
                              const float *b, target t)
{
    for (size_t i = 0; i < m; i += ROWS)
        for (size_t j = 0; j < n; j += WIDTH)
            blocks(false, least(n - j, WIDTH), least(m - i, ROWS), k, (operand){a + i, 1, lda},
                   b + j, n, moved(t, i * n + j));
}

/* A^T B, without the terms of zeros if A has enough zeros. */
INLINE void transposed(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                       target t)
{
    const bool look =
        n % STRIP == 0 && n <= FMD_PACK_COLUMNS && k >= FEWEST_TERMS && (t.c != NULL || k <= TERMS);
    const size_t part = look ? TERMS : k, height = look ? GROUP : m;
    for (size_t p = 0; p < k; p += part)
        for (size_t i = 0; i < m; i += height) {
            const size_t now = least(k - p, part), rows = least(m - i, height);
            const float *columns = a + p * lda + i;
            uint64_t terms[GROUP / PAIR];
            target here = moved(t, i * n);
            here.go_on = t.c != NULL && p > 0;
            if (look && rows == GROUP && columns_have_zeros(now, columns, lda, terms))
                group_zeros(n, terms, columns, lda, b + p * n, here);
            else
                transposed_blocks(rows, n, now, columns, lda, b + p * n, here);
        }
}

static void gemm_at(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                    float *c)
{
    const target t = {.c = c, .ldc = n};
    if (n > FMD_PACK_COLUMNS && m >= PACK_USES)
        large_across(&(large){m, n, k, k, a, b, lda, n, t});
    else
        transposed(m, n, k, a, lda, b, t);
}

/* A block of A^T B of each microbatch; FIXED_ROWS x WIDTH. */
INLINE void block_of_microbatches(size_t microbatches, size_t k, operand a, const float *b,
                                  size_t ldb, const target *t)
{
    const shape s = {.vectors = VECTORS};
    const vec inverse = SPREAD(t->inverse);
    ivec total[FIXED_ROWS][VECTORS], largest = *t->largest;
#pragma GCC unroll 8
    for (int r = 0; r < FIXED_ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++)
            total[r][v] = IZERO;
    for (size_t i = 0; i < microbatches; i++, a.at += k * a.inner_step, b += k * ldb) {
        vec sum[FIXED_ROWS][VECTORS];
#pragma GCC unroll 8
        for (int r = 0; r < FIXED_ROWS; r++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++)
                sum[r][v] = SPREAD(0);
        add_products(FIXED_ROWS, s, k, a, b, ldb, sum);
#pragma GCC unroll 8
        for (int r = 0; r < FIXED_ROWS; r++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++) {
                const vec z = MUL(sum[r][v], inverse);
                largest = IMAX(largest, MAGNITUDE(z));
                total[r][v] = IADD(total[r][v], ROUND(z));
            }
    }
    *t->largest = largest;
#pragma GCC unroll 8
    for (size_t r = 0; r < FIXED_ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++)
            add(s, v, t->fixed + r * t->ldc + (size_t)v * VL, total[r][v]);
}

/* A^T B of each microbatch, if microbatches have so few terms that rounding dominates: the fixed-point
 * sums of a block stay in registers. Whole blocks only. */
INLINE void short_microbatches(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                               size_t lda, const float *b, target t)
{
    for (size_t j = 0; j < n; j += WIDTH)
        for (size_t i = 0; i < m; i += FIXED_ROWS) {
            const target here = moved(t, i * n + j);
            block_of_microbatches(microbatches, k, (operand){a + i, 1, lda}, b + j, n, &here);
        }
}

static void gemm_at_fixed(size_t microbatches, size_t m, size_t n, size_t k, const float *a,
                          size_t lda, const float *b, fmd_fixed *fixed, size_t offset)
{
    if (n > FMD_PACK_COLUMNS && k >= FEWEST_TERMS && k <= LARGE_TERMS) {
        const target t = {.fixed = fixed->at + offset, .ldc = n, .inverse = fixed->inverse};
        large_fixed((large){m, n, microbatches * k, k, a, b, lda, n, t}, fixed);
        return;
    }
    ivec largest = IZERO;
    const target t = {
        .fixed = fixed->at + offset, .ldc = n, .inverse = fixed->inverse, .largest = &largest};
    if (k < FEWEST_TERMS && m % FIXED_ROWS == 0 && n % WIDTH == 0)
        short_microbatches(microbatches, m, n, k, a, lda, b, t);
    else
        for (size_t i = 0; i < microbatches; i++)
            transposed(m, n, k, a + i * k * lda, lda, b + i * k * n, t);
    keep_largest(LARGEST(largest), fixed);
}
