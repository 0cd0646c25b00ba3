/* Loops over channels: the bits of one value after the other, for any number of channels. */
#include "support/fmd_test.h"

#include "math/channels.h"

#include <string.h>

enum { ROWS = 7, MOST = 80, VALUES = ROWS * MOST };

static const size_t counts[] = {1, 3, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 71};

static float x[VALUES], added[VALUES], mean[MOST], rest[MOST], inverse[MOST], factor[MOST],
    shift[MOST];
static const fmd_channel_statistics statistics = {mean, rest, inverse};
static uint32_t seed = 1;

static void draw(size_t n, float *to)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = (float)(seed >> 8) * 0x1p-23f - 1;
    }
}

static int draw_all(void **state)
{
    (void)state;
    draw(VALUES, x);
    draw(VALUES, added);
    float *const of_channels[] = {mean, rest, inverse, factor, shift};
    for (size_t i = 0; i < sizeof of_channels / sizeof *of_channels; i++)
        draw(MOST, of_channels[i]);
    return 0;
}

static void test_channels__sums_go_from_row_to_row(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        const size_t c = counts[k];
        double sum[MOST] = {1}, squares[MOST] = {2}, one[MOST] = {1}, other[MOST] = {2};
        for (size_t i = 0; i < ROWS * c; i++) {
            one[i % c] += (double)x[i];
            other[i % c] += (double)x[i] * (double)x[i];
        }
        fmd_channel_sums(3, c, x, sum, squares); /* in parts */
        fmd_channel_sums(ROWS - 3, c, x + 3 * c, sum, squares);
        assert_memory_equal(sum, one, sizeof sum);
        assert_memory_equal(squares, other, sizeof squares);
    }
}

static void test_channels__normalisation_adds_and_keeps_positive_values(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (int form = 0; form < 4; form++) {
            const size_t c = counts[k];
            const bool adds = form % 2 == 1, relu = form > 1;
            float y[VALUES] = {0}, expected[VALUES] = {0};
            for (size_t i = 0; i < ROWS * c; i++) {
                const size_t j = i % c;
                expected[i] = (x[i] - mean[j] - rest[j]) * factor[j] + shift[j];
                if (adds)
                    expected[i] += added[i];
                if (relu && !(expected[i] > 0))
                    expected[i] = 0;
            }
            fmd_channel_normalize(ROWS, c, x, statistics, factor, shift, adds ? added : NULL, relu,
                                  y);
            assert_memory_equal(y, expected, sizeof y);
        }
}

static void test_channels__gradients_pass_relu_before_they_are_summed(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (int form = 0; form < 4; form++) {
            const size_t c = counts[k];
            const bool copies = form % 2 == 1, relu = form > 1;
            float dy[VALUES], through[VALUES], copy[VALUES] = {0}, none[VALUES] = {0};
            double beta[MOST] = {1}, gamma[MOST] = {2}, one[MOST] = {1}, other[MOST] = {2};
            draw(VALUES, dy);
            memcpy(through, dy, sizeof dy);
            for (size_t i = 0; i < ROWS * c; i++) {
                const size_t j = i % c;
                const float xhat = (x[i] - mean[j] - rest[j]) * inverse[j];
                through[i] = relu && !(added[i] > 0) ? 0 : dy[i];
                one[j] += (double)through[i];
                other[j] += (double)through[i] * (double)xhat;
            }
            fmd_channel_gradient_sums(ROWS, c, x, statistics, relu ? added : NULL, dy,
                                      copies ? copy : NULL, beta, gamma);
            assert_memory_equal(dy, through, sizeof dy);
            assert_memory_equal(copy, copies ? through : none, ROWS * c * sizeof *copy);
            assert_memory_equal(beta, one, sizeof beta);
            assert_memory_equal(gamma, other, sizeof gamma);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels__sums_go_from_row_to_row),
        cmocka_unit_test(test_channels__normalisation_adds_and_keeps_positive_values),
        cmocka_unit_test(test_channels__gradients_pass_relu_before_they_are_summed),
    };
    return cmocka_run_group_tests(tests, draw_all, NULL);
}
