/* Winograd's transforms of tiles, for the vector type of the including file. Each value is the
 * expression that conv_winograd.c gives, evaluated from left to right. */

enum { TILE = 4, HALF = 2 }; /* pixels and positions of a side */

/* B^T d of one column. */
INLINE void image_column(const vec d[TILE], vec t[TILE])
{
    t[0] = MINUS(d[0], d[2]);
    t[1] = PLUS(d[1], d[2]);
    t[2] = MINUS(d[2], d[1]);
    t[3] = MINUS(d[1], d[3]);
}

/* The part of a tile that lies inside of its image or grid: rows and columns from `from` to `to`. */
typedef struct tile_part {
    ptrdiff_t from, to;
} tile_part;

static inline tile_part part_inside(ptrdiff_t first, ptrdiff_t size, ptrdiff_t side)
{
    const ptrdiff_t left = size - first;
    return (tile_part){first < 0 ? -first : 0, left < 0 ? 0 : least_of(left, side)};
}

static inline bool is_inside(tile_part p, ptrdiff_t i)
{
    return i >= p.from && i < p.to;
}

INLINE void store_line(const vec v[TILE], int line, ptrdiff_t place, float *values)
{
#pragma GCC unroll 4
    for (int q = 0; q < TILE; q++)
        STORE(values + (TILE * line + q) * place, v[q]);
}

/* One vector of channels of a tile; `whole`: all of it is inside of the image. */
INLINE void transform_tile(const bool whole, tile_part rows, tile_part columns, const fmd_walk *w,
                           const float *image, ptrdiff_t place, float *values)
{
    vec t[TILE][TILE]; /* by columns */
#pragma GCC unroll 4
    for (int q = 0; q < TILE; q++) {
        vec d[TILE];
#pragma GCC unroll 4
        for (int p = 0; p < TILE; p++)
            d[p] = whole || (is_inside(rows, p) && is_inside(columns, q))
                       ? LOAD(image + p * w->image_row + q * w->image_pixel)
                       : SPREAD(0);
        image_column(d, t[q]);
    }
#pragma GCC unroll 4
    for (int p = 0; p < TILE; p++) {
        const vec line[TILE] = {t[0][p], t[1][p], t[2][p], t[3][p]};
        vec v[TILE];
        image_column(line, v);
        store_line(v, p, place, values);
    }
}

static void transform_image(const fmd_tile_row *r, const float *image, float *values)
{
    const fmd_walk *w = r->walk;
    const ptrdiff_t y = r->y - w->top;
    const tile_part rows = part_inside(y, w->image_h, TILE);
    for (ptrdiff_t i = 0; i < r->tiles; i++, values += w->image_c) {
        const ptrdiff_t x = HALF * i - w->left;
        const tile_part columns = part_inside(x, w->image_w, TILE);
        const float *at = image + y * w->image_row + x * w->image_pixel;
        const bool whole = rows.from + columns.from == 0 && rows.to == TILE && columns.to == TILE;
        for (ptrdiff_t c = 0; c < w->image_c; c += VL)
            if (whole)
                transform_tile(true, rows, columns, w, at + c, r->place, values + c);
            else
                transform_tile(false, rows, columns, w, at + c, r->place, values + c);
    }
}

/* A z of two values. */
INLINE void gradient_column(const vec z[HALF], vec t[TILE])
{
    t[0] = z[0];
    t[1] = PLUS(z[0], z[1]);
    t[2] = MINUS(z[0], z[1]);
    t[3] = MINUS(SPREAD(0), z[1]);
}

static void transform_gradient(const fmd_tile_row *r, const float *grid, float *values)
{
    const fmd_walk *w = r->walk;
    const tile_part rows = part_inside(r->y, w->grid_h, HALF);
    for (ptrdiff_t i = 0; i < r->tiles; i++, values += w->grid_c) {
        const tile_part columns = part_inside(HALF * i, w->grid_w, HALF);
        for (ptrdiff_t c = 0; c < w->grid_c; c += VL) {
            const float *at = grid + r->y * w->grid_row + HALF * i * w->grid_pixel + c;
            vec t[HALF][TILE]; /* by columns */
#pragma GCC unroll 2
            for (int q = 0; q < HALF; q++) {
                vec z[HALF];
#pragma GCC unroll 2
                for (int p = 0; p < HALF; p++)
                    z[p] = is_inside(rows, p) && is_inside(columns, q)
                               ? LOAD(at + p * w->grid_row + q * w->grid_pixel)
                               : SPREAD(0);
                gradient_column(z, t[q]);
            }
#pragma GCC unroll 4
            for (int p = 0; p < TILE; p++) {
                const vec line[HALF] = {t[0][p], t[1][p]};
                vec v[TILE];
                gradient_column(line, v);
                store_line(v, p, r->place, values + c);
            }
        }
    }
}

/* A^T m of one column. */
INLINE void sums_column(const vec m[TILE], vec t[HALF])
{
    t[0] = PLUS(PLUS(m[0], m[1]), m[2]);
    t[1] = MINUS(MINUS(m[1], m[2]), m[3]);
}

static void transform_sums(const fmd_tile_row *r, const float *sums, fmd_conv_ends ends,
                           float *grid)
{
    const fmd_walk *w = r->walk;
    const tile_part rows = part_inside(r->y, w->grid_h, HALF);
    for (ptrdiff_t i = 0; i < r->tiles; i++, sums += w->grid_c) {
        const tile_part columns = part_inside(HALF * i, w->grid_w, HALF);
        for (ptrdiff_t c = 0; c < w->grid_c; c += VL) {
            float *at = grid + r->y * w->grid_row + HALF * i * w->grid_pixel + c;
            const vec bias = ends.bias != NULL ? LOAD(ends.bias + c) : SPREAD(0);
            vec t[TILE][HALF]; /* by columns */
#pragma GCC unroll 4
            for (int q = 0; q < TILE; q++) {
                vec m[TILE];
#pragma GCC unroll 4
                for (int p = 0; p < TILE; p++)
                    m[p] = LOAD(sums + (TILE * p + q) * r->place + c);
                sums_column(m, t[q]);
            }
#pragma GCC unroll 2
            for (int p = 0; p < HALF; p++) {
                const vec line[TILE] = {t[0][p], t[1][p], t[2][p], t[3][p]};
                vec y[HALF];
                sums_column(line, y);
#pragma GCC unroll 2
                for (int q = 0; q < HALF; q++) {
                    const vec sum = PLUS(y[q], bias);
                    if (is_inside(rows, p) && is_inside(columns, q))
                        STORE(at + p * w->grid_row + q * w->grid_pixel,
                              ends.relu ? RELU(sum) : sum);
                }
            }
        }
    }
}
