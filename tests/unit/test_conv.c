/* Convolutions: right for every geometry, each value the chain of terms that conv.h promises,
 * and so the same bits from every instruction set and whatever other images there are. */
#include "support/conv_layer.h"
#include "support/fmd_test.h"

#include <math.h>
#include <string.h>

/* Whole tiles and broken ones, images smaller than the kernel, few channels and many, not a
 * vector's multiple of them, every edge that a tap can have. */
static const conv_geometry geometries[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},      {7, 7, 1, 4, 3, 3, 1, 1, 1, 1, 1},
    {28, 28, 1, 32, 3, 3, 1, 1, 1, 1, 1},   {9, 30, 16, 16, 3, 3, 1, 1, 1, 1, 1},
    {14, 14, 8, 33, 3, 3, 1, 1, 1, 1, 1},   {7, 7, 32, 20, 3, 3, 1, 1, 1, 1, 1},
    {8, 6, 3, 5, 3, 3, 2, 2, 1, 1, 1},      {8, 17, 3, 17, 5, 5, 1, 1, 1, 1, 1},
    {9, 16, 12, 33, 5, 5, 2, 2, 1, 1, 1},   {7, 7, 17, 9, 1, 1, 1, 1, 1, 1, 1},
    {8, 7, 16, 40, 1, 1, 2, 2, 1, 1, 1},    {8, 6, 2, 3, 4, 4, 1, 1, 1, 1, 1},
    {8, 6, 4, 6, 2, 2, 3, 3, 1, 1, 1},      {7, 7, 2, 3, 2, 3, 1, 2, 1, 1, 1},
    {7, 9, 3, 4, 3, 1, 2, 1, 1, 1, 1},      {8, 20, 3, 4, 3, 5, 3, 2, 1, 1, 1},
    {3, 2, 2, 18, 5, 5, 1, 1, 1, 1, 1},     {3, 3, 9, 2, 7, 7, 2, 2, 1, 1, 1},
    {20, 20, 2, 3, 7, 7, 1, 1, 1, 1, 1},    {10, 31, 8, 16, 7, 7, 2, 2, 1, 1, 1},
    {9, 8, 3, 4, 3, 3, 1, 1, 2, 2, 1},      {16, 16, 16, 8, 3, 3, 1, 1, 3, 3, 1},
    {9, 8, 2, 4, 3, 3, 1, 1, 2, 1, 1},      {9, 11, 8, 5, 3, 3, 2, 3, 2, 2, 1},
    {7, 7, 4, 6, 3, 3, 1, 1, 1, 1, 2},      {8, 8, 6, 9, 3, 3, 2, 2, 1, 1, 3},
    {8, 8, 36, 68, 3, 3, 1, 1, 1, 1, 2},    {7, 7, 6, 6, 3, 3, 1, 1, 1, 1, 6},
    {16, 16, 33, 33, 3, 3, 1, 1, 1, 1, 33}, {8, 8, 5, 10, 3, 3, 2, 2, 1, 1, 5},
    {9, 9, 6, 18, 3, 3, 1, 1, 2, 2, 6},     {5, 30, 18, 36, 5, 5, 1, 1, 1, 1, 18},
    {3, 3, 2, 2, 1, 1, 4, 4, 1, 1, 1},      {32, 32, 3, 16, 3, 3, 1, 1, 1, 1, 1},
    {6, 7, 19, 70, 3, 3, 1, 1, 1, 1, 1},    {13, 8, 32, 5, 3, 3, 2, 3, 1, 1, 1},
    {9, 9, 17, 16, 3, 3, 1, 1, 2, 2, 1},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

/* A chain of fused multiply-adds beside the same sum in double. */
typedef struct chain {
    float sum;
    double exact, magnitude;
} chain;

static void add(chain *s, float x, float y)
{
    s->sum = fmaf(x, y, s->sum);
    s->exact += (double)x * (double)y;
    s->magnitude += fabs((double)x * (double)y);
}

/* The value is this chain, and near to the exact sum. */
static void assert_chain(float value, const chain *s)
{
    assert_memory_equal(&value, &s->sum, sizeof value);
    assert_true(fabs((double)value - s->exact) <= (s->magnitude + 1) * 0x1p-21);
}

/* Where tap (ky, kx) of output pixel (y, x) is; false outside of the image. */
static bool pixel_of(const fmd_conv *c, int y, int x, int ky, int kx, int *row, int *column)
{
    *row = y * c->stride_h - c->pad_top + ky * c->dilation_h;
    *column = x * c->stride_w - c->pad_left + kx * c->dilation_w;
    return *row >= 0 && *row < c->in_h && *column >= 0 && *column < c->in_w;
}

static size_t in_at(const fmd_conv *c, int image, int y, int x, int i)
{
    return (size_t)(((image * c->in_h + y) * c->in_w + x) * c->in_c + i);
}

static size_t out_at(const fmd_conv *c, int image, int y, int x, int o)
{
    return (size_t)(((image * c->out_h + y) * c->out_w + x) * c->out_c + o);
}

static size_t kernel_at(const fmd_conv *c, int ky, int kx, int i, int o)
{
    return (size_t)(((ky * c->kernel_w + kx) * (c->in_c / c->groups) + i) * c->out_c + o);
}

/* Whether a chain goes over `channels` before columns; `results`: channels of the result, both in a
 * group. */
static bool columns_come_last(const fmd_conv *c, int channels, int results)
{
    return c->kernel_w == 3 && c->stride_w == 1 && c->dilation_w == 1 &&
           (results <= 16 || channels <= 4) && (c->groups == 1 || c->groups < c->in_c);
}

/* The chain of one output. */
static chain output_chain(const conv_layer *l, int image, int y, int x, int o)
{
    const fmd_conv *c = &l->c;
    const int terms = c->in_c / c->groups, first = o / (c->out_c / c->groups) * terms;
    const bool last = columns_come_last(c, terms, c->out_c / c->groups);
    chain s = {l->bias[o], (double)l->bias[o], 0};
    int row, column;
    for (int ky = 0; ky < c->kernel_h; ky++)
        for (int j = 0; j < c->kernel_w * terms; j++) {
            const int kx = last ? j % c->kernel_w : j / terms,
                      i = last ? j / c->kernel_w : j % terms;
            if (pixel_of(c, y, x, ky, kx, &row, &column))
                add(&s, l->x[in_at(c, image, row, column, first + i)],
                    l->kernel[kernel_at(c, ky, kx, i, o)]);
        }
    return s;
}

static void assert_outputs(const conv_layer *l)
{
    const fmd_conv *c = &l->c;
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < c->out_h; y++)
            for (int x = 0; x < c->out_w; x++)
                for (int o = 0; o < c->out_c; o++) {
                    const chain s = output_chain(l, image, y, x, o);
                    assert_chain(l->y[out_at(c, image, y, x, o)], &s);
                }
}

/* Which tap of a window that begins at `first` is `at`; -1: none. */
static int tap_at(int at, int first, int taps, int dilation)
{
    const int offset = at - first;
    return offset >= 0 && offset % dilation == 0 && offset / dilation < taps ? offset / dilation
                                                                             : -1;
}

/* Adds the terms that output channels `from` to `to` have in channel i of one pixel of dx. */
static void add_outputs(const conv_layer *l, int image, int row, int column, int i, int from,
                        int to, chain *s)
{
    const fmd_conv *c = &l->c;
    const int outputs = to - from;
    const bool last = columns_come_last(c, outputs, c->in_c / c->groups);
    for (int y = 0; y < c->out_h; y++) {
        const int ky = tap_at(row, y * c->stride_h - c->pad_top, c->kernel_h, c->dilation_h);
        for (int j = 0; j < c->out_w * outputs && ky >= 0; j++) {
            const int x = last ? j % c->out_w : j / outputs;
            const int o = from + (last ? j / c->out_w : j % outputs);
            const int kx =
                tap_at(column, x * c->stride_w - c->pad_left, c->kernel_w, c->dilation_w);
            if (kx >= 0)
                add(s, l->dy[out_at(c, image, y, x, o)],
                    l->kernel[kernel_at(c, ky, kx, i % (c->in_c / c->groups), o)]);
        }
    }
}

static void assert_input_gradient(const conv_layer *l)
{
    const fmd_conv *c = &l->c;
    const int outputs = c->out_c / c->groups;
    const bool depthwise = c->groups == c->in_c && c->groups > 1;
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < c->in_h; y++)
            for (int x = 0; x < c->in_w; x++)
                for (int i = 0; i < c->in_c; i++) {
                    const int first = i / (c->in_c / c->groups) * outputs;
                    chain s = {0};
                    for (int o = 0; o < outputs; o += depthwise ? 1 : outputs)
                        add_outputs(l, image, y, x, i, first + o,
                                    first + (depthwise ? o + 1 : outputs), &s);
                    assert_chain(l->dx[in_at(c, image, y, x, i)], &s);
                }
}

static chain weight_chain(const conv_layer *l, int ky, int kx, int i, int o)
{
    const fmd_conv *c = &l->c;
    const int terms = c->in_c / c->groups, first = o / (c->out_c / c->groups) * terms;
    chain s = {0};
    int row, column;
    for (int image = 0; image < CONV_IMAGES; image++)
        for (int y = 0; y < c->out_h; y++)
            for (int x = 0; x < c->out_w; x++)
                if (pixel_of(c, y, x, ky, kx, &row, &column))
                    add(&s, l->x[in_at(c, image, row, column, first + i)],
                        l->dy[out_at(c, image, y, x, o)]);
    return s;
}

static void assert_weight_gradient(const conv_layer *l)
{
    const fmd_conv *c = &l->c;
    for (int ky = 0; ky < c->kernel_h; ky++)
        for (int kx = 0; kx < c->kernel_w; kx++)
            for (int i = 0; i < c->in_c / c->groups; i++)
                for (int o = 0; o < c->out_c; o++) {
                    const chain s = weight_chain(l, ky, kx, i, o);
                    assert_chain(l->dkernel[kernel_at(c, ky, kx, i, o)], &s);
                }
}

typedef void assertion(const conv_layer *l);

/* Of every padding and instruction set. One value of dy in `every` is not zero. */
static void for_each_layer_of(size_t n_geometries, const conv_geometry *g, unsigned every,
                              assertion *holds)
{
    const fmd_kernels *tables[CONV_TABLES];
    const size_t n = conv_layer_kernels(tables);
    for (size_t i = 0; i < 2 * n_geometries; i++) {
        conv_layer l =
            conv_layer_create(g + i / 2, i % 2 == 0 ? FMD_PADDING_VALID : FMD_PADDING_SAME);
        conv_layer_strew_zeros(&l, every);
        for (size_t t = 0; t < n && l.c.out_h > 0 && l.c.out_w > 0; t++) {
            l.c.kernels = tables[t]->conv;
            conv_layer_compute(&l, CONV_IMAGES, l.bias, false);
            holds(&l);
        }
        conv_layer_free(&l);
    }
}

static void for_each_layer(unsigned every, assertion *holds)
{
    for_each_layer_of(GEOMETRIES, geometries, every, holds);
}

static void test_conv__an_output_is_the_chain_of_its_window(void **state)
{
    (void)state;
    for_each_layer(1, assert_outputs);
}

static void test_conv__an_inputs_gradient_is_the_chain_of_its_outputs(void **state)
{
    (void)state;
    for_each_layer(1, assert_input_gradient);
}

static void test_conv__a_weights_gradient_is_the_chain_of_all_pixels(void **state)
{
    (void)state;
    for_each_layer(1, assert_weight_gradient);
}

static void test_conv__zeros_of_dy_change_no_bit_of_the_inputs_gradient(void **state)
{
    (void)state;
    for_each_layer(5, assert_input_gradient);
}

static void test_conv__zeros_of_dy_change_no_bit_of_the_weights_gradient(void **state)
{
    (void)state;
    for_each_layer(5, assert_weight_gradient);
}

/* Where most values are not zero, these layers have Winograd's form (test_winograd). */
static void test_conv__gradients_of_few_values_are_chains_in_layers_of_winograds_form(void **state)
{
    (void)state;
    static const conv_geometry many_channels[] = {{8, 7, 32, 48, 3, 3, 1, 1, 1, 1, 1},
                                                  {7, 9, 48, 32, 3, 3, 1, 1, 1, 1, 1}};
    for_each_layer_of(2, many_channels, 5, assert_input_gradient);
    for_each_layer_of(2, many_channels, 5, assert_weight_gradient);
}

/* The results of each image by itself, and of the first two, are those of all three. */
static void test_conv__an_image_does_not_depend_on_the_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < GEOMETRIES; i++) {
        conv_layer all = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer one = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer_strew_zeros(&all, i % 2 == 0 ? 1 : 4);
        memcpy(one.dy, all.dy, all.n_y * sizeof(float));
        conv_layer_compute(&all, CONV_IMAGES, all.bias, true);
        conv_layer_compute(&one, 1, one.bias, true);
        assert_memory_equal(one.y, all.y, one.n_y / CONV_IMAGES * sizeof(float));
        assert_memory_equal(one.dx, all.dx, one.n_x / CONV_IMAGES * sizeof(float));
        conv_layer_compute(&one, 2, one.bias, true);
        assert_memory_equal(one.y, all.y, one.n_y / CONV_IMAGES * 2 * sizeof(float));
        assert_memory_equal(one.dx, all.dx, one.n_x / CONV_IMAGES * 2 * sizeof(float));
        conv_layer_free(&all);
        conv_layer_free(&one);
    }
}

/* With and without bias and relu. */
static void test_conv__relu_and_bias_are_as_if_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < GEOMETRIES; i++) {
        conv_layer plain = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer relu = conv_layer_create(geometries + i, FMD_PADDING_SAME);
        conv_layer_compute(&plain, CONV_IMAGES, plain.bias, false);
        conv_layer_compute(&relu, CONV_IMAGES, relu.bias, true);
        for (size_t j = 0; j < plain.n_y; j++)
            assert_true(relu.y[j] == (plain.y[j] < 0 ? 0 : plain.y[j]));
        memset(plain.bias, 0, (size_t)plain.c.out_c * sizeof(float));
        conv_layer_compute(&plain, CONV_IMAGES, plain.bias, false);
        conv_layer_compute(&relu, CONV_IMAGES, NULL, false);
        assert_memory_equal(plain.y, relu.y, plain.n_y * sizeof(float));
        conv_layer_free(&plain);
        conv_layer_free(&relu);
    }
}

/* Sizes and padding that Keras has. */
static void test_conv__padding_is_that_of_keras(void **state)
{
    (void)state;
    int before;
    assert_int_equal(fmd_window_fit(7, 3, 1, 1, FMD_PADDING_VALID, &before), 5);
    assert_int_equal(before, 0);
    assert_int_equal(fmd_window_fit(2, 3, 1, 1, FMD_PADDING_VALID, &before), 0);
    assert_int_equal(fmd_window_fit(7, 3, 1, 2, FMD_PADDING_VALID, &before), 3);
    assert_int_equal(fmd_window_fit(8, 3, 2, 1, FMD_PADDING_SAME, &before), 4);
    assert_int_equal(before, 0);
    assert_int_equal(fmd_window_fit(7, 3, 2, 1, FMD_PADDING_SAME, &before), 4);
    assert_int_equal(before, 1);
    assert_int_equal(fmd_window_fit(6, 4, 1, 1, FMD_PADDING_SAME, &before), 6);
    assert_int_equal(before, 1);
    assert_int_equal(fmd_window_fit(7, 1, 3, 1, FMD_PADDING_SAME, &before), 3);
    assert_int_equal(before, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv__an_output_is_the_chain_of_its_window),
        cmocka_unit_test(test_conv__an_inputs_gradient_is_the_chain_of_its_outputs),
        cmocka_unit_test(test_conv__a_weights_gradient_is_the_chain_of_all_pixels),
        cmocka_unit_test(test_conv__zeros_of_dy_change_no_bit_of_the_inputs_gradient),
        cmocka_unit_test(test_conv__zeros_of_dy_change_no_bit_of_the_weights_gradient),
        cmocka_unit_test(test_conv__gradients_of_few_values_are_chains_in_layers_of_winograds_form),
        cmocka_unit_test(test_conv__an_image_does_not_depend_on_the_others),
        cmocka_unit_test(test_conv__relu_and_bias_are_as_if_apart),
        cmocka_unit_test(test_conv__padding_is_that_of_keras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
