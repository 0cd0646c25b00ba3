#include "cli/predict/index_list.h"

#include "support/fmd_test.h"

#include <string.h>

/* --index TEXT of ten images gives these, or without it the first two. */
static void assert_list(const char *text, size_t n, const uint32_t *expected)
{
    fmd_index_list list;
    assert_ok(fmd_index_list_create(&list, text, 2, 10, "test images"));
    assert_int_equal(list.n, n);
    assert_memory_equal(list.at, expected, n * sizeof *expected);
    fmd_index_list_free(&list);
}

static void test_index_list__numbers_and_ranges_in_the_order_given(void **state)
{
    (void)state;
    assert_list("7", 1, (uint32_t[]){7});
    assert_list("9,0-2,1", 5, (uint32_t[]){9, 0, 1, 2, 1});
    assert_list("3-3", 1, (uint32_t[]){3});
}

static void test_index_list__without_a_text_it_is_the_first_images(void **state)
{
    (void)state;
    assert_list("", 2, (uint32_t[]){0, 1});
}

static void test_index_list__other_text_is_refused(void **state)
{
    (void)state;
    fmd_index_list list = {.n = 0};
    assert_fails(fmd_index_list_create(&list, "0,10", 2, 10, "test images"), FMD_EUSAGE,
                 "--index: there is no 10: the test images are 0 to 9");
    static const char *const wrong[] = {"-1", "1-", "5-3", "a", "1;2", "1,,2", "1234567890", " 1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(fmd_index_list_create(&list, wrong[i], 2, 10, "test images"), FMD_EUSAGE);
    assert_int_equal(list.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_list__numbers_and_ranges_in_the_order_given),
        cmocka_unit_test(test_index_list__without_a_text_it_is_the_first_images),
        cmocka_unit_test(test_index_list__other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
