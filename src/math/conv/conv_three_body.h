/* Correlations of three columns of taps with few channels, for the vector type of the including
 * file, after conv_body.h:
 *
 *   THREE_PIXELS        the most pixels of a tile, whose sums stay in registers, one vector each
 *   EACH_THREE_TILE(T)  T(1) T(2) ... T(THREE_PIXELS)
 *
 * With one vector of channels a value of the image would be spread for each product. Here it is
 * spread once for the three pixels that it belongs to, and sums go over channels before columns. */

/* Adds `terms` channels to a tile. `in` is the image's column of the tile's first pixel and
 * first tap; of the columns of all pixels and taps the first `before` and the last `behind` are
 * outside. */
INLINE void add_three_terms(const ptrdiff_t pixels, const ptrdiff_t before, const ptrdiff_t behind,
                            ptrdiff_t terms, const float *in, ptrdiff_t pixel, const float *weights,
                            vec sum[][VECTORS])
{
    enum { SPAN = 3, SPANS = (THREE_PIXELS + COLUMNS - 1 + SPAN - 1) / SPAN };
    const ptrdiff_t to = pixels + COLUMNS - 1 - behind;
    const float *at[SPANS];
#pragma GCC unroll 16
    for (ptrdiff_t g = before / SPAN; g * SPAN < to; g++)
        at[g] = in + g * SPAN * pixel;
    for (; terms > 0; terms--, weights += (ptrdiff_t)COLUMNS * VL) {
        vec column[COLUMNS];
#pragma GCC unroll 3
        for (ptrdiff_t k = 0; k < COLUMNS; k++) {
            column[k] = LOAD(weights + k * VL);
            ONCE(column[k]);
        }
#pragma GCC unroll 32
        for (ptrdiff_t j = before; j < to; j++) {
            const vec x = SPREAD(at[j / SPAN][j % SPAN * pixel]);
#pragma GCC unroll 3
            for (ptrdiff_t k = 0; k < COLUMNS; k++)
                if (j - k >= 0 && j - k < pixels)
                    ACCUMULATE(sum[j - k][0], x, column[k]);
        }
#pragma GCC unroll 16
        for (ptrdiff_t g = before / SPAN; g * SPAN < to; g++) {
            at[g]++;
            ADDRESS(at[g]);
        }
    }
}

/* The tiles of a strip, from the first row of the grid to the last. */
INLINE void rows_of_three(const ptrdiff_t pixels, const ptrdiff_t before, const ptrdiff_t behind,
                          const panel *p, ptrdiff_t x)
{
    const fmd_walk *w = p->walk;
    const ptrdiff_t row_terms = (ptrdiff_t)w->image_c * COLUMNS * VL;
    for (ptrdiff_t y = 0; y < w->grid_h; y++) {
        float *grid = p->grid + y * w->grid_row + x * w->grid_pixel;
        vec sum[THREE_PIXELS][VECTORS];
        begin_tile(1, pixels, p, grid, sum);
        for (ptrdiff_t ky = 0; ky < w->taps_h; ky++) {
            const ptrdiff_t row = y * w->stride_h - w->top + ky * w->step_h;
            if (row >= 0 && row < w->image_h)
                add_three_terms(pixels, before, behind, w->image_c,
                                p->image + row * w->image_row + (x - w->left) * w->image_pixel,
                                w->image_pixel, p->packed + ky * row_terms, sum);
        }
        end_tile(1, pixels, p, grid, sum);
    }
}

/* The first and the last columns of a strip may be outside: one where outputs are as many as inputs,
 * two in the gradient of a convolution without padding. */
#define TILE(pixels)                                                                               \
    static void three_tiles_##pixels(const panel *p, ptrdiff_t x, ptrdiff_t before,                \
                                     ptrdiff_t behind)                                             \
    {                                                                                              \
        switch (before * COLUMNS + behind) {                                                       \
        case 0: rows_of_three(pixels, 0, 0, p, x); break;                                          \
        case 1: rows_of_three(pixels, 0, 1, p, x); break;                                          \
        case 2: rows_of_three(pixels, 0, 2, p, x); break;                                          \
        case 3: rows_of_three(pixels, 1, 0, p, x); break;                                          \
        case 4: rows_of_three(pixels, 1, 1, p, x); break;                                          \
        case 6: rows_of_three(pixels, 2, 0, p, x); break;                                          \
        default: rows_of_three(pixels, 2, 2, p, x); break;                                         \
        }                                                                                          \
    }
EACH_THREE_TILE(TILE)
#undef TILE

#define TILE(pixels) [pixels] = three_tiles_##pixels,
static void (*const three_tiles[])(const panel *p, ptrdiff_t x, ptrdiff_t before,
                                   ptrdiff_t behind) = {EACH_THREE_TILE(TILE)};
#undef TILE

static void correlate_three(const fmd_walk *walk, const float *image, const float *packed,
                            fmd_conv_ends ends, float *grid)
{
    const ptrdiff_t width = walk->grid_w;
    for (ptrdiff_t x = 0, pixels; x < width; x += pixels) {
        const ptrdiff_t pieces = (width - x + THREE_PIXELS - 1) / THREE_PIXELS;
        pixels = (width - x + pieces - 1) / pieces;
        const ptrdiff_t before = walk->left - x, end = x - walk->left + pixels + COLUMNS - 1;
        panel p = {.walk = walk, .image = image, .packed = packed, .ends = ends, .grid = grid};
        for (ptrdiff_t o = 0; o < walk->grid_c; o += VL) {
            p.last = MASK((size_t)least_of(walk->grid_c - o, VL));
            three_tiles[pixels](&p, x, before > 0 ? before : 0,
                                end > walk->image_w ? end - walk->image_w : 0);
            p.packed += (ptrdiff_t)walk->taps_h * walk->image_c * COLUMNS * VL;
            p.ends.bias += p.ends.bias != NULL ? VL : 0;
            p.grid += VL;
        }
    }
}
