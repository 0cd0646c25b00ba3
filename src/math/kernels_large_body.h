/* Products that exceed the caches.
 *
 * Up to LARGE_TERMS terms of up to LARGE_ROWS rows of A are packed and stay in the L2 cache, for all
 * strips of columns. A strip of B, for the same terms, is packed into panels of WIDTH columns; a panel
 * stays in the L1 cache for all rows. Meanwhile the memory of the next strip is fetched. Packed rows
 * never compete for the same cache sets, as rows of 4,096 floats do. */

enum {
    PANELS = STRIP / WIDTH,
    LARGE_ROWS = 256 / ROWS * ROWS,
    LARGE_TERMS = 256,
    PANEL = LARGE_TERMS * WIDTH,
    SLICES = LARGE_TERMS / FEWEST_TERMS,
    ZERO_ROWS = 32 / ROWS * ROWS
};

/* A product. */
typedef struct large {
    size_t m, n, k;
    size_t part; /* terms that are rounded together; all k where the target is floats */
    const float *a, *b;
    size_t lda, ldb;
    target t;
} large;

/* Its form, a constant after inlining: A^T is read, down its columns; B^T is read; products are of
 * bf16 values. */
typedef struct form {
    bool across, transposed, bf16;
} form;

/* Rows `first` to `first` + `m` - 1 of A for `k` terms from `p` on. */
typedef struct chunk {
    size_t first, m, p, k;
    size_t slice;                              /* terms of a word below */
    float rows[LARGE_ROWS * LARGE_TERMS];      /* see packed_row */
    bool sparse[LARGE_ROWS / ROWS + 1];        /* of each ROWS rows, whether to skip zeros */
    uint64_t terms[SLICES][LARGE_ROWS / PAIR]; /* that are not zero in both rows of a pair */
} chunk;

/* Lines of memory still to be fetched: `rows` rows of `lines` lines. */
typedef struct fetch {
    const float *at;
    size_t rows, lines, line, stride, at_once;
} fetch;

enum { LINE = 16 }; /* floats */

INLINE void fetch_some(fetch *f)
{
    for (size_t i = 0; i < f->at_once && f->rows > 0; i++) {
        __builtin_prefetch(f->at + f->line * LINE, 0, 2);
        if (++f->line == f->lines) {
            f->line = 0;
            f->rows--;
            f->at += f->stride;
        }
    }
}

/* Where row `i` of a chunk is. */
INLINE operand packed_row(const form f, const float *rows, size_t i)
{
    return f.across ? (operand){rows + i / ROWS * ROWS * LARGE_TERMS + i % ROWS, 1, ROWS}
                    : (operand){rows + i * LARGE_TERMS, LARGE_TERMS, 1};
}

/* The terms of the pairs of ROWS columns of A^T; whether skipping zeros pays off. */
INLINE bool find_zeros(const form f, chunk *c, size_t i)
{
    size_t left = 0;
    for (size_t s = 0, p = 0; p < c->k; s++, p += c->slice)
        for (size_t r = i; r < i + ROWS; r += PAIR) {
            const size_t now = least(c->k - p, c->slice);
            const operand a = packed_row(f, c->rows, r);
            uint64_t terms = 0;
            if (f.across)
                for (size_t q = 0; q < now; q++) {
                    const float *at = a.at + (p + q) * ROWS;
                    terms |= (uint64_t)((at[0] != 0) | (at[1] != 0)) << q;
                }
            else
                terms = terms_of_rows(now, a.at + p, LARGE_TERMS);
            c->terms[s][r / PAIR] = terms;
            left += (size_t)__builtin_popcountll(terms);
        }
    return left * 100 <= c->k * (ROWS / PAIR) * MOST_LEFT_PERCENT;
}

/* Copies n values; those of bf16 products are rounded, to nearest, ties to even. */
INLINE void copy(const form f, size_t n, float *to, const float *from)
{
    if (!f.bf16) {
        memcpy(to, from, n * sizeof *to);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
        bits = is_nan ? bits | 0x00400000u : bits + 0x7fffu + (bits >> 16 & 1);
        bits &= 0xffff0000u;
        memcpy(to + i, &bits, sizeof bits);
    }
}

INLINE void pack_chunk(const form f, const large *l, chunk *c)
{
    enum { TOGETHER = 8 }; /* lines of so many terms are in the L1 cache */
    const float *a = l->a + (f.across ? c->p * l->lda + c->first : c->first * l->lda + c->p);
    if (f.across)
        for (size_t p = 0; p < c->k; p += TOGETHER)
            for (size_t i = 0; i < c->m; i += ROWS)
                for (size_t q = p; q < least(c->k, p + TOGETHER); q++) {
                    float *to = c->rows + i * LARGE_TERMS + q * ROWS;
                    const float *from = a + q * l->lda + i;
                    if (c->m - i >= ROWS)
                        copy(f, ROWS, to, from);
                    else
                        copy(f, c->m - i, to, from);
                }
    else
        for (size_t i = 0; i < c->m; i++)
            copy(f, c->k, c->rows + i * LARGE_TERMS, a + i * l->lda);
    for (size_t i = 0; i < c->m; i += ROWS)
        c->sparse[i / ROWS] =
            !f.bf16 && c->slice <= TERMS && c->m - i >= ROWS && find_zeros(f, c, i);
}

/* Packs `n` columns, at most WIDTH, for `k` terms. */
INLINE void pack_panel(const form f, size_t n, size_t k, const float *b, size_t ldb, float *to)
{
    if (!f.transposed) {
        for (size_t p = 0; p < k; p++, to += WIDTH, b += ldb)
            if (n == WIDTH)
                copy(f, WIDTH, to, b);
            else
                copy(f, n, to, b);
        return;
    }
    for (size_t j = 0; j < n; j += VL)
        for (size_t p = 0; p < k; p += VL) {
            const float *from = b + j * ldb + p;
            if (n - j >= VL && k - p >= VL)
                transpose(from, ldb, to + p * WIDTH + j, WIDTH);
            else
                for (size_t q = 0; q < least(k - p, VL); q++)
                    for (size_t i = 0; i < least(n - j, VL); i++)
                        to[(p + q) * WIDTH + j + i] = from[i * ldb + q];
        }
    for (size_t p = 0; p < k && f.bf16; p++)
        copy(f, n, to + p * WIDTH, to + p * WIDTH);
}

/* The memory of `n` columns of B from column j on. */
INLINE fetch strip_to_fetch(const form f, const large *l, const chunk *c, size_t j, size_t n)
{
    const size_t rows = f.transposed ? n : n > 0 ? c->k : 0, row = f.transposed ? c->k : n;
    fetch next = {.at = l->b + (f.transposed ? j * l->ldb + c->p : c->p * l->ldb + j),
                  .rows = rows,
                  .lines = (row + LINE - 1) / LINE,
                  .stride = l->ldb};
    const size_t blocks_now = (c->m + ROWS - 1) / ROWS * PANELS;
    next.at_once = (next.lines * rows + blocks_now - 1) / blocks_now;
    return next;
}

/* The target of a chunk's element (i, j). */
INLINE target target_at(const large *l, const chunk *c, size_t i, size_t j)
{
    target t = moved(l->t, (c->first + i) * l->t.ldc + j);
    t.go_on = t.go_on || (t.c != NULL && c->p > 0);
    t.bias = t.bias != NULL ? t.bias + j : NULL;
    return t;
}

/* Fetches the target of `rows` rows of a panel, to be written. */
INLINE void fetch_target(target t, size_t rows)
{
    for (size_t r = 0; r < rows; r++, t = moved(t, t.ldc))
        for (size_t j = 0; j < WIDTH; j += LINE)
            __builtin_prefetch(t.c != NULL ? (const void *)(t.c + j) : t.fixed + j, 1, 3);
}

/* The rows of a chunk, but not the sparse ones unless `all`, times a panel of n columns from column j
 * on. */
INLINE void dense_rows(const form f, const bool all, const large *l, const chunk *c, size_t j,
                       size_t n, const float *panel, fetch *next)
{
    for (size_t i = 0; i < c->m; i += ROWS) {
        fetch_some(next);
        if (i + ROWS < c->m)
            fetch_target(target_at(l, c, i + ROWS, j), least(c->m - i - ROWS, ROWS));
        if (!all && c->sparse[i / ROWS])
            continue;
        const operand a = packed_row(f, c->rows, i);
        const target t = target_at(l, c, i, j);
        const size_t rows = least(c->m - i, ROWS), part = least(c->k, l->part);
        for (size_t p = 0; p < c->k; p += part)
            blocks(f.bf16, n, rows, part,
                   (operand){a.at + p * a.inner_step, a.row_step, a.inner_step}, panel + p * WIDTH,
                   WIDTH, t);
    }
}

/* The other rows, times a whole strip. */
INLINE void sparse_rows(const form f, const large *l, const chunk *c, size_t j, const float *strip)
{
    for (size_t first = 0; first < c->m; first += ZERO_ROWS)
        for (size_t s = 0, p = 0; p < c->k; s++, p += c->slice)
            for (size_t i = first; i < least(c->m, first + ZERO_ROWS); i += PAIR) {
                if (!c->sparse[i / ROWS])
                    continue;
                operand a = packed_row(f, c->rows, i);
                a.at += p * a.inner_step;
                const strip_columns b = {strip + p * WIDTH, WIDTH, PANEL};
                const uint64_t terms = c->terms[s][i / PAIR];
                target t = target_at(l, c, i, j);
                t.go_on = t.go_on || p > 0;
                if (t.c != NULL)
                    pair_to_floats(terms, a, b, &t);
                else if (terms != 0)
                    pair_to_fixed(terms, a, b, &t);
            }
}

INLINE void times_strips(const form f, const large *l, const chunk *c)
{
    float strip[PANELS * PANEL] __attribute__((aligned(64)));
    for (size_t j = 0; j < l->n; j += STRIP) {
        const size_t n = least(l->n - j, STRIP), after = j + n;
        const float *b = l->b + (f.transposed ? j * l->ldb + c->p : c->p * l->ldb + j);
        fetch next = strip_to_fetch(f, l, c, after, least(l->n - after, STRIP));
        for (size_t q = 0; q < n; q += WIDTH) {
            float *panel = strip + q / WIDTH * PANEL;
            pack_panel(f, least(n - q, WIDTH), c->k, b + (f.transposed ? q * l->ldb : q), l->ldb,
                       panel);
        }
        for (size_t q = 0; q < n; q += WIDTH)
            dense_rows(f, n < STRIP || f.bf16, l, c, j + q, least(n - q, WIDTH),
                       strip + q / WIDTH * PANEL, &next);
        if (n == STRIP && !f.bf16)
            sparse_rows(f, l, c, j, strip);
    }
}

INLINE void large_product(const form f, const large *l)
{
    chunk c __attribute__((aligned(64)));
    const bool rounds = l->t.c == NULL;
    const size_t most = rounds ? LARGE_TERMS / l->part * l->part : LARGE_TERMS;
    c.slice = rounds ? l->part : TERMS;
    for (c.p = 0; c.p < l->k; c.p += c.k) {
        c.k = least(l->k - c.p, most);
        for (c.first = 0; c.first < l->m; c.first += c.m) {
            c.m = least(l->m - c.first, LARGE_ROWS);
            pack_chunk(f, l, &c);
            times_strips(f, l, &c);
        }
    }
}

/* Functions of their own: inlined, their large frames would cost the callers registers. */
#define LARGE __attribute__((noinline)) static void

LARGE large_plain(const large *l)
{
    large_product((form){0}, l);
}

LARGE large_transposed(const large *l)
{
    large_product((form){.transposed = true}, l);
}

LARGE large_across(const large *l)
{
    large_product((form){.across = true}, l);
}

LARGE large_fixed(large l, fmd_fixed *fixed)
{
    ivec largest = IZERO;
    l.t.largest = &largest;
    large_product((form){.across = true}, &l);
    keep_largest(LARGEST(largest), fixed);
}

/* Products of bf16 values, see math/bf16/product.h. */
INLINE void bf16_product(const form f, const fmd_bf16_product *p)
{
    ivec largest = IZERO;
    target t = {.bias = p->bias, .c = p->c, .ldc = p->ldc, .go_on = p->adds};
    if (p->fixed != NULL)
        t = (target){.fixed = p->fixed->at + p->offset,
                     .ldc = p->n,
                     .inverse = p->fixed->inverse,
                     .largest = &largest};
    large_product(f, &(large){p->m, p->n, p->k, p->part, p->a, p->b, p->lda, p->ldb, t});
    if (p->fixed != NULL)
        keep_largest(LARGEST(largest), p->fixed);
}

static void bf16(const fmd_bf16_product *p)
{
    if (p->a_transposed)
        bf16_product((form){.across = true, .bf16 = true}, p);
    else if (p->b_transposed)
        bf16_product((form){.transposed = true, .bf16 = true}, p);
    else
        bf16_product((form){.bf16 = true}, p);
}
