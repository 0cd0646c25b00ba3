/* Correlations, for the vector type of the including file, after kernels_body.h:
 *
 *   TILE_PIXELS         the most pixels of a tile, whose sums stay in registers, two vectors each
 *   EACH_TILE(T)        T(1) T(2) ... T(TILE_PIXELS)
 *   RELU                x < 0 ? 0 : x
 *   ACCUMULATE(s, x, y) s = x y + s, rounded once, in the register of s
 *   ADDRESS             keeps a pointer in a register; a compiler would compute it anew
 *
 * A tile is some pixels of one row of the grid, and a panel of its channels. Its sums stay in
 * registers over all taps. At the left and right edge of the image, a tap leaves out the first
 * or the last pixels of a tile. */
#include "math/conv/conv_kernels.h"

/* Columns of the kernels that have forms of their own. */
enum { COLUMNS = 3 };

/* The most pixels at one end of a tile that a tap leaves out. */
enum { MOST_OUTSIDE = 2 };

/* Neighbouring taps of a row that leave out the same pixels of a tile: none, or so many of the
 * first, or so many of the last. */
typedef enum outside { NONE, ONE_BEFORE, TWO_BEFORE, ONE_BEHIND, TWO_BEHIND } outside;
typedef struct tap_run {
    ptrdiff_t first, taps;
    outside outside;
} tap_run;

/* Columns x to x + pixels of the grid, and what the taps of a row of the kernel do there. */
typedef struct strip {
    ptrdiff_t x, pixels, n_runs;
    tap_run runs[2 * MOST_OUTSIDE + 1];
} strip;

/* One panel of a correlation. */
typedef struct panel {
    const fmd_walk *walk;
    const float *image, *packed;
    fmd_conv_ends ends;
    float *grid;
    mask last; /* the lanes of its last vector */
} panel;

typedef vec tile_sums[TILE_PIXELS][VECTORS];

static inline ptrdiff_t least_of(ptrdiff_t x, ptrdiff_t y)
{
    return x < y ? x : y;
}

/* How many positions there are before the first whose pixel is not below `pixel`; `offset` is
 * the pixel of position 0. */
static inline ptrdiff_t positions_below(ptrdiff_t pixel, ptrdiff_t offset, ptrdiff_t stride)
{
    return offset < pixel ? (pixel - offset + stride - 1) / stride : 0;
}

/* Plans a strip; false where a tap leaves out too many pixels, which never is so for a single
 * one. */
static bool plan_strip(const fmd_walk *w, ptrdiff_t x, ptrdiff_t pixels, strip *s)
{
    *s = (strip){.x = x, .pixels = pixels};
    for (ptrdiff_t k = 0; k < w->taps_w; k++) {
        const ptrdiff_t column = x * w->stride_w - w->left + k * w->step_w;
        const ptrdiff_t from = positions_below(0, column, w->stride_w);
        const ptrdiff_t to = least_of(positions_below(w->image_w, column, w->stride_w), pixels);
        if (from >= to)
            continue;
        const ptrdiff_t behind = pixels - to;
        if ((from > 0 && behind > 0) || from > MOST_OUTSIDE || behind > MOST_OUTSIDE)
            return false;
        const ptrdiff_t out = from > 0 ? NONE + from : behind > 0 ? TWO_BEFORE + behind : NONE;
        tap_run *run = s->runs + s->n_runs - 1;
        if (s->n_runs > 0 && (ptrdiff_t)run->outside == out)
            run->taps++;
        else
            s->runs[s->n_runs++] = (tap_run){k, 1, (outside)out};
    }
    return true;
}

/* Adds `terms` terms to pixels `from` to `to` of a tile. `in` is the image's value of the tile's
 * first pixel, `pixel` floats away from that of the next; `next` leads to the next term. With
 * `each`, a channel of the grid has its own channel of the image. */
INLINE void add_tile_terms(const bool each, const ptrdiff_t vectors, const ptrdiff_t from,
                           const ptrdiff_t to, ptrdiff_t terms, const float *in, ptrdiff_t pixel,
                           ptrdiff_t next, const float *weights, mask last, tile_sums sum)
{
    enum { SPAN = 3, SPANS = (TILE_PIXELS + SPAN - 1) / SPAN }; /* pixels of one pointer */
    const float *at[SPANS];
#pragma GCC unroll 16
    for (ptrdiff_t g = from / SPAN; g * SPAN < to; g++)
        at[g] = in + g * SPAN * pixel;
    for (; terms > 0; terms--, weights += vectors * VL) {
        vec column[VECTORS];
#pragma GCC unroll 2
        for (ptrdiff_t v = 0; v < vectors; v++) {
            column[v] = LOAD(weights + v * VL);
            ONCE(column[v]);
        }
#pragma GCC unroll 16
        for (ptrdiff_t i = from; i < to; i++) {
            const float *value = at[i / SPAN] + i % SPAN * pixel;
            const vec x = each ? LOAD_SOME(value, last) : SPREAD(*value);
#pragma GCC unroll 2
            for (ptrdiff_t v = 0; v < vectors; v++)
                ACCUMULATE(sum[i][v], x, column[v]);
        }
#pragma GCC unroll 16
        for (ptrdiff_t g = from / SPAN; g * SPAN < to; g++) {
            at[g] += each ? next : 1;
            ADDRESS(at[g]);
        }
    }
}

/* Adds the terms of a run of taps; `in` and `weights` are those of its first tap. */
INLINE void add_run(const bool each, const ptrdiff_t vectors, const ptrdiff_t pixels,
                    const fmd_walk *w, outside out, ptrdiff_t taps, const float *in,
                    const float *weights, mask last, tile_sums sum)
{
    const ptrdiff_t pixel = w->stride_w * w->image_pixel, next = w->step_w * w->image_pixel;
    const bool at_once = each || next == w->image_c;
    const ptrdiff_t terms = at_once ? taps * w->image_c : w->image_c;
#define ADD(from, to)                                                                              \
    add_tile_terms(each, vectors, from, to, terms, in, pixel, next, weights, last, sum)
    for (ptrdiff_t i = 0; i < (at_once ? 1 : taps); i++) {
        switch (out) {
        case ONE_BEFORE: ADD(1, pixels); break;
        case TWO_BEFORE: ADD(2, pixels); break;
        case ONE_BEHIND: ADD(0, pixels - 1); break;
        case TWO_BEHIND: ADD(0, pixels - 2); break;
        default: ADD(0, pixels); break;
        }
        in += next;
        weights += w->image_c * vectors * VL;
    }
#undef ADD
}

INLINE void begin_tile(const ptrdiff_t vectors, const ptrdiff_t pixels, const panel *p,
                       const float *grid, tile_sums sum)
{
    const shape s = {(int)vectors, true, p->last};
#pragma GCC unroll 16
    for (ptrdiff_t i = 0; i < pixels; i++)
#pragma GCC unroll 2
        for (ptrdiff_t v = 0; v < vectors; v++) {
            if (p->ends.go_on)
                sum[i][v] = load(s, (int)v, grid + i * p->walk->grid_pixel + v * VL);
            else
                sum[i][v] =
                    p->ends.bias != NULL ? load(s, (int)v, p->ends.bias + v * VL) : SPREAD(0);
        }
}

INLINE void end_tile(const ptrdiff_t vectors, const ptrdiff_t pixels, const panel *p, float *grid,
                     tile_sums sum)
{
    const shape s = {(int)vectors, true, p->last};
#pragma GCC unroll 16
    for (ptrdiff_t i = 0; i < pixels; i++)
#pragma GCC unroll 2
        for (ptrdiff_t v = 0; v < vectors; v++) {
            const vec x = p->ends.relu ? RELU(sum[i][v]) : sum[i][v];
            store(s, (int)v, grid + i * p->walk->grid_pixel + v * VL, x);
        }
}

/* The tiles of a strip, from the first row of the grid to the last. */
INLINE void rows_of_tiles(const bool each, const ptrdiff_t vectors, const ptrdiff_t pixels,
                          const panel *p, const strip *s)
{
    const fmd_walk *w = p->walk;
    const ptrdiff_t column = s->x * w->stride_w - w->left;
    for (ptrdiff_t y = 0; y < w->grid_h; y++) {
        const ptrdiff_t top = y * w->stride_h - w->top;
        float *grid = p->grid + y * w->grid_row + s->x * w->grid_pixel;
        tile_sums sum;
        begin_tile(vectors, pixels, p, grid, sum);
        for (ptrdiff_t ky = 0; ky < w->taps_h; ky++) {
            const ptrdiff_t row = top + ky * w->step_h;
            if (row < 0 || row >= w->image_h)
                continue;
            for (ptrdiff_t r = 0; r < s->n_runs; r++) {
                const tap_run *run = s->runs + r;
                const float *in = p->image + row * w->image_row +
                                  (column + run->first * w->step_w) * w->image_pixel;
                const ptrdiff_t tap = ky * w->taps_w + run->first;
                add_run(each, vectors, pixels, w, run->outside, run->taps, in,
                        p->packed + tap * w->image_c * vectors * VL, p->last, sum);
            }
        }
        end_tile(vectors, pixels, p, grid, sum);
    }
}

#define TILE(pixels)                                                                               \
    static void wide_tiles_##pixels(const panel *p, const strip *s)                                \
    {                                                                                              \
        rows_of_tiles(false, 2, pixels, p, s);                                                     \
    }                                                                                              \
    static void narrow_tiles_##pixels(const panel *p, const strip *s)                              \
    {                                                                                              \
        rows_of_tiles(false, 1, pixels, p, s);                                                     \
    }                                                                                              \
    static void each_tiles_##pixels(const panel *p, const strip *s)                                \
    {                                                                                              \
        rows_of_tiles(true, 1, pixels, p, s);                                                      \
    }
EACH_TILE(TILE)
#undef TILE

typedef void tiles(const panel *p, const strip *s);

#define TILE(pixels) [pixels] = wide_tiles_##pixels,
static tiles *const wide_tiles[] = {EACH_TILE(TILE)};
#undef TILE
#define TILE(pixels) [pixels] = narrow_tiles_##pixels,
static tiles *const narrow_tiles[] = {EACH_TILE(TILE)};
#undef TILE
#define TILE(pixels) [pixels] = each_tiles_##pixels,
static tiles *const each_tiles[] = {EACH_TILE(TILE)};
#undef TILE

/* All panels of a strip. */
static void strip_panels(const bool each, panel p, const strip *s)
{
    const fmd_walk *w = p.walk;
    const ptrdiff_t most = each ? 1 : VECTORS;
    for (ptrdiff_t o = 0; o < w->grid_c;) {
        const ptrdiff_t left = w->grid_c - o, vectors = left > VL ? most : 1;
        const ptrdiff_t columns = least_of(left, vectors * VL);
        p.last = MASK((size_t)(columns - (vectors - 1) * VL));
        (each ? each_tiles : vectors == 1 ? narrow_tiles : wide_tiles)[s->pixels](&p, s);
        p.packed += (ptrdiff_t)w->taps_h * w->taps_w * w->image_c * vectors * VL;
        p.image += each ? columns : 0;
        p.ends.bias += p.ends.bias != NULL ? columns : 0;
        p.grid += columns;
        o += columns;
    }
}

static void all_strips(const bool each, const panel *p)
{
    const ptrdiff_t width = p->walk->grid_w;
    strip s;
    for (ptrdiff_t x = 0; x < width; x += s.pixels) {
        const ptrdiff_t pieces = (width - x + TILE_PIXELS - 1) / TILE_PIXELS;
        ptrdiff_t pixels = (width - x + pieces - 1) / pieces;
        while (!plan_strip(p->walk, x, pixels, &s))
            pixels--;
        strip_panels(each, *p, &s);
    }
}

static void correlate(const fmd_walk *walk, const float *image, const float *packed,
                      fmd_conv_ends ends, float *grid)
{
    const panel p = {.walk = walk, .image = image, .packed = packed, .ends = ends, .grid = grid};
    all_strips(false, &p);
}

static void correlate_each(const fmd_walk *walk, const float *image, const float *packed,
                           fmd_conv_ends ends, float *grid)
{
    const panel p = {.walk = walk, .image = image, .packed = packed, .ends = ends, .grid = grid};
    all_strips(true, &p);
}
