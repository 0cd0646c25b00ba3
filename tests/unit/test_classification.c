/* Scores of a small set of predictions, counted by hand; sorting; the interval's published values. */
#include "support/fmd_test.h"

#include "train/evaluation/classification.h"

#include <math.h>

enum { N = 10, CLASSES = 4 };

/* Class 3 is neither a label nor predicted; class 2 is predicted once, wrongly. */
static uint8_t labels[N] = {0, 0, 0, 0, 1, 1, 1, 0, 1, 1};
static uint8_t predicted[N] = {0, 0, 0, 1, 1, 1, 2, 0, 0, 1};
static float probabilities[N * CLASSES] = {
    0.7F,  0.2F, 0.1F, 0,     /* right */
    0.4F,  0.3F, 0.2F, 0.1F,  /* right, least sure */
    0.9F,  0.1F, 0,    0,     /* right */
    0.25F, 0.5F, 0.2F, 0.05F, /* wrong, second */
    0,     1,    0,    0,     /* right */
    0.1F,  0.8F, 0.1F, 0,     /* right */
    0.3F,  0.2F, 0.5F, 0,     /* wrong, third; as sure as image 3 */
    0.9F,  0.1F, 0,    0,     /* right, as sure as image 2 */
    0.6F,  0.0F, 0.2F, 0.2F,  /* wrong, last */
    0.2F,  0.6F, 0.2F, 0,     /* right, as sure as image 8 */
};
static const fmd_prediction prediction = {
    .n = N, .classes = CLASSES, .probabilities = probabilities, .predicted = predicted};

static void assert_score(const fmd_score *s, double precision, double recall, double f1,
                         size_t support)
{
    assert_true(fabs(s->precision - precision) < 1e-12);
    assert_true(fabs(s->recall - recall) < 1e-12);
    assert_true(fabs(s->f1 - f1) < 1e-12);
    assert_int_equal(s->support, support);
}

static void test_classification__scores_are_those_of_the_counts(void **state)
{
    (void)state;
    const size_t expected[CLASSES * CLASSES] = {4, 1, 0, 0, 1, 3, 1, 0};
    fmd_classification r;
    assert_ok(fmd_classify(&r, &prediction, labels));
    assert_memory_equal(r.confusion, expected, sizeof expected);
    assert_int_equal(r.n, N);
    assert_int_equal(r.correct, 7);
    assert_true(r.accuracy == 7 / 10.0);
    assert_score(&r.of_class[0], 4 / 5.0, 4 / 5.0, 4 / 5.0, 5);
    assert_score(&r.of_class[1], 3 / 4.0, 3 / 5.0, 2 / 3.0, 5);
    assert_score(&r.of_class[2], 0, 0, 0, 0);
    assert_score(&r.of_class[3], 0, 0, 0, 0);
    /* scikit-learn's means: over classes 0, 1 and 2, and by support. */
    assert_score(&r.macro, 31 / 60.0, 7 / 15.0, 22 / 45.0, N);
    assert_score(&r.weighted, 31 / 40.0, 7 / 10.0, 11 / 15.0, N);
    fmd_classification_free(&r);
}

static void test_classification__top_k_has_the_label_among_the_k_most_probable(void **state)
{
    (void)state;
    assert_true(fmd_top_k(&prediction, labels, 1) == 7 / 10.0);
    assert_true(fmd_top_k(&prediction, labels, 2) == 8 / 10.0);
    assert_true(fmd_top_k(&prediction, labels, 3) == 9 / 10.0);
    assert_true(fmd_top_k(&prediction, labels, 4) == 1);
    /* Of equals all are in. */
    float even[] = {0.25F, 0.25F, 0.25F, 0.25F};
    const fmd_prediction one = {
        .n = 1, .classes = CLASSES, .probabilities = even, .predicted = predicted};
    assert_true(fmd_top_k(&one, (uint8_t[]){3}, 1) == 1);
}

static void
test_classification__the_most_probable_classes_begin_with_the_predicted_one(void **state)
{
    (void)state;
    const size_t expected[][3] = {{0, 1, 2}, {0, 1, 2}, {0, 1, 2}, {1, 0, 2}, {1, 0, 2},
                                  {1, 0, 2}, {2, 0, 1}, {0, 1, 2}, {0, 2, 3}, {1, 0, 2}};
    size_t top[CLASSES + 1];
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(fmd_top_classes(&prediction, i, top, 3), 3);
        assert_memory_equal(top, expected[i], sizeof expected[i]);
    }
    assert_int_equal(fmd_top_classes(&prediction, 8, top, CLASSES + 1), CLASSES);
    assert_int_equal(top[3], 1);
    /* Scores differ where probabilities do not any more. */
    uint8_t second[] = {1};
    float equal[] = {0.5F, 0.5F};
    const fmd_prediction tie = {.n = 1, .classes = 2, .probabilities = equal, .predicted = second};
    assert_int_equal(fmd_top_classes(&tie, 0, top, 3), 2);
    assert_true(top[0] == 1 && top[1] == 0);
}

static void test_classification__what_is_confused_most_comes_first(void **state)
{
    (void)state;
    size_t counts[] = {9, 2, 0, 1, 9, 2, 2, 3, 0};
    fmd_score scores[3] = {{0}};
    const fmd_classification r = {.classes = 3, .confusion = counts, .of_class = scores};
    const fmd_confused expected[] = {{2, 1, 3}, {0, 1, 2}, {1, 2, 2}, {2, 0, 2}, {1, 0, 1}};
    fmd_confused found[9];
    assert_int_equal(fmd_most_confused(&r, found, 9), 5);
    assert_memory_equal(found, expected, sizeof expected);
    assert_int_equal(fmd_most_confused(&r, found, 2), 2);
    assert_memory_equal(found, expected, 2 * sizeof *expected);
    counts[1] = counts[3] = counts[5] = counts[6] = counts[7] = 0;
    assert_int_equal(fmd_most_confused(&r, found, 9), 0);
}

static void test_classification__mistakes_are_found_and_sorted(void **state)
{
    (void)state;
    uint32_t index[N];
    assert_int_equal(fmd_mistakes(&prediction, labels, index), 3);
    assert_memory_equal(index, ((uint32_t[]){3, 6, 8}), 3 * sizeof *index);
    fmd_sort_by_confidence(&prediction, index, 3, true);
    assert_memory_equal(index, ((uint32_t[]){8, 3, 6}), 3 * sizeof *index);
    for (uint32_t i = 0; i < N; i++)
        index[i] = N - 1 - i;
    fmd_sort_by_confidence(&prediction, index, N, false);
    assert_memory_equal(index, ((uint32_t[]){1, 3, 6, 8, 9, 0, 5, 2, 7, 4}), sizeof index);
    fmd_sort_by_confidence(&prediction, index, N, true);
    assert_memory_equal(index, ((uint32_t[]){4, 2, 7, 5, 0, 8, 9, 3, 6, 1}), sizeof index);
}

/* Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
 * (1998), table I, method 3. */
static void test_classification__the_interval_is_wilsons(void **state)
{
    (void)state;
    static const struct {
        size_t correct, n;
        double low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0, 0.1611},
                 {1, 29, 0.0061, 0.1718},
                 {20, 20, 1 - 0.1611, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double low, high;
        fmd_wilson(cases[i].correct, cases[i].n, &low, &high);
        assert_true(fabs(low - cases[i].low) < 5e-5);
        assert_true(fabs(high - cases[i].high) < 5e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification__scores_are_those_of_the_counts),
        cmocka_unit_test(test_classification__top_k_has_the_label_among_the_k_most_probable),
        cmocka_unit_test(
            test_classification__the_most_probable_classes_begin_with_the_predicted_one),
        cmocka_unit_test(test_classification__what_is_confused_most_comes_first),
        cmocka_unit_test(test_classification__mistakes_are_found_and_sorted),
        cmocka_unit_test(test_classification__the_interval_is_wilsons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
