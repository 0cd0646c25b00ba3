/* Images brought to another size: means of areas, by hand; and IDX files without labels. */
#include "support/fmd_test.h"
#include "support/idx_files.h"

#include "data/image.h"

#include <stdlib.h>
#include <string.h>

static void test_image__the_same_size_changes_nothing(void **state)
{
    (void)state;
    uint8_t in[6 * 5 * 3], out[sizeof in];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 37);
    fmd_image_resize(in, (fmd_size){6, 5}, 3, out, (fmd_size){6, 5});
    assert_memory_equal(out, in, sizeof in);
}

/* An image shown ten times as large is the image again. */
static void test_image__enlarging_whole_times_and_back_changes_nothing(void **state)
{
    (void)state;
    enum { W = 7, H = 4, TIMES = 10 };
    uint8_t in[W * H], large[W * H * TIMES * TIMES], out[W * H];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 91);
    fmd_image_resize(in, (fmd_size){W, H}, 1, large, (fmd_size){W * TIMES, H * TIMES});
    for (size_t y = 0; y < H * TIMES; y++)
        for (size_t x = 0; x < W * TIMES; x++)
            assert_int_equal(large[y * W * TIMES + x], in[y / TIMES * W + x / TIMES]);
    fmd_image_resize(large, (fmd_size){W * TIMES, H * TIMES}, 1, out, (fmd_size){W, H});
    assert_memory_equal(out, in, sizeof in);
}

static void test_image__a_pixel_is_the_mean_of_its_area(void **state)
{
    (void)state;
    const uint8_t three[] = {0, 90, 180}, square[] = {10, 20, 30, 41};
    uint8_t out[2];
    fmd_image_resize(three, (fmd_size){3, 1}, 1, out, (fmd_size){2, 1});
    assert_int_equal(out[0], 30);  /* (0 + 90 / 2) / 1.5 */
    assert_int_equal(out[1], 150); /* (90 / 2 + 180) / 1.5 */
    fmd_image_resize(three, (fmd_size){1, 3}, 1, out, (fmd_size){1, 2});
    assert_int_equal(out[0], 30);
    assert_int_equal(out[1], 150);
    fmd_image_resize(square, (fmd_size){2, 2}, 1, out, (fmd_size){1, 1});
    assert_int_equal(out[0], 25); /* 25.25 */
    const uint8_t colours[] = {0, 100, 200, 10, 110, 210};
    uint8_t pixel[3];
    fmd_image_resize(colours, (fmd_size){2, 1}, 3, pixel, (fmd_size){1, 1});
    assert_memory_equal(pixel, ((uint8_t[]){5, 105, 205}), 3);
}

static void test_image__proportions_are_kept_and_the_rest_is_black(void **state)
{
    (void)state;
    uint8_t in[8 * 2], out[16], scratch[16];
    memset(in, 50, sizeof in);
    memset(out, 99, sizeof out);
    fmd_image_fit(in, (fmd_size){8, 2}, 1, out, (fmd_size){4, 4}, scratch);
    const uint8_t wide[16] = {0, 0, 0, 0, 50, 50, 50, 50};
    assert_memory_equal(out, wide, 16);
    fmd_image_fit(in, (fmd_size){2, 8}, 1, out, (fmd_size){4, 4}, scratch);
    const uint8_t tall[16] = {0, 50, 0, 0, 0, 50, 0, 0, 0, 50, 0, 0, 0, 50, 0, 0};
    assert_memory_equal(out, tall, 16);
    const fmd_size sliver = fmd_image_within((fmd_size){1000, 1}, (fmd_size){28, 28});
    assert_int_equal(sliver.width, 28);
    assert_int_equal(sliver.height, 1);
    const fmd_size photo = fmd_image_within((fmd_size){3000, 4000}, (fmd_size){28, 28});
    assert_int_equal(photo.width, 21);
    assert_int_equal(photo.height, 28);
}

static void test_image__idx_files_need_no_labels(void **state)
{
    (void)state;
    uint8_t file[64];
    const size_t header = put_idx_header(file, 3, (uint32_t[]){2, 3, 4});
    for (size_t i = 0; i < 24; i++)
        file[header + i] = (uint8_t)i;
    write_file(".", "images", file, header + 24);
    write_file(".", "cut", file, header + 23);
    fmd_images images;
    assert_ok(fmd_images_read(&images, "images"));
    assert_int_equal(images.n, 2);
    assert_int_equal(fmd_shape_count(images.image), 12);
    assert_memory_equal(images.bytes, file + header, 24);
    fmd_images_free(&images);
    assert_int_equal(fmd_images_read(&images, "cut"), FMD_EDATA);
    assert_int_equal(fmd_images_read(&images, "none"), FMD_ENOINPUT);
    assert_null(images.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_image__the_same_size_changes_nothing),
        cmocka_unit_test(test_image__enlarging_whole_times_and_back_changes_nothing),
        cmocka_unit_test(test_image__a_pixel_is_the_mean_of_its_area),
        cmocka_unit_test(test_image__proportions_are_kept_and_the_rest_is_black),
        cmocka_unit_test_setup_teardown(test_image__idx_files_need_no_labels, enter_folder,
                                        leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
