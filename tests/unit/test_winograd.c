/* Winograd's form: each value is the expression that conv_winograd.c gives, with the same bits from every
 * instruction set and whatever other images there are, and near to the sum of its terms. */
#include "support/conv_layer.h"
#include "support/fmd_test.h"

#include <math.h>
#include <string.h>

/* Even and odd sizes, images of less than a tile, several images in a block of tiles. */
static const conv_geometry geometries[] = {
    {14, 14, 32, 32, 3, 3, 1, 1, 1, 1, 1}, {7, 7, 64, 32, 3, 3, 1, 1, 1, 1, 1},
    {9, 16, 32, 48, 3, 3, 1, 1, 1, 1, 1},  {5, 4, 48, 80, 3, 3, 1, 1, 1, 1, 1},
    {3, 3, 32, 32, 3, 3, 1, 1, 1, 1, 1},   {2, 1, 32, 32, 3, 3, 1, 1, 1, 1, 1},
    {4, 150, 32, 32, 3, 3, 1, 1, 1, 1, 1},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

enum { SIDE = 3, TILE = 4, HALF = 2 };

typedef struct tile {
    float at[TILE][TILE];
} tile;

/* A value of (images, h, w, channels); 0 outside of the image. */
static float pixel(const float *x, int h, int w, int channels, int image, int row, int column,
                   int c)
{
    const bool inside = row >= 0 && row < h && column >= 0 && column < w;
    return inside ? x[((image * h + row) * w + column) * channels + c] : 0;
}

static void image_line(float *a, float *b, float *c, float *d)
{
    const float first = *a - *c, second = *b + *c, third = *c - *b, fourth = *b - *d;
    *a = first, *b = second, *c = third, *d = fourth;
}

/* B^T d B of the tile whose first pixel is (row, column). */
static tile image_tile(const float *x, int h, int w, int channels, int image, int row, int column,
                       int c)
{
    tile t;
    for (int p = 0; p < TILE; p++)
        for (int q = 0; q < TILE; q++)
            t.at[p][q] = pixel(x, h, w, channels, image, row + p, column + q, c);
    for (int q = 0; q < TILE; q++)
        image_line(&t.at[0][q], &t.at[1][q], &t.at[2][q], &t.at[3][q]);
    for (int p = 0; p < TILE; p++)
        image_line(&t.at[p][0], &t.at[p][1], &t.at[p][2], &t.at[p][3]);
    return t;
}

/* G g. */
static void kernel_line(const float g[SIDE], float u[TILE])
{
    u[0] = g[0];
    u[1] = 0.5f * ((g[0] + g[2]) + g[1]);
    u[2] = 0.5f * ((g[0] + g[2]) - g[1]);
    u[3] = g[2];
}

/* G g G^T. */
static tile kernel_tile(float g[SIDE][SIDE])
{
    float columns[SIDE][TILE], line[SIDE];
    tile t;
    for (int x = 0; x < SIDE; x++) {
        for (int y = 0; y < SIDE; y++)
            line[y] = g[y][x];
        kernel_line(line, columns[x]);
    }
    for (int p = 0; p < TILE; p++) {
        for (int x = 0; x < SIDE; x++)
            line[x] = columns[x][p];
        kernel_line(line, t.at[p]);
    }
    return t;
}

/* A z A^T of the tile whose first position is (row, column). */
static tile gradient_tile(const conv_layer *l, int image, int row, int column, int o)
{
    const fmd_conv *c = &l->c;
    tile t;
    for (int q = 0; q < HALF; q++) {
        const float z0 = pixel(l->dy, c->out_h, c->out_w, c->out_c, image, row, column + q, o);
        const float z1 = pixel(l->dy, c->out_h, c->out_w, c->out_c, image, row + 1, column + q, o);
        t.at[0][q] = z0;
        t.at[1][q] = z0 + z1;
        t.at[2][q] = z0 - z1;
        t.at[3][q] = 0 - z1;
    }
    for (int p = 0; p < TILE; p++) {
        const float z0 = t.at[p][0], z1 = t.at[p][1];
        t.at[p][1] = z0 + z1;
        t.at[p][2] = z0 - z1;
        t.at[p][3] = 0 - z1;
    }
    return t;
}

/* A^T m. */
static void sums_line(const float m[TILE], float y[HALF])
{
    y[0] = (m[0] + m[1]) + m[2];
    y[1] = (m[1] - m[2]) - m[3];
}

/* One position of A^T m A. */
static float position_of(const tile *m, int row, int column)
{
    float columns[TILE], both[HALF];
    for (int q = 0; q < TILE; q++) {
        const float line[TILE] = {m->at[0][q], m->at[1][q], m->at[2][q], m->at[3][q]};
        sums_line(line, both);
        columns[q] = both[row];
    }
    sums_line(columns, both);
    return both[column];
}

static void add_products(tile *sums, const tile *a, const tile *b)
{
    for (int p = 0; p < TILE; p++)
        for (int q = 0; q < TILE; q++)
            sums->at[p][q] = fmaf(a->at[p][q], b->at[p][q], sums->at[p][q]);
}

static float kernel_value(const conv_layer *l, int ky, int kx, int i, int o)
{
    return l->kernel[((ky * SIDE + kx) * l->c.in_c + i) * l->c.out_c + o];
}

/* The same bits, and near to the sum in double. */
static void assert_value(float value, float expected, double exact, double magnitude)
{
    assert_memory_equal(&value, &expected, sizeof value);
    assert_true(fabs((double)value - exact) <= (magnitude + 1) * 0x1p-20);
}

static void assert_output(const conv_layer *l, int image, int y, int x, int o)
{
    const fmd_conv *c = &l->c;
    const int row = y / HALF * HALF - c->pad_top, column = x / HALF * HALF - c->pad_left;
    tile sums = {{{0}}};
    double exact = (double)l->bias[o], magnitude = fabs(exact);
    for (int i = 0; i < c->in_c; i++) {
        float g[SIDE][SIDE];
        for (int k = 0; k < SIDE * SIDE; k++) {
            const int ky = k / SIDE, kx = k % SIDE;
            g[ky][kx] = kernel_value(l, ky, kx, i, o);
            const double term =
                (double)g[ky][kx] * (double)pixel(l->x, c->in_h, c->in_w, c->in_c, image,
                                                  y - c->pad_top + ky, x - c->pad_left + kx, i);
            exact += term;
            magnitude += fabs(term);
        }
        const tile d = image_tile(l->x, c->in_h, c->in_w, c->in_c, image, row, column, i);
        const tile u = kernel_tile(g);
        add_products(&sums, &d, &u);
    }
    assert_value(l->y[((image * c->out_h + y) * c->out_w + x) * c->out_c + o],
                 position_of(&sums, y % HALF, x % HALF) + l->bias[o], exact, magnitude);
}

/* The input's gradient is the output of dy for the kernel turned by half a turn. */
static void assert_input_gradient(const conv_layer *l, int image, int y, int x, int i)
{
    const fmd_conv *c = &l->c;
    const int top = SIDE - 1 - c->pad_top, left = SIDE - 1 - c->pad_left;
    const int row = y / HALF * HALF - top, column = x / HALF * HALF - left;
    tile sums = {{{0}}};
    double exact = 0, magnitude = 0;
    for (int o = 0; o < c->out_c; o++) {
        float g[SIDE][SIDE];
        for (int k = 0; k < SIDE * SIDE; k++) {
            const int ky = k / SIDE, kx = k % SIDE;
            g[ky][kx] = kernel_value(l, SIDE - 1 - ky, SIDE - 1 - kx, i, o);
            const double term =
                (double)g[ky][kx] * (double)pixel(l->dy, c->out_h, c->out_w, c->out_c, image,
                                                  y - top + ky, x - left + kx, o);
            exact += term;
            magnitude += fabs(term);
        }
        const tile d = image_tile(l->dy, c->out_h, c->out_w, c->out_c, image, row, column, o);
        const tile u = kernel_tile(g);
        add_products(&sums, &d, &u);
    }
    assert_value(l->dx[((image * c->in_h + y) * c->in_w + x) * c->in_c + i],
                 position_of(&sums, y % HALF, x % HALF), exact, magnitude);
}

/* G^T s. */
static void gradient_line(const float s[TILE], float g[SIDE])
{
    const float half = 0.5f * (s[1] + s[2]);
    g[0] = s[0] + half;
    g[1] = 0.5f * (s[1] - s[2]);
    g[2] = half + s[3];
}

static void assert_kernel_gradient(const conv_layer *l, int i, int o)
{
    const fmd_conv *c = &l->c;
    tile sums = {{{0}}};
    double exact[SIDE][SIDE] = {{0}}, magnitude = 0;
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < c->out_h; y += HALF)
            for (int x = 0; x < c->out_w; x += HALF) {
                const tile d = image_tile(l->x, c->in_h, c->in_w, c->in_c, image, y - c->pad_top,
                                          x - c->pad_left, i);
                const tile z = gradient_tile(l, image, y, x, o);
                add_products(&sums, &d, &z);
            }
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < c->out_h; y++)
            for (int x = 0; x < c->out_w; x++)
                for (int k = 0; k < SIDE * SIDE; k++) {
                    const double term =
                        (double)pixel(l->dy, c->out_h, c->out_w, c->out_c, image, y, x, o) *
                        (double)pixel(l->x, c->in_h, c->in_w, c->in_c, image,
                                      y - c->pad_top + k / SIDE, x - c->pad_left + k % SIDE, i);
                    exact[k / SIDE][k % SIDE] += term;
                    magnitude += fabs(term);
                }
    float rows[SIDE][TILE], line[SIDE];
    for (int q = 0; q < TILE; q++) {
        const float s[TILE] = {sums.at[0][q], sums.at[1][q], sums.at[2][q], sums.at[3][q]};
        gradient_line(s, line);
        for (int p = 0; p < SIDE; p++)
            rows[p][q] = line[p];
    }
    for (int p = 0; p < SIDE; p++) {
        gradient_line(rows[p], line);
        for (int q = 0; q < SIDE; q++)
            assert_value(l->dkernel[((p * SIDE + q) * c->in_c + i) * c->out_c + o], line[q],
                         exact[p][q], magnitude);
    }
}

typedef void assertion(const conv_layer *l);

/* Some channels of all pixels. */
static void assert_outputs(const conv_layer *l)
{
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < l->c.out_h; y++)
            for (int x = 0; x < l->c.out_w; x++)
                for (int o = (y + x) % 7; o < l->c.out_c; o += 7)
                    assert_output(l, image, y, x, o);
}

static void assert_input_gradients(const conv_layer *l)
{
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < l->c.in_h; y++)
            for (int x = 0; x < l->c.in_w; x++)
                for (int i = (y + x) % 7; i < l->c.in_c; i += 7)
                    assert_input_gradient(l, image, y, x, i);
}

static void assert_kernel_gradients(const conv_layer *l)
{
    for (int i = 0; i < l->c.in_c; i++)
        for (int o = i % 5; o < l->c.out_c; o += 5)
            assert_kernel_gradient(l, i, o);
}

/* Of every geometry, padding and instruction set. */
static void for_each_layer(assertion *holds)
{
    const fmd_kernels *tables[CONV_TABLES];
    const size_t n = conv_layer_kernels(tables);
    for (size_t i = 0; i < 2 * GEOMETRIES; i++) {
        conv_layer l = conv_layer_create(geometries + i / 2,
                                         i % 2 == 0 ? FMD_PADDING_VALID : FMD_PADDING_SAME);
        for (size_t t = 0; t < n && l.c.out_h > 0 && l.c.out_w > 0; t++) {
            assert_true(fmd_conv_is_winograd(&l.c));
            l.c.kernels = tables[t]->conv;
            conv_layer_compute(&l, CONV_IMAGES, l.bias, false);
            holds(&l);
        }
        conv_layer_free(&l);
    }
}

static void test_winograd__an_output_is_its_expression(void **state)
{
    (void)state;
    for_each_layer(assert_outputs);
}

static void test_winograd__an_inputs_gradient_is_its_expression(void **state)
{
    (void)state;
    for_each_layer(assert_input_gradients);
}

static void test_winograd__a_kernels_gradient_is_its_expression(void **state)
{
    (void)state;
    for_each_layer(assert_kernel_gradients);
}

/* The results of each image by itself, and of the first two, are those of all three; with relu. */
static void test_winograd__an_image_does_not_depend_on_the_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < GEOMETRIES; i++) {
        conv_layer all = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer some = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer_compute(&all, CONV_IMAGES, all.bias, true);
        for (size_t n = 1; n < CONV_IMAGES; n++) {
            conv_layer_compute(&some, n, some.bias, true);
            assert_memory_equal(some.y, all.y, some.n_y / CONV_IMAGES * n * sizeof(float));
            assert_memory_equal(some.dx, all.dx, some.n_x / CONV_IMAGES * n * sizeof(float));
        }
        conv_layer_free(&all);
        conv_layer_free(&some);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_winograd__an_output_is_its_expression),
        cmocka_unit_test(test_winograd__an_inputs_gradient_is_its_expression),
        cmocka_unit_test(test_winograd__a_kernels_gradient_is_its_expression),
        cmocka_unit_test(test_winograd__an_image_does_not_depend_on_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
