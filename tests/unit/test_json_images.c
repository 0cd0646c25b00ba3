/* Images in the JSON of a request: every accepted form gives the same bytes, everything else is named. */
#include "support/fmd_test.h"

#include "io/json/json_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fmd_shape image = {.rank = 3, .dim = {2, 3, 1}};

static void test_json_images__nested_and_flat_images_are_the_same_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"instances\": [[[[1],[2],[3]],[[4],[5],[255]]]]}",
        "{\"instances\": [[[1,2,3],[4,5,255]]]}",
        "{\"signature_name\": \"x\", \"instances\": [[1,2,3,4,5.0,255]]}",
    };
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 255};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t *pixels;
        size_t n;
        assert_ok(fmd_json_images(&pixels, &n, texts[i], strlen(texts[i]), image, 4));
        assert_int_equal(n, 1);
        assert_memory_equal(pixels, wanted, sizeof wanted);
        free(pixels);
    }
}

static void test_json_images__what_is_no_image_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "JSON: line 1, column 0: '[' or '{' expected near end of file"},
        {"[1]", "expected {\"instances\": [image, ...]}"},
        {"{\"instances\": 7}", "expected {\"instances\": [image, ...]}"},
        {"{\"instances\": [[1,2,3,4,5,6],[1,2]]}", "instances[1]: not an image of shape (2, 3, 1)"},
        {"{\"instances\": [[1,2,3,4,5,256]]}",
         "instances[0]: pixel 5 is not a whole number from 0 to 255"},
        {"{\"instances\": [[[1,2,3],[4,5,1e300]]]}",
         "instances[0]: pixel 5 is not a whole number from 0 to 255"},
        {"{\"instances\": [[0.5,2,3,4,5,6]]}",
         "instances[0]: pixel 0 is not a whole number from 0 to 255"},
        {"{\"instances\": [[1,2,3,4,5,null]]}",
         "instances[0]: pixel 5 is not a whole number from 0 to 255"},
        {"{\"instances\": [1,2,3,4,5]}", "5 instances: at most 4 in a request"},
        {"{\"a\": [[[[[[[[[[]]]]]]]]]]}", "JSON: more than 8 levels of brackets"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *pixels = NULL;
        size_t n;
        assert_fails(fmd_json_images(&pixels, &n, cases[i].text, strlen(cases[i].text), image, 4),
                     FMD_EDATA, cases[i].message);
        assert_null(pixels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_images__nested_and_flat_images_are_the_same_bytes),
        cmocka_unit_test(test_json_images__what_is_no_image_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
