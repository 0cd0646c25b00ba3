/* Pooling: maxima, averages and their gradients, against sums in double; ties and NaN. */
#include "support/fmd_test.h"

#include "base/rng.h"
#include "math/conv/pool.h"
#include "math/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 2 };

/* Height, width, channels, pool, strides. */
static const int geometries[][7] = {
    {4, 4, 1, 2, 2, 2, 2},    {7, 7, 3, 2, 2, 2, 2},     {8, 6, 64, 2, 2, 2, 2},
    {28, 28, 32, 2, 2, 2, 2}, {7, 6, 70, 3, 3, 1, 1},    {8, 9, 17, 3, 3, 2, 2},
    {8, 7, 5, 2, 3, 1, 2},    {9, 9, 4, 2, 2, 3, 3},     {5, 5, 2, 1, 1, 2, 2},
    {2, 3, 3, 3, 3, 1, 1},    {20, 20, 2, 16, 16, 4, 4},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

typedef struct layer {
    fmd_pool p;
    size_t n_x, n_y;
    float *x, *y, *dx, *dy;
    uint8_t *places;
} layer;

static void *memory(size_t n, size_t size)
{
    void *x = calloc(n + 1, size);
    assert_non_null(x);
    return x;
}

static float *random_values(size_t n, uint32_t stream, unsigned levels)
{
    const fmd_rng rng = {.seed = 5, .purpose = FMD_RNG_INIT, .stream = stream};
    float *x = memory(n, sizeof *x);
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        fmd_rng_block(&rng, i, r);
        x[i] = levels > 0 ? (float)(r[0] % levels) - 2 : 2 * fmd_rng_unit(r[0]) - 1;
    }
    return x;
}

/* `levels`: so many different whole values, so that maxima are equal; 0: any values. */
static layer make_layer(const int *g, fmd_padding padding, unsigned levels)
{
    layer l = {.p = {.in_h = g[0],
                     .in_w = g[1],
                     .channels = g[2],
                     .pool_h = g[3],
                     .pool_w = g[4],
                     .stride_h = g[5],
                     .stride_w = g[6]}};
    fmd_pool_plan(&l.p, padding);
    l.n_x = IMAGES * (size_t)(l.p.in_h * l.p.in_w * l.p.channels);
    l.n_y = IMAGES * (size_t)(l.p.out_h * l.p.out_w * l.p.channels);
    l.x = random_values(l.n_x, 0, levels);
    l.dy = random_values(l.n_y, 1, 0);
    l.y = memory(l.n_y, sizeof(float));
    l.dx = memory(l.n_x, sizeof(float));
    l.places = memory(l.n_y, 1);
    memset(l.dx, 0x7f, l.n_x * sizeof(float));
    return l;
}

static void free_layer(layer *l)
{
    free(l->x);
    free(l->y);
    free(l->dx);
    free(l->dy);
    free(l->places);
}

/* Index in x of place (i, j) of an output's window; false outside of the image. */
static bool place_of(const fmd_pool *p, size_t output, int i, int j, size_t *at)
{
    const size_t channels = (size_t)p->channels, pixel = output / channels;
    const int x = (int)(pixel % (size_t)p->out_w), line = (int)(pixel / (size_t)p->out_w);
    const int y = line % p->out_h, image = line / p->out_h;
    const int row = y * p->stride_h - p->pad_top + i, column = x * p->stride_w - p->pad_left + j;
    *at = (size_t)((image * p->in_h + row) * p->in_w + column) * channels + output % channels;
    return row >= 0 && row < p->in_h && column >= 0 && column < p->in_w;
}

static void assert_near(const float *x, const double *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)x[i] - expected[i]) <= 1e-5 * (1 + fabs(expected[i])));
    assert_true(x[n] == 0);
}

static void check_max(const layer *l)
{
    const fmd_pool *p = &l->p;
    double *dx = memory(l->n_x, sizeof *dx);
    fmd_max_pool(p, IMAGES, l->x, l->y, l->places);
    fmd_max_pool_gradient(p, IMAGES, l->dy, l->places, l->dx);
    for (size_t o = 0; o < l->n_y; o++) {
        float largest = -INFINITY;
        int place = -1;
        size_t at, winner = 0;
        for (int i = 0; i < p->pool_h; i++)
            for (int j = 0; j < p->pool_w; j++)
                if (place_of(p, o, i, j, &at) && l->x[at] > largest) {
                    largest = l->x[at];
                    place = i * p->pool_w + j;
                    winner = at;
                }
        assert_true(l->y[o] == largest);
        assert_int_equal(l->places[o], place);
        dx[winner] += (double)l->dy[o];
    }
    assert_true(l->y[l->n_y] == 0 && l->places[l->n_y] == 0);
    assert_near(l->dx, dx, l->n_x);
    free(dx);
}

static void check_average(const layer *l)
{
    const fmd_pool *p = &l->p;
    double *dx = memory(l->n_x, sizeof *dx), *y = memory(l->n_y, sizeof *y);
    fmd_average_pool(p, IMAGES, l->x, l->y);
    fmd_average_pool_gradient(p, IMAGES, l->dy, l->dx);
    for (size_t o = 0; o < l->n_y; o++) {
        int count = 0;
        size_t at;
        for (int i = 0; i < p->pool_h; i++)
            for (int j = 0; j < p->pool_w; j++)
                if (place_of(p, o, i, j, &at)) {
                    y[o] += (double)l->x[at];
                    count++;
                }
        y[o] /= count;
        for (int i = 0; i < p->pool_h; i++)
            for (int j = 0; j < p->pool_w; j++)
                if (place_of(p, o, i, j, &at))
                    dx[at] += (double)l->dy[o] / count;
    }
    assert_near(l->y, y, l->n_y);
    assert_near(l->dx, dx, l->n_x);
    free(dx);
    free(y);
}

static void for_each_layer(unsigned levels, void check(const layer *l))
{
    for (int i = 0; i < 2 * GEOMETRIES; i++) {
        layer l = make_layer(geometries[i / 2], i % 2 == 0 ? FMD_PADDING_VALID : FMD_PADDING_SAME,
                             levels);
        if (l.p.out_h > 0 && l.p.out_w > 0)
            check(&l);
        free_layer(&l);
    }
}

static void test_pool__a_maximum_takes_the_gradient(void **state)
{
    (void)state;
    for_each_layer(0, check_max);
}

static void test_pool__of_equal_maxima_the_first_takes_the_gradient(void **state)
{
    (void)state;
    for_each_layer(3, check_max);
}

static void test_pool__an_average_leaves_out_what_is_outside(void **state)
{
    (void)state;
    for_each_layer(0, check_average);
}

static void test_pool__nan_is_the_largest(void **state)
{
    (void)state;
    fmd_pool p = {.in_h = 1,
                  .in_w = 4,
                  .channels = 1,
                  .pool_h = 1,
                  .pool_w = 2,
                  .stride_h = 1,
                  .stride_w = 2};
    const float x[] = {NAN, 1, 2, NAN};
    float y[2];
    uint8_t places[2];
    fmd_pool_plan(&p, FMD_PADDING_VALID);
    fmd_max_pool(&p, 1, x, y, places);
    assert_true(isnan(y[0]) && isnan(y[1]));
    assert_int_equal(places[0], 0);
    assert_int_equal(places[1], 1);
    fmd_global_max(1, 4, 1, (const float[]){1, NAN, 2, 0}, y);
    assert_true(isnan(y[0]));
}

static void test_pool__an_image_has_one_average(void **state)
{
    (void)state;
    enum { PIXELS = 35, CHANNELS = 19 };
    float *x = random_values(IMAGES * PIXELS * CHANNELS, 0, 0),
          *dx = memory(IMAGES * PIXELS * CHANNELS, 4);
    float *dy = random_values(IMAGES * CHANNELS, 1, 0), *y = memory(IMAGES * CHANNELS, 4);
    fmd_global_average(IMAGES, PIXELS, CHANNELS, x, y);
    fmd_global_average_gradient(IMAGES, PIXELS, CHANNELS, dy, dx);
    for (size_t o = 0; o < IMAGES * CHANNELS; o++) {
        const size_t first = o / CHANNELS * PIXELS * CHANNELS + o % CHANNELS;
        double sum = 0;
        for (size_t i = 0; i < PIXELS; i++) {
            sum += (double)x[first + i * CHANNELS];
            assert_true(dx[first + i * CHANNELS] == dy[o] / PIXELS);
        }
        assert_true(fabs((double)y[o] - sum / PIXELS) <= 1e-6);
    }
    free(x);
    free(dx);
    free(y);
    free(dy);
}

static void test_pool__equal_maxima_of_an_image_share_the_gradient(void **state)
{
    (void)state;
    const float x[] = {3, -1, 1, -2, 3, -1, 3, -5}, dy[] = {6, 1};
    const float expected[] = {2, 0.5f, 0, 0, 2, 0.5f, 2, 0};
    float y[2], dx[8];
    fmd_global_max(1, 4, 2, x, y);
    assert_true(y[0] == 3 && y[1] == -1);
    fmd_global_max_gradient(1, 4, 2, x, y, dy, dx);
    for (int i = 0; i < 8; i++)
        assert_true(dx[i] == expected[i]);
}

/* Whole vectors of channels and broken ones, the same bits from every instruction set. */
static void test_pool__windows_of_four_have_the_same_bits_on_any_cpu(void **state)
{
    (void)state;
    enum { WINDOWS = 3, MOST = 35, PLACES = 4, N = WINDOWS * PLACES * MOST };
    const fmd_conv_kernels *best = fmd_kernels_best()->conv, *plain = fmd_kernels_plain.conv;
    const fmd_conv_kernels *tables[] = {best, plain, plain};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        tables[1] = fmd_kernels_avx2.conv;
#endif
    float *x = random_values(N, 1, 3), *dy = random_values(N, 2, 0);
    x[7] = NAN;
    for (ptrdiff_t channels = 1; channels <= MOST; channels++) {
        float y[3][N] = {{0}}, dx[3][N] = {{0}}, sums[3][MOST] = {{0}};
        uint8_t places[3][N] = {{0}};
        for (size_t i = 0; i < 3; i++) {
            const ptrdiff_t row = WINDOWS * 2 * channels;
            tables[i]->largest_of_four(WINDOWS, channels, row, x, y[i], places[i]);
            tables[i]->to_four(WINDOWS, channels, row, dy, places[i], dx[i]);
            tables[i]->add_places(WINDOWS, channels, 2, 2, dy, places[i], sums[i]);
        }
        for (size_t i = 1; i < 3; i++) {
            assert_memory_equal(y[i], y[0], sizeof y[0]);
            assert_memory_equal(places[i], places[0], sizeof places[0]);
            assert_memory_equal(dx[i], dx[0], sizeof dx[0]);
            assert_memory_equal(sums[i], sums[0], sizeof sums[0]);
        }
    }
    free(x);
    free(dy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool__windows_of_four_have_the_same_bits_on_any_cpu),
        cmocka_unit_test(test_pool__a_maximum_takes_the_gradient),
        cmocka_unit_test(test_pool__of_equal_maxima_the_first_takes_the_gradient),
        cmocka_unit_test(test_pool__an_average_leaves_out_what_is_outside),
        cmocka_unit_test(test_pool__nan_is_the_largest),
        cmocka_unit_test(test_pool__an_image_has_one_average),
        cmocka_unit_test(test_pool__equal_maxima_of_an_image_share_the_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
