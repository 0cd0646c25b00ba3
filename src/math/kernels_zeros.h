/* Products A B and A^T B for a sparse A: half the pixels of an image are zero, as are many outputs of
 * relu.
 *
 * A zero of A adds nothing to a sum, so a block of C may skip the terms that are zero in all its rows;
 * docs/exactness.md explains why no bit of a training changes. These blocks have few rows (PAIR) and
 * many columns (STRIP). A word has one bit for each term of a block. */

enum { PAIR = 2, STRIP = PAIR_VECTORS * VL, TERMS = 64, GROUP = 16, SLICE = 512 };

/* With fewer rows or terms, or with a larger share of nonzero terms, dense blocks are faster. */
enum { FEWEST_ROWS = 16, FEWEST_TERMS = 16, MOST_LEFT_PERCENT = 80 };

typedef vec pair_sums[PAIR][PAIR_VECTORS];

/* The columns of a strip: floats from one term to the next, and from WIDTH columns to the next. */
typedef struct strip_columns {
    const float *at;
    size_t term, panel;
} strip_columns;

/* Adds the terms, from the first to the last. */
INLINE void add_terms(uint64_t terms, operand a, strip_columns b, pair_sums sum)
{
    for (; terms != 0; terms &= terms - 1) {
        const size_t p = (size_t)__builtin_ctzll(terms);
        const float *at = a.at + p * a.inner_step, *from = b.at + p * b.term;
        const vec row[PAIR] = {SPREAD(at[0]), SPREAD(at[a.row_step])};
#pragma GCC unroll 8
        for (size_t v = 0; v < PAIR_VECTORS; v++) {
            vec column = LOAD(from + v / VECTORS * b.panel + v % VECTORS * VL);
            ONCE(column);
            sum[0][v] = FMA(row[0], column, sum[0][v]);
            sum[1][v] = FMA(row[1], column, sum[1][v]);
        }
    }
}

/* A block of floats. */
INLINE void pair_to_floats(uint64_t terms, operand a, strip_columns b, const target *t)
{
    pair_sums sum;
#pragma GCC unroll 2
    for (size_t r = 0; r < PAIR; r++)
#pragma GCC unroll 8
        for (size_t v = 0; v < PAIR_VECTORS; v++) {
            if (t->go_on)
                sum[r][v] = LOAD(t->c + r * t->ldc + v * VL);
            else
                sum[r][v] = t->bias != NULL ? LOAD(t->bias + v * VL) : SPREAD(0);
        }
    add_terms(terms, a, b, sum);
#pragma GCC unroll 2
    for (size_t r = 0; r < PAIR; r++)
#pragma GCC unroll 8
        for (size_t v = 0; v < PAIR_VECTORS; v++)
            STORE(t->c + r * t->ldc + v * VL, sum[r][v]);
}

/* A block that is rounded and added to the fixed-point sums. */
INLINE void pair_to_fixed(uint64_t terms, operand a, strip_columns b, const target *t)
{
    pair_sums sum;
#pragma GCC unroll 2
    for (size_t r = 0; r < PAIR; r++)
#pragma GCC unroll 8
        for (size_t v = 0; v < PAIR_VECTORS; v++)
            sum[r][v] = SPREAD(0);
    add_terms(terms, a, b, sum);
    const vec inverse = SPREAD(t->inverse);
    ivec largest = *t->largest;
#pragma GCC unroll 2
    for (size_t r = 0; r < PAIR; r++)
#pragma GCC unroll 8
        for (size_t v = 0; v < PAIR_VECTORS; v++) {
            const vec z = MUL(sum[r][v], inverse);
            uint32_t *at = t->fixed + r * t->ldc + v * VL;
            largest = IMAX(largest, MAGNITUDE(z));
            ISTORE(at, IADD(ILOAD(at), ROUND(z)));
        }
    *t->largest = largest;
}

/* One bit for each of n <= TERMS columns: set unless the column is zero in both rows. */
INLINE uint64_t terms_of_rows(size_t n, const float *a, size_t lda)
{
    uint64_t terms = 0;
    for (size_t p = 0; p < n; p += VL)
        for (size_t r = 0; r < PAIR; r++) {
            const float *x = a + r * lda + p;
            const vec v = n - p < VL ? LOAD_SOME(x, MASK(n - p)) : LOAD(x);
            terms |= (uint64_t)NONZERO(v) << p;
        }
    return terms;
}

/* Samples rows of A to decide whether skipping zeros pays off. */
static bool rows_have_zeros(size_t m, size_t k, const float *a)
{
    enum { LOOKS = 16 };
    const size_t pairs = m / PAIR, step = pairs > LOOKS ? pairs / LOOKS : 1;
    size_t left = 0, all = 0;
    for (size_t i = 0; i < pairs; i += step, all += k)
        for (size_t p = 0; p < k; p += TERMS)
            left += (size_t)__builtin_popcountll(
                terms_of_rows(least(k - p, TERMS), a + i * PAIR * k + p, k));
    return left * 100 <= all * MOST_LEFT_PERCENT;
}

/* C = A B for whole pairs of rows and strips of columns. A part of B, TERMS x STRIP, stays in the L1
 * cache for all rows. */
static void gemm_zeros(size_t m, size_t n, size_t k, const float *a, const float *b,
                       const float *bias, float *c)
{
    uint64_t terms[SLICE / PAIR];
    for (size_t j = 0; j < n; j += STRIP)
        for (size_t p = 0; p < k; p += TERMS) {
            const size_t now = least(k - p, TERMS);
            for (size_t i = 0; i < m; i += PAIR) {
                if (i % SLICE == 0)
                    for (size_t q = 0; q < least(m - i, SLICE); q += PAIR)
                        terms[q / PAIR] = terms_of_rows(now, a + (i + q) * k + p, k);
                const target t = {.bias = bias != NULL ? bias + j : NULL,
                                  .c = c + i * n + j,
                                  .ldc = n,
                                  .go_on = p > 0};
                pair_to_floats(terms[i % SLICE / PAIR], (operand){a + i * k + p, k, 1},
                               (strip_columns){b + p * n + j, n, WIDTH}, &t);
            }
        }
}

/* For each of GROUP columns, one bit for each of k <= 32 rows of A: set if not zero. */
INLINE void nonzero_rows(size_t k, const float *a, size_t lda, uint32_t *rows)
{
    uint32_t bits[GROUP] = {0};
    for (size_t p = 0; p < k; p++)
#pragma GCC unroll 16
        for (size_t i = 0; i < GROUP; i++)
            bits[i] |= a[p * lda + i] != 0 ? UINT32_C(1) << p : 0;
    for (size_t i = 0; i < GROUP; i++)
        rows[i] = bits[i];
}

/* The terms of the pairs of GROUP columns, of k <= TERMS, and whether skipping zeros pays off. */
static bool columns_have_zeros(size_t k, const float *a, size_t lda, uint64_t *terms)
{
    uint32_t low[GROUP], high[GROUP] = {0};
    size_t left = 0;
    nonzero_rows(least(k, TERMS / 2), a, lda, low);
    if (k > TERMS / 2)
        nonzero_rows(k - TERMS / 2, a + TERMS / 2 * lda, lda, high);
    for (size_t i = 0; i < GROUP; i += PAIR) {
        terms[i / PAIR] = low[i] | low[i + 1] | (uint64_t)(high[i] | high[i + 1]) << TERMS / 2;
        left += (size_t)__builtin_popcountll(terms[i / PAIR]);
    }
    return left * 100 <= k * (GROUP / PAIR) * MOST_LEFT_PERCENT;
}

/* GROUP rows of A^T B, over at most TERMS terms. */
INLINE void group_zeros(size_t n, const uint64_t *terms, const float *a, size_t lda, const float *b,
                        target t)
{
    for (size_t j = 0; j < n; j += STRIP)
        for (size_t i = 0; i < GROUP; i += PAIR) {
            const target here = moved(t, i * n + j);
            const operand rows = {a + i, 1, lda};
            if (t.c != NULL)
                pair_to_floats(terms[i / PAIR], rows, (strip_columns){b + j, n, WIDTH}, &here);
            else if (terms[i / PAIR] != 0)
                pair_to_fixed(terms[i / PAIR], rows, (strip_columns){b + j, n, WIDTH}, &here);
        }
}
