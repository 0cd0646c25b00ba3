/* Winograd's form of convolutions of 3 x 3, F(2 x 2, 3 x 3): 16 products for four positions of the
 * grid instead of 36 (Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, 2015).
 *
 * Tile (i, j) has the positions (2 i, 2 j) to (2 i + 1, 2 j + 1) and the 4 x 4 pixels d that these
 * meet; pixels and positions outside of the image and of the grid are 0. With the matrices
 *
 *         1  0 -1  0           1   0   0           1  1  1  0
 *   B^T = 0  1  1  0       G = .5  .5  .5    A^T =  0  1 -1 -1
 *         0 -1  1  0           .5 -.5  .5
 *         0  1  0 -1           0   0   1
 *
 * the output is A^T m A + bias, where m sums (B^T d B) (G g G^T), value by value, over the channels;
 * the gradient of the kernel g is G^T s G, where s sums (B^T d B) (A z A^T) over images and tiles, row
 * by row, for the gradient z of the positions. A sum is one chain of fused multiply-adds; columns
 * are transformed before rows, each expression from left to right, halves last: .5 ((a + c) + b).
 * So the bits are the same in all instruction sets, and for any other images in the call. */
#include "math/conv/conv_private.h"

#include "base/simd.h"

#include <string.h>

enum { SIDE = 3, NINE = SIDE * SIDE, TILE = 4, PLACES = TILE * TILE };

/* Fewer channels are faster in the direct form, since their transforms cost as much as the sums. */
enum { FEWEST_CHANNELS = 32 };

/* Tiles whose values are in the caches together; floats that keep places from the same sets. */
enum { TILES_AT_ONCE = 64, GAP = FMD_CHANNEL_BLOCK };

bool fmd_conv_is_winograd(const fmd_conv *c)
{
    return c->kernel_h == SIDE && c->kernel_w == SIDE && c->stride_h * c->stride_w == 1 &&
           c->dilation_h * c->dilation_w == 1 && c->groups == 1 && c->in_c >= FEWEST_CHANNELS &&
           c->out_c >= FEWEST_CHANNELS && c->in_c % FMD_CHANNEL_BLOCK == 0 &&
           c->out_c % FMD_CHANNEL_BLOCK == 0;
}

static size_t channel_pairs(const fmd_conv *c)
{
    return (size_t)c->in_c * (size_t)c->out_c;
}

size_t fmd_conv_winograd_packed_floats(const fmd_conv *c)
{
    return PLACES * channel_pairs(c);
}

/* Columns of a panel at most. */
enum { PANEL = 2 * FMD_CHANNEL_BLOCK };

/* G g G^T of a panel. */
FMD_SIMD static void transform_kernel(float g[NINE][PANEL], float u[PLACES][PANEL])
{
    float t[TILE * SIDE][PANEL];
    for (int x = 0; x < SIDE; x++)
        for (int i = 0; i < PANEL; i++) {
            const float sum = g[x][i] + g[2 * SIDE + x][i], middle = g[SIDE + x][i];
            t[x][i] = g[x][i];
            t[SIDE + x][i] = 0.5f * (sum + middle);
            t[2 * SIDE + x][i] = 0.5f * (sum - middle);
            t[3 * SIDE + x][i] = g[2 * SIDE + x][i];
        }
    for (ptrdiff_t y = 0; y < TILE; y++)
        for (int i = 0; i < PANEL; i++) {
            const float left = t[SIDE * y][i], middle = t[SIDE * y + 1][i],
                        right = t[SIDE * y + 2][i], sum = left + right;
            u[TILE * y][i] = left;
            u[TILE * y + 1][i] = 0.5f * (sum + middle);
            u[TILE * y + 2][i] = 0.5f * (sum - middle);
            u[TILE * y + 3][i] = right;
        }
}

/* The values of `width` columns from o on, of term i. */
static void transform_panel(fmd_conv_kernel_view k, ptrdiff_t i, ptrdiff_t o, int width,
                            float u[PLACES][PANEL])
{
    float g[NINE][PANEL] = {{0}};
    const float *from = k.at + i * k.term + o * k.column;
    for (ptrdiff_t t = 0; t < NINE; t++)
        for (ptrdiff_t j = 0; j < width; j++)
            g[t][j] = from[t / SIDE * k.row + t % SIDE * k.tap + j * k.column];
    transform_kernel(g, u);
}

/* packed: for each place panels as fmd_conv_kernels.correlate takes them. */
void fmd_conv_winograd_pack(const fmd_conv *c, fmd_conv_kernel_view k, float *packed)
{
    const int vector = (int)c->kernels->vector;
    float u[PLACES][PANEL];
    for (int o = 0, width; o < k.columns; o += width) {
        width = k.columns - o > vector ? 2 * vector : vector;
        for (int i = 0; i < k.terms; i++, packed += width) {
            transform_panel(k, i, o, width, u);
            for (size_t p = 0; p < PLACES; p++)
                memcpy(packed + p * channel_pairs(c), u[p], (size_t)width * sizeof *packed);
        }
    }
}

void fmd_conv_winograd_kernel(const fmd_conv *c, const float *kernel, float *values)
{
    const ptrdiff_t tap = (ptrdiff_t)channel_pairs(c);
    const fmd_conv_kernel_view view = {kernel,     SIDE, SIDE,     c->in_c, c->out_c,
                                       SIDE * tap, tap,  c->out_c, 1};
    float u[PLACES][PANEL];
    for (int i = 0; i < c->in_c; i++)
        for (int o = 0, width; o < c->out_c; o += width, values += width) {
            width = c->out_c - o < PANEL ? c->out_c - o : PANEL;
            transform_panel(view, i, o, width, u);
            for (size_t p = 0; p < PLACES; p++)
                memcpy(values + p * channel_pairs(c), u[p], (size_t)width * sizeof *values);
        }
}

static ptrdiff_t halved(ptrdiff_t n)
{
    return (n + 1) / 2;
}

/* Rows of tiles of n grids one below the other, of which `rows` are transformed at once. */
typedef struct tiling {
    ptrdiff_t high, wide, rows, all;
} tiling;

static tiling tile(const fmd_walk *w, size_t n)
{
    const ptrdiff_t high = halved(w->grid_h), wide = halved(w->grid_w), rows = TILES_AT_ONCE / wide,
                    all = (ptrdiff_t)n * high;
    return (tiling){high, wide, rows > 0 ? rows : 1, all};
}

/* Floats from the values of a place to those of the next, for the tiles of some rows. */
static ptrdiff_t place_floats(const tiling *t, ptrdiff_t rows, ptrdiff_t channels)
{
    return rows * t->wide * channels + GAP;
}

static size_t values_floats(const fmd_conv *c, ptrdiff_t height, ptrdiff_t width)
{
    const tiling t = tile(&(fmd_walk){.grid_h = height, .grid_w = width}, 1);
    return PLACES *
           (size_t)(place_floats(&t, t.rows, c->in_c) + place_floats(&t, t.rows, c->out_c));
}

size_t fmd_conv_winograd_scratch_floats(const fmd_conv *c)
{
    const size_t in = values_floats(c, c->in_h, c->in_w),
                 out = values_floats(c, c->out_h, c->out_w);
    return PLACES * channel_pairs(c) + (in > out ? in : out);
}

/* Row `at` of all rows of tiles; the floats to its image and to its grid. */
static fmd_tile_row row_of(const fmd_walk *w, const tiling *t, ptrdiff_t at, ptrdiff_t place)
{
    return (fmd_tile_row){.walk = w, .y = 2 * (at % t->high), .tiles = t->wide, .place = place};
}

static ptrdiff_t image_of(const fmd_walk *w, const tiling *t, ptrdiff_t at)
{
    return at / t->high * w->image_h * w->image_row;
}

static ptrdiff_t grid_of(const fmd_walk *w, const tiling *t, ptrdiff_t at)
{
    return at / t->high * w->grid_h * w->grid_row;
}

/* The values of tiles as an image and a grid of one line. */
static fmd_walk line_of_tiles(const fmd_walk *w, ptrdiff_t tiles)
{
    return (fmd_walk){.image_h = 1,
                      .image_w = tiles,
                      .grid_h = 1,
                      .grid_w = tiles,
                      .taps_h = 1,
                      .taps_w = 1,
                      .stride_h = 1,
                      .stride_w = 1,
                      .step_h = 1,
                      .step_w = 1,
                      .image_c = w->image_c,
                      .grid_c = w->grid_c,
                      .image_row = tiles * w->image_c,
                      .image_pixel = w->image_c,
                      .grid_row = tiles * w->grid_c,
                      .grid_pixel = w->grid_c};
}

void fmd_conv_winograd_correlate(const fmd_conv *c, const fmd_walk *w, size_t n, const float *image,
                                 const float *packed, fmd_conv_ends ends, float *scratch,
                                 float *grid)
{
    const tiling t = tile(w, n);
    for (ptrdiff_t first = 0, rows; first < t.all; first += rows) {
        rows = t.all - first < t.rows ? t.all - first : t.rows;
        const fmd_walk line = line_of_tiles(w, rows * t.wide);
        const ptrdiff_t of_image = place_floats(&t, rows, w->image_c);
        const ptrdiff_t of_grid = place_floats(&t, rows, w->grid_c);
        float *values = scratch, *sums = values + PLACES * of_image;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const fmd_tile_row row = row_of(w, &t, first + r, of_image);
            c->kernels->transform_image(&row, image + image_of(w, &t, first + r),
                                        values + r * t.wide * w->image_c);
        }
        for (ptrdiff_t p = 0; p < PLACES; p++)
            c->kernels->correlate(&line, values + p * of_image,
                                  packed + (size_t)p * channel_pairs(c), (fmd_conv_ends){0},
                                  sums + p * of_grid);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const fmd_tile_row row = row_of(w, &t, first + r, of_grid);
            c->kernels->transform_sums(&row, sums + r * t.wide * w->grid_c, ends,
                                       grid + grid_of(w, &t, first + r));
        }
    }
}

void fmd_conv_winograd_add_weights(const fmd_conv *c, size_t n, const float *x, const float *dy,
                                   bool begin, float *scratch)
{
    const fmd_walk w = fmd_conv_walk(c);
    const tiling t = tile(&w, n);
    for (ptrdiff_t first = 0, rows; first < t.all; first += rows) {
        rows = t.all - first < t.rows ? t.all - first : t.rows;
        const fmd_walk line = line_of_tiles(&w, rows * t.wide);
        const ptrdiff_t of_image = place_floats(&t, rows, w.image_c);
        const ptrdiff_t of_grid = place_floats(&t, rows, w.grid_c);
        float *sums = scratch, *values = sums + PLACES * channel_pairs(c),
              *gradients = values + PLACES * of_image;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const ptrdiff_t at = first + r;
            const fmd_tile_row of_x = row_of(&w, &t, at, of_image),
                               of_dy = row_of(&w, &t, at, of_grid);
            c->kernels->transform_image(&of_x, x + image_of(&w, &t, at),
                                        values + r * t.wide * w.image_c);
            c->kernels->transform_gradient(&of_dy, dy + grid_of(&w, &t, at),
                                           gradients + r * t.wide * w.grid_c);
        }
        for (ptrdiff_t p = 0; p < PLACES; p++) {
            const fmd_conv_images images = {
                .n = 1, .image = values + p * of_image, .grid = gradients + p * of_grid};
            c->kernels->weigh(&line, &images, begin && first == 0, c->out_c,
                              sums + (size_t)p * channel_pairs(c));
        }
    }
}

/* G^T s G. */
FMD_SIMD void fmd_conv_winograd_end_weights(const fmd_conv *c, const float *sums, float *dkernel)
{
    const size_t n = channel_pairs(c);
    for (size_t i = 0; i < n; i++) {
        float t[SIDE][TILE];
        for (size_t q = 0; q < TILE; q++) {
            const float *s = sums + q * n + i;
            const float half = 0.5f * (s[TILE * n] + s[(size_t)2 * TILE * n]);
            t[0][q] = s[0] + half;
            t[1][q] = 0.5f * (s[TILE * n] - s[(size_t)2 * TILE * n]);
            t[2][q] = half + s[(size_t)3 * TILE * n];
        }
        for (size_t p = 0; p < SIDE; p++) {
            const float half = 0.5f * (t[p][1] + t[p][2]);
            float *to = dkernel + (size_t)SIDE * p * n + i;
            to[0] = t[p][0] + half;
            to[n] = 0.5f * (t[p][1] - t[p][2]);
            to[2 * n] = half + t[p][3];
        }
    }
}
