/* Gradients of a convolution's weights, for the vector type of the including file, after
 * conv_body.h.
 *
 * A block is some rows of dw and a panel of its columns, which stay in registers over all
 * positions of the grid. The rows of a block are neighbours in the image as well. */

/* Where a block reads and writes. */
typedef struct weights_block {
    const fmd_walk *walk;
    fmd_conv_images images;  /* from the block's first row and column, at the first position */
    ptrdiff_t height, width; /* positions */
    bool begin;
    ptrdiff_t dw_row;
    float *dw;
    mask last;
} weights_block;

/* All lines of all images, in order, and where they begin. */
#define EACH_LINE(b)                                                                               \
    for (ptrdiff_t line_i = 0; line_i < (ptrdiff_t)(b)->images.n; line_i++)                        \
        for (ptrdiff_t line_y = 0; line_y < (b)->height; line_y++)
#define LINE_OF_IMAGE(b)                                                                           \
    ((b)->images.image + line_i * (b)->images.image_step +                                         \
     line_y * (b)->walk->stride_h * (b)->walk->image_row)
#define LINE_OF_GRID(b)                                                                            \
    ((b)->images.grid + line_i * (b)->images.grid_step + line_y * (b)->walk->grid_row)

/* A kernel of three rows and three columns of one channel is one block of nine rows. */
enum { SQUARE = 3, BLOCK_ROWS = TILE_PIXELS > 9 ? TILE_PIXELS : 9 };

/* kys x rows rows, the first `rows` from one row of the image, the next from the one below. */
INLINE void weigh_block(const ptrdiff_t kys, const ptrdiff_t rows, const ptrdiff_t vectors,
                        const weights_block *b)
{
    const fmd_walk *w = b->walk;
    const shape s = {(int)vectors, true, b->last};
    const ptrdiff_t below = w->step_h * w->image_row;
    vec sum[BLOCK_ROWS][VECTORS];
#pragma GCC unroll 16
    for (ptrdiff_t r = 0; r < kys * rows; r++)
#pragma GCC unroll 2
        for (ptrdiff_t v = 0; v < vectors; v++)
            sum[r][v] = b->begin ? SPREAD(0) : load(s, (int)v, b->dw + r * b->dw_row + v * VL);
    EACH_LINE(b)
    {
        const float *image = LINE_OF_IMAGE(b), *grid = LINE_OF_GRID(b);
        for (ptrdiff_t x = 0; x < b->width; x++) {
            vec column[VECTORS];
#pragma GCC unroll 2
            for (ptrdiff_t v = 0; v < vectors; v++) {
                column[v] = load(s, (int)v, grid + v * VL);
                ONCE(column[v]);
            }
#pragma GCC unroll 3
            for (ptrdiff_t k = 0; k < kys; k++)
#pragma GCC unroll 16
                for (ptrdiff_t r = 0; r < rows; r++) {
                    const vec value = SPREAD(image[k * below + r]);
#pragma GCC unroll 2
                    for (ptrdiff_t v = 0; v < vectors; v++)
                        ACCUMULATE(sum[k * rows + r][v], value, column[v]);
                }
            image += w->stride_w * w->image_pixel;
            grid += w->grid_pixel;
        }
    }
#pragma GCC unroll 16
    for (ptrdiff_t r = 0; r < kys * rows; r++)
#pragma GCC unroll 2
        for (ptrdiff_t v = 0; v < vectors; v++)
            store(s, (int)v, b->dw + r * b->dw_row + v * VL, sum[r][v]);
}

#define TILE(rows)                                                                                 \
    static void wide_block_##rows(const weights_block *b)                                          \
    {                                                                                              \
        weigh_block(1, rows, 2, b);                                                                \
    }                                                                                              \
    static void narrow_block_##rows(const weights_block *b)                                        \
    {                                                                                              \
        weigh_block(1, rows, 1, b);                                                                \
    }
EACH_TILE(TILE)
#undef TILE

static void square_block(const weights_block *b)
{
    weigh_block(SQUARE, SQUARE, VECTORS, b);
}

typedef void weights_of_block(const weights_block *b);

#define TILE(rows) [rows] = wide_block_##rows,
static weights_of_block *const wide_blocks[] = {EACH_TILE(TILE)};
#undef TILE
#define TILE(rows) [rows] = narrow_block_##rows,
static weights_of_block *const narrow_blocks[] = {EACH_TILE(TILE)};
#undef TILE

/* Kernels of three columns and steps of one pixel: the rows of a block belong to all three
 * columns of the kernel, so that a value of the image is spread once for the three positions
 * that meet it.
 *
 * Adds the terms of one pixel to the columns `from` to `to` of the kernel. `grid` is the
 * position that column 0 meets; each further column meets the one before. */
INLINE void add_pixel(const bool whole, const ptrdiff_t rows, const ptrdiff_t from,
                      const ptrdiff_t to, const float *image, const float *grid, ptrdiff_t pixel,
                      mask last, vec sum[COLUMNS][THREE_ROWS])
{
    vec position[COLUMNS];
#pragma GCC unroll 3
    for (ptrdiff_t k = from; k < to; k++) {
        position[k] = whole ? LOAD(grid - k * pixel) : LOAD_SOME(grid - k * pixel, last);
        ONCE(position[k]);
    }
#pragma GCC unroll 16
    for (ptrdiff_t r = 0; r < rows; r++) {
        const vec value = SPREAD(image[r]);
#pragma GCC unroll 3
        for (ptrdiff_t k = from; k < to; k++)
            ACCUMULATE(sum[k][r], value, position[k]);
    }
}

/* One vector of columns of rows of dw, `whole` or some lanes of it, for each column of the
 * kernel. The images and grids are those of pixel 0 of the image, and of the position that the
 * kernel's column 0 meets there. */
INLINE void weigh_three_block(const bool whole, const ptrdiff_t rows, const weights_block *b)
{
    const fmd_walk *w = b->walk;
    const ptrdiff_t pixel = w->grid_pixel, column = w->image_c * b->dw_row;
    vec sum[COLUMNS][THREE_ROWS];
#pragma GCC unroll 3
    for (ptrdiff_t k = 0; k < COLUMNS; k++)
#pragma GCC unroll 16
        for (ptrdiff_t r = 0; r < rows; r++)
            sum[k][r] =
                b->begin ? SPREAD(0) : LOAD_SOME(b->dw + k * column + r * b->dw_row, b->last);
    EACH_LINE(b)
    {
        const float *image = LINE_OF_IMAGE(b), *grid = LINE_OF_GRID(b);
        /* Column k meets position x + left - k. */
        const ptrdiff_t first_full = COLUMNS - 1 - w->left, behind = w->grid_w - w->left;
        ptrdiff_t x = 0;
#define NEXT(from, to)                                                                             \
    add_pixel(whole, rows, from, to, image, grid, pixel, b->last, sum);                            \
    image += w->image_pixel;                                                                       \
    grid += pixel;                                                                                 \
    x++
        if (x == first_full - 2) {
            NEXT(0, 1);
        }
        if (x == first_full - 1) {
            NEXT(0, 2);
        }
        const ptrdiff_t full = least_of(behind, w->image_w);
        while (x < full) {
            NEXT(0, COLUMNS);
        }
        if (x == behind && x < w->image_w) {
            NEXT(1, COLUMNS);
        }
        if (x == behind + 1 && x < w->image_w) {
            NEXT(2, COLUMNS);
        }
#undef NEXT
    }
#pragma GCC unroll 3
    for (ptrdiff_t k = 0; k < COLUMNS; k++)
#pragma GCC unroll 16
        for (ptrdiff_t r = 0; r < rows; r++)
            STORE_SOME(b->dw + k * column + r * b->dw_row, b->last, sum[k][r]);
}

#define TILE(rows)                                                                                 \
    static void three_block_##rows(const weights_block *b)                                         \
    {                                                                                              \
        weigh_three_block(true, rows, b);                                                          \
    }                                                                                              \
    static void three_partial_block_##rows(const weights_block *b)                                 \
    {                                                                                              \
        weigh_three_block(false, rows, b);                                                         \
    }
EACH_THREE(TILE)
#undef TILE
#define TILE(rows) [rows] = three_block_##rows,
static weights_of_block *const three_blocks[] = {EACH_THREE(TILE)};
#undef TILE
#define TILE(rows) [rows] = three_partial_block_##rows,
static weights_of_block *const three_partial_blocks[] = {EACH_THREE(TILE)};
#undef TILE

/* Positions of the grid whose pixels a tap finds inside of the image. */
typedef struct range {
    ptrdiff_t from, to;
} range;

static inline range inside(ptrdiff_t image, ptrdiff_t positions, ptrdiff_t stride, ptrdiff_t offset)
{
    const ptrdiff_t from = positions_below(0, offset, stride);
    const ptrdiff_t to = least_of(positions_below(image, offset, stride), positions);
    return (range){from, to > from ? to : from};
}

/* The lines of a block for the taps of row ky, of those from `band.from` to `band.to`. */
static void set_lines(weights_block *b, ptrdiff_t ky, range band)
{
    const fmd_walk *w = b->walk;
    const ptrdiff_t below = ky * w->step_h - w->top;
    const range y = inside(w->image_h, w->grid_h, w->stride_h, below);
    const ptrdiff_t from = y.from > band.from ? y.from : band.from, to = least_of(y.to, band.to);
    b->images.image += (from * w->stride_h + below) * w->image_row;
    b->images.grid += from * w->grid_row;
    b->height = to > from ? to - from : 0;
}

/* All rows of dw of one tap. */
static void weigh_tap(weights_block b, const ptrdiff_t vectors, ptrdiff_t ky, ptrdiff_t kx)
{
    const fmd_walk *w = b.walk;
    const ptrdiff_t right = kx * w->step_w - w->left;
    const range x = inside(w->image_w, w->grid_w, w->stride_w, right);
    b.images.image += (x.from * w->stride_w + right) * w->image_pixel;
    b.images.grid += x.from * w->grid_pixel;
    b.width = x.to - x.from;
    b.dw += (ptrdiff_t)(ky * w->taps_w + kx) * w->image_c * b.dw_row;
    for (ptrdiff_t i = 0, now; i < w->image_c; i += now) {
        const ptrdiff_t left = w->image_c - i, pieces = (left + TILE_PIXELS - 1) / TILE_PIXELS;
        now = (left + pieces - 1) / pieces;
        (vectors == 1 ? narrow_blocks : wide_blocks)[now](&b);
        b.images.image += now;
        b.dw += now * b.dw_row;
    }
}

/* All rows of dw of the three taps of a row. */
static void weigh_three_taps(weights_block b, bool whole, ptrdiff_t ky)
{
    const fmd_walk *w = b.walk;
    const float *image = b.images.image;
    b.images.grid += w->left * w->grid_pixel;
    b.dw += (ptrdiff_t)ky * COLUMNS * w->image_c * b.dw_row;
    for (ptrdiff_t i = 0, now; i < w->image_c; i += now) {
        const ptrdiff_t place = i % FMD_CHANNEL_BLOCK;
        const ptrdiff_t left = least_of(w->image_c - i, FMD_CHANNEL_BLOCK - place);
        const ptrdiff_t pieces = (left + THREE_ROWS - 1) / THREE_ROWS;
        now = (left + pieces - 1) / pieces;
        b.images.image = image + i / FMD_CHANNEL_BLOCK * b.images.image_block + place;
        (whole ? three_blocks : three_partial_blocks)[now](&b);
        b.dw += now * b.dw_row;
    }
}

/* How many rows of the grid make a band. */
static ptrdiff_t band_rows(const fmd_walk *w, ptrdiff_t columns)
{
    const size_t line =
        sizeof(float) * (size_t)w->grid_w * (size_t)(columns + FMD_CHANNEL_BLOCK * w->stride_w);
    return line < FMD_BAND_BYTES ? (ptrdiff_t)(FMD_BAND_BYTES / line) : 1;
}

static weights_block first_block(const fmd_walk *w, const fmd_conv_images *images, bool begin,
                                 ptrdiff_t dw_row, float *dw)
{
    return (weights_block){
        .walk = w, .images = *images, .begin = begin, .dw_row = dw_row, .dw = dw};
}

/* Whether all of dw is one block: the image has a frame, and its columns are channels. */
static bool is_square(const fmd_walk *w)
{
    return TILE_PIXELS >= 9 && w->taps_h == SQUARE && w->taps_w == 1 && w->image_c == SQUARE &&
           w->top == 0 && w->left == 0;
}

static void weigh(const fmd_walk *w, const fmd_conv_images *images, bool begin, ptrdiff_t dw_row,
                  float *dw)
{
    const bool square = is_square(w);
    const ptrdiff_t width = WIDTH, rows = images->n > 1 ? w->grid_h : band_rows(w, width);
    for (ptrdiff_t o = 0; o < w->grid_c; o += width) {
        const ptrdiff_t columns = least_of(w->grid_c - o, width), vectors = columns > VL ? 2 : 1;
        for (ptrdiff_t y = 0; y < w->grid_h; y += rows)
            for (ptrdiff_t ky = 0; ky < w->taps_h; ky++) {
                weights_block b = first_block(w, images, begin && y == 0, dw_row, dw + o);
                b.images.grid += o;
                b.last = MASK((size_t)(columns - (vectors - 1) * VL));
                set_lines(&b, ky, (range){y, least_of(y + rows, w->grid_h)});
                if (square && vectors == VECTORS) {
                    b.width = w->grid_w;
                    square_block(&b);
                    break;
                }
                for (ptrdiff_t kx = 0; kx < w->taps_w; kx++)
                    weigh_tap(b, vectors, ky, kx);
            }
    }
}

static void weigh_three(const fmd_walk *w, const fmd_conv_images *images, bool begin,
                        ptrdiff_t dw_row, float *dw)
{
    const ptrdiff_t rows = images->n > 1 ? w->grid_h : band_rows(w, VL);
    for (ptrdiff_t o = 0; o < w->grid_c; o += VL)
        for (ptrdiff_t y = 0; y < w->grid_h; y += rows)
            for (ptrdiff_t ky = 0; ky < w->taps_h; ky++) {
                weights_block b = first_block(w, images, begin && y == 0, dw_row, dw + o);
                b.images.grid +=
                    o / FMD_CHANNEL_BLOCK * b.images.grid_block + o % FMD_CHANNEL_BLOCK;
                b.last = MASK((size_t)least_of(w->grid_c - o, VL));
                set_lines(&b, ky, (range){y, least_of(y + rows, w->grid_h)});
                weigh_three_taps(b, w->grid_c - o >= VL, ky);
            }
}

/* The most columns of a depthwise kernel whose sums are made together. */
enum { EACH_COLUMNS = 5 };

/* Columns kx to kx + taps of a row of dw, one vector of channels, each with its own channel of the
 * image. */
INLINE void weigh_each_block(const ptrdiff_t taps, const weights_block *b, ptrdiff_t kx)
{
    const fmd_walk *w = b->walk;
    const ptrdiff_t pixel = w->stride_w * w->image_pixel, tap = w->step_w * w->image_pixel;
    range x[EACH_COLUMNS], all = {0, w->grid_w};
    vec sum[EACH_COLUMNS];
#pragma GCC unroll 8
    for (ptrdiff_t k = 0; k < taps; k++) {
        x[k] = inside(w->image_w, w->grid_w, w->stride_w, (kx + k) * w->step_w - w->left);
        all.from = x[k].from > all.from ? x[k].from : all.from;
        all.to = least_of(x[k].to, all.to);
        sum[k] = b->begin ? SPREAD(0) : LOAD_SOME(b->dw + k * b->dw_row, b->last);
    }
    all.to = all.to > all.from ? all.to : all.from;
    EACH_LINE(b)
    {
        const float *image = LINE_OF_IMAGE(b) + (kx * w->step_w - w->left) * w->image_pixel;
        const float *grid = LINE_OF_GRID(b);
#define TERM(k, j)                                                                                 \
    sum[k] = FMA(LOAD_SOME(image + (k)*tap + (j)*pixel, b->last),                                  \
                 LOAD_SOME(grid + (j)*w->grid_pixel, b->last), sum[k])
#pragma GCC unroll 8
        for (ptrdiff_t k = 0; k < taps; k++)
            for (ptrdiff_t j = x[k].from; j < least_of(x[k].to, all.from); j++)
                TERM(k, j);
        for (ptrdiff_t j = all.from; j < all.to; j++)
#pragma GCC unroll 8
            for (ptrdiff_t k = 0; k < taps; k++)
                TERM(k, j);
#pragma GCC unroll 8
        for (ptrdiff_t k = 0; k < taps; k++)
            for (ptrdiff_t j = x[k].from > all.to ? x[k].from : all.to; j < x[k].to; j++)
                TERM(k, j);
#undef TERM
    }
#pragma GCC unroll 8
    for (ptrdiff_t k = 0; k < taps; k++)
        STORE_SOME(b->dw + k * b->dw_row, b->last, sum[k]);
}

static void weigh_each(const fmd_walk *w, const fmd_conv_images *images, bool begin, float *dw)
{
    for (ptrdiff_t o = 0; o < w->grid_c; o += VL)
        for (ptrdiff_t ky = 0; ky < w->taps_h; ky++) {
            weights_block b = first_block(w, images, begin, w->grid_c, dw + o);
            b.images.image += o;
            b.images.grid += o;
            b.last = MASK((size_t)least_of(w->grid_c - o, VL));
            b.dw += (ptrdiff_t)ky * w->taps_w * w->grid_c;
            set_lines(&b, ky, (range){0, w->grid_h});
            for (ptrdiff_t kx = 0, taps; kx < w->taps_w; kx += taps) {
                taps = w->taps_w - kx >= EACH_COLUMNS ? EACH_COLUMNS
                       : w->taps_w - kx >= COLUMNS    ? COLUMNS
                                                      : 1;
                if (taps == EACH_COLUMNS)
                    weigh_each_block(EACH_COLUMNS, &b, kx);
                else if (taps == COLUMNS)
                    weigh_each_block(COLUMNS, &b, kx);
                else
                    weigh_each_block(1, &b, kx);
                b.dw += taps * b.dw_row;
            }
        }
}
