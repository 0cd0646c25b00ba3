/* Products of bf16 values: the same bits from all instruction sets, from tiles, and from the plain
 * arithmetic that math/bf16/bf16.h describes. */
#include "support/fmd_test.h"

#include "base/rng.h"
#include "math/bf16/bf16.h"
#include "math/bf16/im2col.h"
#include "math/gemm.h"
#include "math/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tiles, emulated. */
static union {
    float sums[16][16];
    uint16_t terms[16][32];
} tiles[8];

static void load_tile(int t, const void *from, size_t stride)
{
    for (size_t r = 0; r < 16; r++)
        memcpy(tiles[t].terms[r], (const char *)from + r * stride, 64);
}

static void store_tile(int t, void *to, size_t stride)
{
    for (size_t r = 0; r < 16; r++)
        memcpy((char *)to + r * stride, tiles[t].terms[r], 64);
}

static float value_of(uint16_t bf16)
{
    const uint32_t bits = (uint32_t)bf16 << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void multiply_tiles(int c, int a, int b)
{
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 16; j++) {
            float even = 0, odd = 0;
            for (size_t p = 0; p < 16; p++) {
                even = fmaf(value_of(tiles[a].terms[i][2 * p]), value_of(tiles[b].terms[p][2 * j]),
                            even);
                odd = fmaf(value_of(tiles[a].terms[i][2 * p + 1]),
                           value_of(tiles[b].terms[p][2 * j + 1]), odd);
            }
            tiles[c].sums[i][j] += even + odd;
        }
}

#define TILE_LOAD(t, from, stride) load_tile(t, from, stride)
#define TILE_STORE(t, to, stride)  store_tile(t, to, stride)
#define TILE_MULTIPLY(c, a, b)     multiply_tiles(c, a, b)

#include "math/bf16/amx_body.h"

/* Rounds by arithmetic on the value instead of its bits: x in units of its last bf16 place. */
static float rounded(float x)
{
    int exponent;
    if (x == 0 || isnan(x) || isinf(x))
        return x;
    (void)frexpf(x, &exponent);
    return (float)ldexp(rint(ldexp((double)x, 8 - exponent)), exponent - 8);
}

/* An element over n terms. The second opinion, in double, is exact for the values of these tests: a
 * product has 16 bits, and terms differ by less than 2^12. */
static float element(size_t n, const float *a, size_t a_step, const float *b, size_t b_step,
                     float sum)
{
    for (size_t first = 0; first < n; first += 32) {
        float chain[2] = {0, 0}, again[2] = {0, 0};
        for (size_t p = first; p < n && p < first + 32; p++) {
            const float x = rounded(a[p * a_step]), y = rounded(b[p * b_step]);
            chain[p % 2] = fmaf(x, y, chain[p % 2]);
            again[p % 2] = (float)((double)again[p % 2] + (double)x * (double)y);
        }
        assert_memory_equal(chain, again, sizeof chain);
        sum += chain[0] + chain[1];
    }
    return sum;
}

static float *random_values(size_t n, uint32_t stream)
{
    const fmd_rng rng = {.seed = 7, .purpose = FMD_RNG_INIT, .stream = stream};
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        fmd_rng_block(&rng, i, r);
        x[i] = r[1] % 7 == 0 ? 0 : ldexpf(2 * fmd_rng_unit(r[0]) - 1, (int)(r[2] % 3) - 1);
    }
    return x;
}

/* The kernels that this machine can run, and the emulated tiles. */
static size_t usable(fmd_bf16_kernel *kernels[5])
{
    size_t n = 0;
    kernels[n++] = fmd_kernels_plain.bf16;
    kernels[n++] = multiply;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        kernels[n++] = fmd_kernels_avx2.bf16;
    if (__builtin_cpu_supports("avx512f"))
        kernels[n++] = fmd_kernels_avx512.bf16;
#endif
    if (fmd_bf16_amx() != NULL)
        kernels[n++] = fmd_bf16_amx();
    return n;
}

typedef struct steps {
    size_t a_row, a_term, b_column, b_term;
} steps;

static steps steps_of(const fmd_bf16_product *p)
{
    return (steps){p->a_transposed ? 1 : p->lda, p->a_transposed ? p->lda : 1,
                   p->b_transposed ? p->ldb : 1, p->b_transposed ? 1 : p->ldb};
}

static void assert_floats(fmd_bf16_kernel *kernel, fmd_bf16_product p, const float *begin)
{
    const size_t values = p.m * p.ldc;
    const steps s = steps_of(&p);
    float *c = calloc(values, sizeof *c);
    memcpy(c, begin, values * sizeof *c);
    p.c = c;
    kernel(&p);
    for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.ldc; j++) {
            const float *first = begin + i * p.ldc + j;
            const float initial = p.adds ? *first : p.bias != NULL && j < p.n ? p.bias[j] : 0;
            const float expected = j < p.n ? element(p.k, p.a + i * s.a_row, s.a_term,
                                                     p.b + j * s.b_column, s.b_term, initial)
                                           : *first;
            assert_memory_equal(c + i * p.ldc + j, &expected, sizeof expected);
        }
    free(c);
}

static void assert_fixed(fmd_bf16_kernel *kernel, fmd_bf16_product p)
{
    const steps s = steps_of(&p);
    uint32_t *at = calloc(2 * p.m * p.n, sizeof *at);
    fmd_fixed expected = {.at = at, .inverse = 4096};
    fmd_fixed fixed = {.at = at + p.m * p.n, .inverse = 4096};
    for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.n; j++)
            for (size_t first = 0; first < p.k; first += p.part) {
                const float x = element(p.part, p.a + i * s.a_row + first * s.a_term, s.a_term,
                                        p.b + j * s.b_column + first * s.b_term, s.b_term, 0);
                fmd_fixed_add(&expected, i * p.n + j, 1, &x);
            }
    p.fixed = &fixed;
    kernel(&p);
    assert_memory_equal(expected.at, fixed.at, p.m * p.n * sizeof *at);
    assert_int_equal(expected.largest, fixed.largest);
    free(at);
}

/* Rows, columns, terms, terms of a part. */
static const size_t shapes[][4] = {{1, 1, 1, 1},     {3, 17, 31, 31},   {8, 32, 32, 4},
                                   {13, 40, 66, 33}, {37, 70, 96, 32},  {300, 33, 40, 20},
                                   {5, 160, 70, 10}, {40, 30, 600, 200}};

static void each_form(fmd_bf16_kernel *kernel, const size_t *shape)
{
    const size_t m = shape[0], n = shape[1], k = shape[2];
    float *a = random_values((m + 3) * (k + 3), 0), *b = random_values((n + 3) * (k + 3), 1);
    float *bias = random_values(n, 2), *begin = random_values(m * (n + 5), 3);
    for (int form = 0; form < 3; form++) {
        fmd_bf16_product p = {.a_transposed = form == 1,
                              .b_transposed = form == 2,
                              .m = m,
                              .n = n,
                              .k = k,
                              .part = k,
                              .a = a,
                              .b = b,
                              .lda = form == 1 ? m + 3 : k + 3,
                              .ldb = form == 2 ? k + 3 : n + 3,
                              .ldc = n + 5};
        assert_floats(kernel, p, begin);
        p.adds = true;
        assert_floats(kernel, p, begin);
        p.adds = false;
        p.bias = bias;
        assert_floats(kernel, p, begin);
        p.bias = NULL;
        p.part = shape[3];
        p.k = k / p.part * p.part;
        assert_fixed(kernel, p);
    }
    free(a);
    free(b);
    free(bias);
    free(begin);
}

static void test_bf16__all_instruction_sets_and_tiles_follow_the_plain_arithmetic(void **state)
{
    (void)state;
    fmd_bf16_kernel *kernels[5];
    const size_t n = usable(kernels);
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            each_form(kernels[i], shapes[s]);
}

static void test_bf16__amx_follows_the_plain_arithmetic(void **state)
{
    (void)state;
    fmd_bf16_kernel *amx = fmd_bf16_amx();
    if (amx == NULL)
        skip();
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        each_form(amx, shapes[s]);
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x times one. */
static uint32_t bits_of_product(fmd_bf16_kernel *kernel, float x, float y)
{
    float c = 0;
    uint32_t bits;
    kernel(&(fmd_bf16_product){.m = 1,
                               .n = 1,
                               .k = 1,
                               .part = 1,
                               .a = &x,
                               .b = &y,
                               .lda = 1,
                               .ldb = 1,
                               .c = &c,
                               .ldc = 1});
    memcpy(&bits, &c, sizeof bits);
    return bits;
}

static void test_bf16__values_are_rounded_to_nearest_even_and_tiny_ones_are_zero(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {
        {0x3f800000, 0x3f800000}, {0x3f807fff, 0x3f800000}, {0x3f808000, 0x3f800000},
        {0x3f808001, 0x3f810000}, {0x3f818000, 0x3f820000}, {0xbf818000, 0xbf820000},
        {0x7f7fffff, 0x7f800000}, {0x7f800000, 0x7f800000}, {0x00800000, 0x00800000},
        {0x00400000, 0x00000000}, {0x00000001, 0x00000000}};
    fmd_bf16_kernel *kernels[5];
    const size_t n = usable(kernels);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++)
            assert_int_equal(bits_of_product(kernels[i], of_bits(cases[j][0]), 1), cases[j][1]);
        assert_int_equal(bits_of_product(kernels[i], 0x1p-100f, 0x1p-30f), 0); /* subnormal */
        assert_true(isnan(of_bits(bits_of_product(kernels[i], of_bits(0x7f800001), 1))));
    }
}

static void test_bf16__long_microbatches_are_rounded_once(void **state)
{
    (void)state;
    enum { M = 9, N = 20, PART = 300, K = 2 * PART };
    float *a = random_values(K * M, 4), *b = random_values(K * N, 5);
    fmd_bf16_choose(FMD_BF16);
    assert_fixed(fmd_bf16_multiply, (fmd_bf16_product){.a_transposed = true,
                                                       .m = M,
                                                       .n = N,
                                                       .k = K,
                                                       .part = PART,
                                                       .a = a,
                                                       .lda = M,
                                                       .b = b,
                                                       .ldb = N});
    fmd_bf16_choose(FMD_FLOAT32);
    free(a);
    free(b);
}

/* The value that tap (ky, kx) of output pixel (y, x) sees in channel `channel` of its group. */
static float *tap(const fmd_conv *c, float *image, int y, int x, int ky, int kx, int channel,
                  int group)
{
    const int iy = y * c->stride_h + ky * c->dilation_h - c->pad_top;
    const int ix = x * c->stride_w + kx * c->dilation_w - c->pad_left;
    const bool inside = iy >= 0 && iy < c->in_h && ix >= 0 && ix < c->in_w;
    return inside ? image + (iy * c->in_w + ix) * c->in_c + group * (c->in_c / c->groups) + channel
                  : NULL;
}

enum { IMAGES = 3 };

/* By definition, one element after the other, over rows that are made anew for each. */
static void assert_convolution(fmd_conv c, fmd_padding padding)
{
    fmd_conv_plan(&c, padding);
    const int in_c = c.in_c / c.groups, out_c = c.out_c / c.groups;
    const int taps = c.kernel_h * c.kernel_w * in_c, pixels = IMAGES * c.out_h * c.out_w;
    const size_t x_n = (size_t)(IMAGES * c.in_h * c.in_w * c.in_c), w_n = (size_t)(taps * c.out_c),
                 y_n = (size_t)(pixels * c.out_c);
    float *x = random_values(x_n, 6), *w = random_values(w_n, 7), *bias = random_values(64, 8),
          *dy = random_values(y_n, 9), *y = random_values(y_n, 10), *dx = random_values(x_n, 11),
          *dw = random_values(w_n, 12), *expected_dx = calloc(x_n, sizeof(float)),
          *rows = calloc((size_t)(pixels * taps), sizeof(float)),
          *scratch = calloc(fmd_bf16_conv_scratch_floats(&c) + 1, sizeof(float));
    fmd_bf16_conv_forward(&c, IMAGES, x, w, bias, true, scratch, y);
    fmd_bf16_conv_weight_gradient(&c, IMAGES, x, dy, scratch, dw);
    fmd_bf16_conv_input_gradient(&c, IMAGES, dy, w, scratch, dx);
    for (int g = 0; g < c.groups; g++) {
        for (int p = 0; p < pixels; p++) {
            float *row = rows + p * taps;
            const int image = p / (c.out_h * c.out_w), at = p % (c.out_h * c.out_w);
            const ptrdiff_t origin = (ptrdiff_t)image * c.in_h * c.in_w * c.in_c;
            for (int t = 0; t < taps; t++) {
                const int ky = t / in_c / c.kernel_w, kx = t / in_c % c.kernel_w;
                float *from = tap(&c, x + origin, at / c.out_w, at % c.out_w, ky, kx, t % in_c, g);
                row[t] = from != NULL ? *from : 0;
                if (from != NULL)
                    expected_dx[from - x] += element((size_t)out_c, dy + p * c.out_c + g * out_c, 1,
                                                     w + t * c.out_c + g * out_c, 1, 0);
            }
            for (int o = g * out_c; o < (g + 1) * out_c; o++) {
                const float sum = element((size_t)taps, row, 1, w + o, (size_t)c.out_c, bias[o]);
                assert_true(y[p * c.out_c + o] == (sum < 0 ? 0 : sum));
            }
        }
        for (int t = 0; t < taps; t++)
            for (int o = g * out_c; o < (g + 1) * out_c; o++)
                assert_true(dw[t * c.out_c + o] == element((size_t)pixels, rows + t, (size_t)taps,
                                                           dy + o, (size_t)c.out_c, 0));
    }
    for (size_t i = 0; i < x_n; i++)
        assert_true(dx[i] == expected_dx[i]);
    float *const all[] = {x, w, bias, dy, y, dx, dw, expected_dx, rows, scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_bf16__convolutions_are_products(void **state)
{
    (void)state;
    const fmd_conv three = {9, 8, 5, 0, 0, 7, 3, 3, 1, 1, 1, 1, 0, 0, 1, NULL};
    fmd_conv strided = three, grouped = three, point = three, wide = three;
    strided.stride_h = strided.stride_w = 2;
    grouped.in_c = grouped.out_c = 6;
    grouped.groups = 2;
    grouped.dilation_w = 2;
    point.kernel_h = point.kernel_w = 1;
    wide.in_h = wide.in_w = 30;
    wide.in_c = 3;
    fmd_bf16_choose(FMD_BF16);
    assert_convolution(three, FMD_PADDING_SAME);
    assert_convolution(strided, FMD_PADDING_SAME);
    assert_convolution(grouped, FMD_PADDING_VALID);
    assert_convolution(point, FMD_PADDING_VALID);
    assert_convolution(wide, FMD_PADDING_SAME); /* more than one block of pixels */
    fmd_bf16_choose(FMD_FLOAT32);
}

/* The control. */
static void test_bf16__floats_give_other_bits(void **state)
{
    (void)state;
    enum { M = 4, N = 8, K = 50 };
    float *a = random_values(M * K, 13), *b = random_values(K * N, 14), one[M * N], other[M * N];
    fmd_bf16_choose(FMD_BF16);
    fmd_gemm(1, M, N, K, a, b, NULL, one);
    fmd_bf16_choose(FMD_FLOAT32);
    fmd_gemm(1, M, N, K, a, b, NULL, other);
    assert_memory_not_equal(one, other, sizeof one);
    for (int i = 0; i < M * N; i++)
        assert_true(fabsf(one[i] - other[i]) < 0.1f);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16__all_instruction_sets_and_tiles_follow_the_plain_arithmetic),
        cmocka_unit_test(test_bf16__amx_follows_the_plain_arithmetic),
        cmocka_unit_test(test_bf16__values_are_rounded_to_nearest_even_and_tiny_ones_are_zero),
        cmocka_unit_test(test_bf16__long_microbatches_are_rounded_once),
        cmocka_unit_test(test_bf16__convolutions_are_products),
        cmocka_unit_test(test_bf16__floats_give_other_bits),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK) /* subnormal results are zero */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
