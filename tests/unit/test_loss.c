/* Properties of the loss without a reference value in Keras: ties, extremes, padding, exact sums. */
#include "support/fmd_test.h"

#include "nn/losses/loss.h"

#include <math.h>
#include <string.h>

enum { CLASSES = 4 };

static fmd_loss_sums loss_of_row(const float logits[CLASSES], uint8_t label, float *grads)
{
    fmd_loss_sums sums = {0};
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits, &(fmd_targets){.labels = &label}, 1, 1,
                     CLASSES, grads, &sums);
    return sums;
}

static double value(fmd_loss_sums s)
{
    return (double)s.loss * FMD_LOSS_UNIT;
}

static void test_loss__the_first_of_equal_scores_counts(void **state)
{
    (void)state;
    const float tie[CLASSES] = {1, 3, 3, 2}, flat[CLASSES] = {0};
    const int64_t expected[CLASSES] = {0, 1, 0, 0};
    for (uint8_t label = 0; label < CLASSES; label++) {
        assert_int_equal(loss_of_row(tie, label, NULL).correct, expected[label]);
        assert_int_equal(loss_of_row(flat, label, NULL).correct, label == 0);
        assert_true(fabs(value(loss_of_row(flat, label, NULL)) - log(CLASSES)) < 3e-7);
    }
}

static void test_loss__large_scores_neither_overflow_nor_are_clipped(void **state)
{
    (void)state;
    const float z[CLASSES] = {-5000, 5000, 4000, 0};
    const double expected[CLASSES] = {10000, 0, 1000, 5000};
    for (uint8_t label = 0; label < CLASSES; label++) {
        float grads[CLASSES];
        fmd_loss_sums s = loss_of_row(z, label, grads);
        assert_int_equal(s.failed, 0);
        assert_true(fabs(value(s) - expected[label]) < 1e-6 * (1 + expected[label]));
        for (uint8_t j = 0; j < CLASSES; j++)
            assert_true(grads[j] == (float)(j == 1) - (float)(j == label));
    }
}

/* Counted, and not added: one such row must not spoil the integer sum. */
static void test_loss__a_loss_that_is_not_finite_is_counted_as_failed(void **state)
{
    (void)state;
    const float bad[][CLASSES] = {{NAN, 0, 0, 0},      {0, NAN, 0, 0},   {0, 0, 0, NAN},
                                  {INFINITY, 0, 0, 0}, {0, 3e38f, 0, 0}, {-INFINITY, 0, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fmd_loss_sums s = loss_of_row(bad[i], 0, NULL);
        if (s.failed != 1 || s.loss != 0)
            fail_msg("row %zu: failed %d, loss %g", i, (int)s.failed, value(s));
        float grads[CLASSES];
        assert_int_equal(loss_of_row(bad[i], 0, grads).failed, 1);
    }
}

/* Row after row, all at once, with and without gradients, into another array or in place: the same
 * bits. Rows from n on are padding. */
static void test_loss__sums_are_exact_and_padding_is_zero(void **state)
{
    (void)state;
    enum { N = 5, ROWS = 8 };
    float logits[ROWS * CLASSES], in_place[ROWS * CLASSES], grads[ROWS * CLASSES];
    uint8_t labels[ROWS];
    for (size_t i = 0; i < ROWS * CLASSES; i++)
        logits[i] = in_place[i] = (float)((i * 37) % 23) / 5.0f - 2;
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = i < N ? (uint8_t)(i % CLASSES) : 255; /* a padding row's label is not read */
    for (size_t i = 0; i < ROWS * CLASSES; i++)
        grads[i] = NAN;
    fmd_loss_sums at_once = {.loss = 5, .correct = 6, .failed = 7}, apart = at_once;
    fmd_loss_sums without = at_once, same_array = at_once;
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits, &(fmd_targets){.labels = labels}, N, ROWS,
                     CLASSES, grads, &at_once);
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits, &(fmd_targets){.labels = labels}, N, ROWS,
                     CLASSES, NULL, &without);
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, in_place, &(fmd_targets){.labels = labels}, N, ROWS,
                     CLASSES, in_place, &same_array);
    for (size_t i = N; i-- > 0;)
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits + i * CLASSES,
                         &(fmd_targets){.labels = labels + i}, 1, 1, CLASSES, NULL, &apart);
    assert_memory_equal(&apart, &at_once, sizeof apart);
    assert_memory_equal(&without, &at_once, sizeof without);
    assert_memory_equal(&same_array, &at_once, sizeof same_array);
    assert_int_equal(at_once.failed, 7);
    assert_memory_equal(in_place, grads, sizeof grads);
    for (size_t i = 0; i < ROWS; i++) {
        double sum = 0;
        for (size_t j = 0; j < CLASSES; j++) {
            sum += (double)grads[i * CLASSES + j];
            assert_true(i < N ? grads[i * CLASSES + j] != 0 : grads[i * CLASSES + j] == 0);
        }
        assert_true(fabs(sum) < 3e-7);
    }
}

/* The sum of 2^20 such losses, the largest batch, does not fit into 64 bits: none of them counts. */
static void test_loss__a_sum_that_would_overflow_is_counted_as_failed(void **state)
{
    (void)state;
    enum { ROWS = 1 << 20 };
    const float large[CLASSES] = {-9000, 0, -9000, -9000},
                small[CLASSES] = {-8000, 0, -8000, -8000};
    const uint8_t label = 0;
    fmd_loss_sums sums = {.of = ROWS};
    for (int i = 0; i < ROWS; i++)
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, large, &(fmd_targets){.labels = &label}, 1, 1,
                         CLASSES, NULL, &sums);
    assert_int_equal(sums.failed, ROWS);
    assert_int_equal(sums.loss, 0);
    for (int i = 0; i < ROWS; i++)
        fmd_loss_samples(&(fmd_loss){.ops = NULL}, small, &(fmd_targets){.labels = &label}, 1, 1,
                         CLASSES, NULL, &sums);
    assert_int_equal(sums.failed, ROWS);
    assert_true(value(sums) == 8000.0 * ROWS);
}

static void test_loss__softmax_makes_probabilities_in_place_too(void **state)
{
    (void)state;
    const float z[2 * CLASSES] = {1, 2, 3, 4, 1000, -1000, 999, 0};
    float p[2 * CLASSES], in_place[2 * CLASSES];
    memcpy(in_place, z, sizeof z);
    fmd_softmax_rows(2, CLASSES, z, p);
    fmd_softmax_rows(2, CLASSES, in_place, in_place);
    assert_memory_equal(in_place, p, sizeof p);
    for (size_t i = 0; i < 2; i++) {
        double below = 0;
        for (size_t j = 0; j < CLASSES; j++)
            below += exp((double)z[i * CLASSES + j] - (i == 0 ? 4 : 1000));
        for (size_t j = 0; j < CLASSES; j++) {
            double expected = exp((double)z[i * CLASSES + j] - (i == 0 ? 4 : 1000)) / below;
            assert_true(fabs((double)p[i * CLASSES + j] - expected) < 2e-7);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss__the_first_of_equal_scores_counts),
        cmocka_unit_test(test_loss__large_scores_neither_overflow_nor_are_clipped),
        cmocka_unit_test(test_loss__a_loss_that_is_not_finite_is_counted_as_failed),
        cmocka_unit_test(test_loss__sums_are_exact_and_padding_is_zero),
        cmocka_unit_test(test_loss__a_sum_that_would_overflow_is_counted_as_failed),
        cmocka_unit_test(test_loss__softmax_makes_probabilities_in_place_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
