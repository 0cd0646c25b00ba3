/* Which images are for validation, and the weights of classes. */
#include "support/fmd_test.h"

#include "data/class_weight.h"
#include "data/division.h"
#include "data/sampler.h"

#include <string.h>

enum { N = 103, CLASSES = 4 };

/* Sorted by class, of different sizes. */
static fmd_split sorted_images(uint8_t labels[N])
{
    for (int i = 0; i < N; i++)
        labels[i] = (uint8_t)(i < 50 ? 0 : i < 80 ? 1 : i < 97 ? 2 : 3);
    return (fmd_split){.n = N, .labels = labels};
}

/* Every image is in one of the two, in the order of the data set. */
static void assert_divided(const fmd_split *train, const fmd_split *validation)
{
    bool seen[N] = {false};
    const fmd_split *splits[] = {train, validation};
    assert_int_equal(train->n + validation->n, N);
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < splits[s]->n; i++) {
            assert_true(i == 0 || splits[s]->index[i] > splits[s]->index[i - 1]);
            assert_false(seen[splits[s]->index[i]]);
            seen[splits[s]->index[i]] = true;
        }
}

static void test_division__random_images_depend_on_the_seed(void **state)
{
    (void)state;
    uint8_t labels[N];
    uint32_t a[N], b[N], c[N];
    const fmd_split all = sorted_images(labels);
    fmd_division d = {.from = FMD_DIVISION_RANDOM, .seed = 5, .n_validation = 20};
    fmd_split train, validation;
    assert_ok(fmd_divide(&all, &d, a, &train, &validation));
    assert_int_equal(validation.n, 20);
    assert_divided(&train, &validation);
    assert_ok(fmd_divide(&all, &d, b, &train, &validation));
    d.seed = 6;
    assert_ok(fmd_divide(&all, &d, c, &train, &validation));
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void test_division__stratified_images_have_the_shares_of_the_classes(void **state)
{
    (void)state;
    uint8_t labels[N];
    uint32_t index[N];
    size_t images[FMD_CLASSES_MAX], chosen[FMD_CLASSES_MAX];
    const fmd_split all = sorted_images(labels);
    fmd_split_count(&all, images);
    for (size_t n = 1; n < N; n += 6) {
        const fmd_division d = {.from = FMD_DIVISION_STRATIFIED, .seed = n, .n_validation = n};
        fmd_split train, validation;
        assert_ok(fmd_divide(&all, &d, index, &train, &validation));
        assert_int_equal(validation.n, n);
        assert_divided(&train, &validation);
        fmd_split_count(&validation, chosen);
        for (int k = 0; k < CLASSES; k++) {
            const double share = (double)(images[k] * n) / N;
            assert_true((double)chosen[k] > share - 1 && (double)chosen[k] < share + 1);
        }
    }
}

static void test_division__each_image_is_validated_in_one_fold(void **state)
{
    (void)state;
    uint8_t labels[N];
    uint32_t index[N];
    const fmd_split all = sorted_images(labels);
    for (int from = FMD_DIVISION_END; from <= FMD_DIVISION_STRATIFIED; from++) {
        int times[N] = {0};
        for (int fold = 0; fold < 5; fold++) {
            const fmd_division d = {.from = (fmd_division_from)from, .fold = fold, .folds = 5};
            fmd_split train, validation;
            assert_ok(fmd_divide(&all, &d, index, &train, &validation));
            assert_divided(&train, &validation);
            assert_true(validation.n == N / 5 || validation.n == N / 5 + 1);
            for (size_t i = 0; i < validation.n; i++)
                times[validation.index[i]]++;
            assert_true(from != FMD_DIVISION_STRATIFIED ||
                        fmd_split_unmatched(&validation, &train) == 0);
            assert_true(from != FMD_DIVISION_END ||
                        validation.index[0] == (uint32_t)(N * fold / 5));
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(times[i], 1);
    }
}

static void test_division__a_sampler_orders_the_images_of_its_split(void **state)
{
    (void)state;
    const uint32_t index[] = {3, 5, 8, 13};
    bool seen[14] = {false};
    fmd_sampler *s;
    assert_ok(fmd_sampler_create(&s, &(fmd_split){.n = 4, .index = index}, 1));
    assert_memory_equal(fmd_sampler_order(s), index, sizeof index);
    fmd_sampler_shuffle(s, 2);
    for (size_t i = 0; i < 4; i++)
        seen[fmd_sampler_order(s)[i]] = true;
    for (size_t i = 0; i < 4; i++)
        assert_true(seen[index[i]]);
    fmd_sampler_destroy(s);
}

static void test_class_weight__balanced_weights_add_up_to_the_images(void **state)
{
    (void)state;
    uint8_t labels[N];
    float weights[FMD_CLASSES_MAX];
    const fmd_dataset_info info = {.classes = 6};
    const fmd_split all = sorted_images(labels);
    assert_ok(fmd_class_weight_parse(weights, "balanced", &info, &all));
    assert_true(weights[0] == (float)(103 / (4 * 50.0)) && weights[3] == (float)(103 / (4 * 6.0)));
    assert_true(weights[4] == 1); /* no image */
}

static void test_class_weight__classes_have_numbers_and_names(void **state)
{
    (void)state;
    float weights[FMD_CLASSES_MAX];
    const fmd_dataset_info info = {.classes = 3, .class_names = {"Shirt", "Coat", "Bag"}};
    const fmd_split all = {.n = 0};
    assert_ok(fmd_class_weight_parse(weights, "coat=2.5,0=0", &info, &all));
    assert_true(weights[0] == 0 && weights[1] == 2.5f && weights[2] == 1);
    assert_fails(fmd_class_weight_parse(weights, "3=1", &info, &all), FMD_EUSAGE,
                 "--class-weight: '3' is not a class: give a label from 0 to 2 or a name");
    assert_fails(fmd_class_weight_parse(weights, "1=x", &info, &all), FMD_EUSAGE,
                 "--class-weight: 'x' is not a weight from 0 to 1e+06");
    assert_fails(fmd_class_weight_parse(weights, "1=1,coat=2", &info, &all), FMD_EUSAGE,
                 "--class-weight: class 1 is given twice");
    assert_fails(fmd_class_weight_parse(weights, "balance", &info, &all), FMD_EUSAGE,
                 "--class-weight: 'balance' is not none, balanced or a list of CLASS=WEIGHT, e.g. "
                 "0=1,6=2.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_division__random_images_depend_on_the_seed),
        cmocka_unit_test(test_division__stratified_images_have_the_shares_of_the_classes),
        cmocka_unit_test(test_division__each_image_is_validated_in_one_fold),
        cmocka_unit_test(test_division__a_sampler_orders_the_images_of_its_split),
        cmocka_unit_test(test_class_weight__balanced_weights_add_up_to_the_images),
        cmocka_unit_test(test_class_weight__classes_have_numbers_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
