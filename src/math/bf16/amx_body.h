/* Products of bf16 values by tiles, for the operations that the including file defines:
 *
 *   TILE_LOAD(t, from, stride)    tile t, 16 rows of 64 bytes, `stride` bytes apart
 *   TILE_STORE(t, to, stride)
 *   TILE_MULTIPLY(c, a, b)        TDPBF16PS: c += a b for 16 rows, 16 columns, 32 terms
 *
 * A square of 32 x 32 elements of C is in tiles 0 to 3, two tiles of A in 4 and 5, two of B in 6 and 7.
 * A tile of A has a row of 32 terms for each row of C; one of B has a row for each pair of terms: of
 * each column the even one, then the odd one. */
#include "math/bf16/product.h"

#include <stdint.h>
#include <string.h>

enum { SIDE = 16, SQUARE = 2 * SIDE, TILE = SIDE * FMD_BF16_TERMS };

/* Rows of A and groups of terms that are packed at a time: 256 kB, in the L2 cache. */
enum { CHUNK_TILES = 16, CHUNK_GROUPS = 16 };

typedef uint16_t tile[TILE];

/* Some terms of a product: `parts` parts of `part` terms from term `first` on, each filled up with
 * zeros to `groups` groups. */
typedef struct section {
    size_t first, parts, part, groups;
} section;

static size_t smaller(size_t x, size_t y)
{
    return x < y ? x : y;
}

/* To nearest, ties to even. */
static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/* Packs `n` of SIDE rows, or columns of B, for the terms of a section, a tile for each group; the
 * elements of a row are `step` floats apart, rows `stride` floats. `paired`: as tiles of B. */
static void pack_side(const section *s, bool paired, size_t n, const float *from, size_t stride,
                      size_t step, tile *to)
{
    memset(to, 0, s->parts * s->groups * sizeof *to);
    for (size_t i = 0; i < s->parts; i++, to += s->groups)
        for (size_t r = 0; r < n; r++)
            for (size_t p = 0; p < s->part; p++) {
                const size_t within = p % FMD_BF16_TERMS;
                const size_t at =
                    paired ? within / 2 * SQUARE + 2 * r + within % 2 : r * FMD_BF16_TERMS + within;
                to[p / FMD_BF16_TERMS][at] =
                    bf16_of(from[r * stride + (s->first + i * s->part + p) * step]);
            }
}

/* What a square begins with: m x n elements of it are in use. */
static void begin_square(const fmd_bf16_product *p, bool go_on, size_t i, size_t j, size_t m,
                         size_t n, float square[SQUARE][SQUARE])
{
    memset(square, 0, SQUARE * sizeof *square);
    for (size_t r = 0; r < m && p->fixed == NULL; r++)
        if (go_on)
            memcpy(square[r], p->c + (i + r) * p->ldc + j, n * sizeof(float));
        else if (p->bias != NULL)
            memcpy(square[r], p->bias + j, n * sizeof(float));
}

static void end_square(const fmd_bf16_product *p, size_t i, size_t j, size_t m, size_t n,
                       float square[SQUARE][SQUARE])
{
    for (size_t r = 0; r < m; r++)
        if (p->fixed != NULL)
            fmd_fixed_add(p->fixed, p->offset + (i + r) * p->n + j, n, square[r]);
        else
            memcpy(p->c + (i + r) * p->ldc + j, square[r], n * sizeof(float));
}

static void add_groups(size_t groups, const tile *a, const tile *b, float square[SQUARE][SQUARE])
{
    enum { STRIDE = SQUARE * sizeof(float), LINE = SIDE * sizeof(float) };
    TILE_LOAD(0, square[0], STRIDE);
    TILE_LOAD(1, square[0] + SIDE, STRIDE);
    TILE_LOAD(2, square[SIDE], STRIDE);
    TILE_LOAD(3, square[SIDE] + SIDE, STRIDE);
    for (size_t g = 0; g < groups; g++) {
        TILE_LOAD(4, a[g], LINE);
        TILE_LOAD(5, a[CHUNK_GROUPS + g], LINE);
        TILE_LOAD(6, b[g], LINE);
        TILE_LOAD(7, b[CHUNK_GROUPS + g], LINE);
        TILE_MULTIPLY(0, 4, 6);
        TILE_MULTIPLY(1, 4, 7);
        TILE_MULTIPLY(2, 5, 6);
        TILE_MULTIPLY(3, 5, 7);
    }
    TILE_STORE(0, square[0], STRIDE);
    TILE_STORE(1, square[0] + SIDE, STRIDE);
    TILE_STORE(2, square[SIDE], STRIDE);
    TILE_STORE(3, square[SIDE] + SIDE, STRIDE);
}

/* Rows `first` to `first` + m - 1 of C, for the terms of a section; `a` has the rows' tiles. */
static void multiply_rows(const fmd_bf16_product *p, const section *s, size_t first, size_t m,
                          tile (*a)[CHUNK_GROUPS])
{
    static tile b[2][CHUNK_GROUPS] __attribute__((aligned(64)));
    static float square[SQUARE][SQUARE] __attribute__((aligned(64)));
    const size_t column = p->b_transposed ? p->ldb : 1, term = p->b_transposed ? 1 : p->ldb;
    for (size_t j = 0; j < p->n; j += SQUARE) {
        for (size_t h = 0; h < 2; h++)
            pack_side(s, true, j + h * SIDE < p->n ? smaller(p->n - j - h * SIDE, SIDE) : 0,
                      p->b + (j + h * SIDE) * column, column, term, b[h]);
        for (size_t i = 0; i < m; i += SQUARE)
            for (size_t k = 0; k < s->parts; k++) {
                const size_t rows = smaller(m - i, SQUARE), columns = smaller(p->n - j, SQUARE);
                begin_square(p, p->adds || s->first > 0, first + i, j, rows, columns, square);
                add_groups(s->groups, a[i / SIDE] + k * s->groups, b[0] + k * s->groups, square);
                end_square(p, first + i, j, rows, columns, square);
            }
    }
}

static void multiply(const fmd_bf16_product *p)
{
    static tile a[CHUNK_TILES][CHUNK_GROUPS] __attribute__((aligned(64)));
    const size_t row = p->a_transposed ? 1 : p->lda, term = p->a_transposed ? p->lda : 1;
    section s = {.part = smaller(p->part, CHUNK_GROUPS * (size_t)FMD_BF16_TERMS)};
    for (size_t done = 0; s.first < p->k; s.first += done) {
        const size_t left = p->k - s.first;
        s.part = smaller(s.part, left);
        s.groups = (s.part + FMD_BF16_TERMS - 1) / FMD_BF16_TERMS;
        s.parts = p->fixed != NULL ? smaller(CHUNK_GROUPS / s.groups, left / s.part) : 1;
        done = s.parts * s.part;
        for (size_t i = 0; i < p->m; i += CHUNK_TILES * (size_t)SIDE) {
            const size_t m = smaller(p->m - i, CHUNK_TILES * (size_t)SIDE);
            for (size_t t = 0; t < (m + SQUARE - 1) / SQUARE * 2; t++)
                pack_side(&s, false, t * SIDE < m ? smaller(m - t * SIDE, SIDE) : 0,
                          p->a + (i + t * SIDE) * row, row, term, a[t]);
            multiply_rows(p, &s, i, m, a);
        }
    }
}
