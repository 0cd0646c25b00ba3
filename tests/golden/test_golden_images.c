/* Augmentation against real Keras. Its random numbers cannot agree, so translations run with a range
 * of one number (tests/golden/README.md); flips, crops and boxes have their own properties. */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "math/gemm.h"
#include "nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double limit = 1e-6;

/* One layer, then what a model needs. The layer's output is read before that. */
static fmd_model *open_model(const char *layer, fmd_shape in, size_t n)
{
    char text[512];
    fmd_model *m;
    snprintf(text, sizeof text, "%s,flatten,dense:2", layer);
    assert_ok(fmd_model_create(&m, text, in, n));
    return m;
}

static const float *augment(fmd_model *m, size_t n, bool training, uint32_t step, const float *x)
{
    const fmd_pass pass = {.microbatches = 1,
                           .microbatch_size = (int)n,
                           .training = training,
                           .seed = 3,
                           .step = step,
                           .first_sample = 100};
    memcpy(fmd_model_input(m), x, n * fmd_shape_count(fmd_model_in(m)) * sizeof *x);
    fmd_model_forward(m, &pass, NULL);
    return fmd_model_values(m, 0)->y;
}

typedef struct comparison {
    closeness c;
    double off; /* pixels by which the shift is wrong */
} comparison;

static void compare_translation(const golden *g, const char *name, void *context)
{
    comparison *d = context;
    const fmd_shape shape = golden_shape(g, "input");
    const size_t n = (size_t)shape.dim[0], values = fmd_shape_count(shape);
    const fmd_shape image = {3, {shape.dim[1], shape.dim[2], shape.dim[3]}};
    char layer[256];
    double dy = (atof(golden_text(g, "%s/dy", name)) + d->off) / image.dim[0];
    double dx = atof(golden_text(g, "%s/dx", name)) / image.dim[1];
    snprintf(layer, sizeof layer,
             "random_translation:%.17gx%.17g:%.17gx%.17g:fill_mode=%s:interpolation=%s:fill_value="
             "%s",
             dy, dy, dx, dx, golden_text(g, "%s/fill_mode", name),
             golden_text(g, "%s/interpolation", name), golden_text(g, "%s/fill_value", name));
    fmd_model *m = open_model(layer, image, n);
    const float *y = augment(m, n, true, 0, golden_floats(g, values, "input"));
    const float *expected = golden_floats(g, values, "%s/y", name);
    for (size_t i = 0; i < values; i++)
        closeness_add(&d->c, fabs((double)y[i] - (double)expected[i]), limit, "%s[%zu]", name, i);
    fmd_model_destroy(m);
}

static void test_golden_images__translations_match_keras(void **state)
{
    (void)state;
    golden *g = golden_open("images");
    comparison d = {.c = {.what = "translations"}};
    golden_each(g, "cases", compare_translation, &d);
    closeness_check(&d.c);
    golden_close(g);
}

static void test_golden_images__a_hundredth_of_a_pixel_is_seen(void **state)
{
    (void)state;
    golden *g = golden_open("images");
    comparison d = {.off = 0.01};
    compare_translation(g, "reflect_bilinear_int", &d);
    assert_true(d.c.parts > 1);
    golden_close(g);
}

enum { IMAGES = 400, HEIGHT = 5, WIDTH = 6, CHANNELS = 2, VALUES = HEIGHT * WIDTH * CHANNELS };
static const fmd_shape image = {3, {HEIGHT, WIDTH, CHANNELS}};
static float pictures[IMAGES][VALUES];

/* Every value of every picture is another one. */
static int fill_pictures(void **state)
{
    (void)state;
    for (size_t i = 0; i < IMAGES * VALUES; i++)
        pictures[i / VALUES][i % VALUES] = 1 + (float)i;
    return 0;
}

/* Value of a picture at a place; `turn` flips it: 1 columns, 2 rows. */
static float at(size_t picture, size_t row, size_t column, size_t channel, int turn)
{
    row = turn & 2 ? HEIGHT - 1 - row : row;
    column = turn & 1 ? WIDTH - 1 - column : column;
    return pictures[picture][(row * WIDTH + column) * CHANNELS + channel];
}

static bool is_turned(const float *y, size_t picture, int turn)
{
    for (size_t i = 0; i < VALUES; i++)
        if (y[i] != at(picture, i / CHANNELS / WIDTH, i / CHANNELS % WIDTH, i % CHANNELS, turn))
            return false;
    return true;
}

static void test_golden_images__half_of_the_images_are_flipped(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        int turn;
    } cases[] = {{"random_flip", 3},
                 {"random_flip:horizontal", 1},
                 {"random_flip:vertical", 2},
                 {"random_flip:horizontal_and_vertical", 3}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        fmd_model *m = open_model(cases[k].layer, image, IMAGES);
        const float *y = augment(m, IMAGES, true, 0, pictures[0]);
        size_t flipped = 0;
        for (size_t i = 0; i < IMAGES; i++) {
            const bool turned = is_turned(y + i * VALUES, i, cases[k].turn);
            assert_true(turned || is_turned(y + i * VALUES, i, 0));
            flipped += turned;
        }
        assert_in_range(flipped, 160, 240); /* 4 standard deviations */
        fmd_model_destroy(m);
    }
}

static void test_golden_images__a_crop_is_one_box_for_the_batch(void **state)
{
    (void)state;
    fmd_model *m = open_model("random_crop:3:2", image, IMAGES);
    bool seen[3][5] = {{false}};
    size_t boxes = 0;
    for (uint32_t step = 0; step < 200; step++) {
        const float *y = augment(m, IMAGES, true, step, pictures[0]);
        const size_t first = (size_t)y[0] - 1, row = first / CHANNELS / WIDTH,
                     column = first / CHANNELS % WIDTH;
        assert_true(row <= 2 && column <= 4);
        boxes += !seen[row][column];
        seen[row][column] = true;
        for (size_t i = 0; i < IMAGES * 3 * 2 * CHANNELS; i++)
            assert_true(y[i] == at(i / 12, row + i / 4 % 3, column + i / 2 % 2, i % 2, 0));
    }
    assert_int_equal(boxes, 15);
    const float *y = augment(m, IMAGES, false, 0, pictures[0]); /* the middle */
    assert_true(y[0] == at(0, 1, 2, 0, 0));
    fmd_model_destroy(m);
}

/* The erased values of a picture are those of a box; returns how many pixels it has. */
static size_t erased_pixels(const float *y, size_t picture, bool (*is_fill)(float))
{
    size_t top = HEIGHT, bottom = 0, left = WIDTH, right = 0, n = 0;
    for (size_t i = 0; i < VALUES; i++) {
        const size_t row = i / CHANNELS / WIDTH, column = i / CHANNELS % WIDTH;
        if (y[i] == pictures[picture][i])
            continue;
        assert_true(is_fill(y[i]));
        top = row < top ? row : top;
        left = column < left ? column : left;
        bottom = row > bottom ? row : bottom;
        right = column > right ? column : right;
        n++;
    }
    if (n > 0)
        assert_int_equal(n, (bottom - top + 1) * (right - left + 1) * CHANNELS);
    return n / CHANNELS;
}

static bool is_half(float value)
{
    return value == 0.5f;
}

static bool is_noise(float value)
{
    return value >= 0 && value <= 1;
}

static void test_golden_images__half_of_the_images_lose_a_box(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        bool (*is_fill)(float);
        size_t least, most; /* images of 400 */
    } cases[] = {{"random_erasing:scale=0.1x0.33:fill_value=0.5", is_half, 150, 230},
                 {"random_erasing:1x1:scale=0.2x0.2:fill_value=0.5", is_half, 400, 400},
                 {"random_erasing:0x0:scale=0.2x0.2:fill_value=0.5", is_half, 0, 0},
                 {"random_erasing:scale=0.1x0.33", is_noise, 150, 230}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        fmd_model *m = open_model(cases[k].layer, image, IMAGES);
        const float *y = augment(m, IMAGES, true, 0, pictures[0]);
        size_t images = 0;
        for (size_t i = 1; i < IMAGES; i++) { /* the first one has a 1, as noise may have */
            const size_t pixels = erased_pixels(y + i * VALUES, i, cases[k].is_fill);
            images += pixels > 0;
            assert_true(pixels <= 4 * 4); /* at most 0.57 of each side, and one */
        }
        assert_in_range(images, cases[k].least == 400 ? 399 : cases[k].least, cases[k].most);
        fmd_model_destroy(m);
    }
}

static void test_golden_images__nothing_changes_outside_training(void **state)
{
    (void)state;
    static const char *const layers[] = {"random_flip", "random_translation:0.3:0.3",
                                         "random_erasing:1x1"};
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++) {
        fmd_model *m = open_model(layers[k], image, IMAGES);
        assert_memory_equal(augment(m, IMAGES, false, 0, pictures[0]), pictures, sizeof pictures);
        assert_memory_not_equal(augment(m, IMAGES, true, 0, pictures[0]), pictures,
                                sizeof pictures);
        fmd_model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_images__translations_match_keras),
        cmocka_unit_test(test_golden_images__a_hundredth_of_a_pixel_is_seen),
        cmocka_unit_test(test_golden_images__half_of_the_images_are_flipped),
        cmocka_unit_test(test_golden_images__a_crop_is_one_box_for_the_batch),
        cmocka_unit_test(test_golden_images__half_of_the_images_lose_a_box),
        cmocka_unit_test(test_golden_images__nothing_changes_outside_training),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, fill_pictures, NULL);
}
