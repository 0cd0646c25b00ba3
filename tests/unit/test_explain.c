/* Explanations of predictions: gradient times input against differences of scores, occlusion,
 * nearest training images; of perceptrons, convolutional and residual models, grey and colour. */
#include "support/fmd_test.h"

#include "data/sampler.h"
#include "math/gemm.h"
#include "report/explain/explain.h"

#include <math.h>
#include <string.h>

enum { SIDE = 8, IMAGES = 12, MOST_VALUES = 3 * SIDE * SIDE };

static uint8_t bytes[IMAGES * MOST_VALUES];
static const uint8_t labels[IMAGES];

typedef struct subject {
    fmd_loaded_model t;
    fmd_explainer *e;
    size_t values, pixels;
} subject;

/* A model with weights that are not special in any way, and moving statistics too. */
static void make(subject *s, const char *layers, int channels)
{
    const fmd_shape in = {.rank = 3, .dim = {SIDE, SIDE, channels}};
    memset(s, 0, sizeof *s);
    s->values = fmd_shape_count(in);
    s->pixels = (size_t)SIDE * SIDE;
    for (size_t i = 0; i < IMAGES * s->values; i++)
        bytes[i] = (uint8_t)(40 + (i * 2654435761u >> 13) % 180);
    assert_ok(fmd_model_create(&s->t.model, layers, in, 4));
    fmd_model_init(s->t.model, 3);
    float *p = fmd_model_params(s->t.model);
    const size_t n = fmd_model_n_params(s->t.model);
    for (size_t i = fmd_model_n_trainable_params(s->t.model); i < n; i++)
        p[i] += 0.1F * (float)((i * 7) % 5);
    s->t.divisor = 255;
    s->t.data.info.image = in;
    s->t.data.train = (fmd_split){.n = IMAGES, .images = bytes, .labels = labels};
    assert_ok(fmd_explainer_create(&s->e, &s->t));
}

static void release(subject *s)
{
    fmd_explainer_destroy(s->e);
    fmd_model_destroy(s->t.model);
}

/* The score of class k where value `at` of the input is changed by `change`. */
static double score(const subject *s, const uint8_t *image, size_t k, size_t at, float change)
{
    const fmd_pass pass = {.microbatches = 1, .microbatch_size = 1};
    fmd_gather_images(&(fmd_split){.n = 1, .images = image}, s->values, NULL, 1, 1, 255,
                      fmd_model_input(s->t.model));
    fmd_model_input(s->t.model)[at] += change;
    return (double)fmd_model_forward(s->t.model, &pass, NULL)[k];
}

static const struct {
    const char *layers;
    int channels;
} models[] = {
    {"flatten,dense:4:softmax", 1},
    {"flatten,dense:9:tanh,dropout:0.5,dense:4:softmax", 1},
    {"conv2d:4:3:tanh,average_pooling2d,flatten,dense:5:tanh,dense:4:softmax", 1},
    {"random_flip@z,conv2d:4:3:same,batch_normalization@a,conv2d:4:3:same:tanh,add:a,"
     "spatial_dropout2d:0.2,flatten,dense:4:softmax",
     1},
    {"conv2d:3:3:same:tanh,add:input,flatten,dense:4:softmax", 3},
    {"random_translation:0.1:0.1,rescaling:2:-1,conv2d:4:3:tanh,flatten,dense:4:softmax", 3},
};

static void gradient_times_input_is_the_derivative_of_the_score(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        subject s;
        float map[SIDE * SIDE];
        double most = 0, sum = 0;
        make(&s, models[m].layers, models[m].channels);
        const size_t channels = (size_t)models[m].channels;
        fmd_explainer_saliency(s.e, bytes, 2, map);
        for (size_t i = 0; i < s.pixels; i++) {
            double expected = 0;
            for (size_t c = 0; c < channels; c++) {
                const size_t at = i * channels + c;
                const double slope =
                    (score(&s, bytes, 2, at, 0.01F) - score(&s, bytes, 2, at, -0.01F)) / 0.02;
                expected += slope * bytes[at] / 255.0;
            }
            most = fmax(most, fabs(expected - (double)map[i]));
            sum += fabs(expected);
        }
        if (!(most < 2e-3 * sum && sum > 0.1))
            fail_msg("%s: off by %g of %g", models[m].layers, most, sum);
        release(&s);
    }
}

/* Control: of another class, or another image, it is another map. */
static void another_class_has_another_gradient(void **state)
{
    (void)state;
    subject s;
    float map[SIDE * SIDE], other[SIDE * SIDE];
    make(&s, models[3].layers, 1);
    fmd_explainer_saliency(s.e, bytes, 2, map);
    fmd_explainer_saliency(s.e, bytes, 1, other);
    assert_memory_not_equal(map, other, sizeof map);
    fmd_explainer_saliency(s.e, bytes + s.values, 2, other);
    assert_memory_not_equal(map, other, sizeof map);
    fmd_explainer_saliency(s.e, bytes, 2, other);
    assert_memory_equal(map, other, sizeof map);
    release(&s);
}

/* A score that depends on one pixel only. */
static void occlusion_finds_the_pixel_that_counts(void **state)
{
    (void)state;
    enum { ROW = 5, COLUMN = 2 };
    subject s;
    float map[SIDE * SIDE];
    make(&s, "flatten,dense:4:softmax", 1);
    float *kernel = fmd_model_params(s.t.model);
    memset(kernel, 0, fmd_model_n_params(s.t.model) * sizeof *kernel);
    kernel[(ROW * SIDE + COLUMN) * 4 + 2] = 3;
    memset(bytes, 10, s.values);
    bytes[ROW * SIDE + COLUMN] = 250;
    fmd_explainer_occlusion(s.e, bytes, 2, map);
    for (int i = 0; i < SIDE * SIDE; i++) {
        assert_true(map[i] >= 0);
        if (i != ROW * SIDE + COLUMN)
            assert_true(map[i] < map[ROW * SIDE + COLUMN]);
    }
    memset(bytes, 99, s.values); /* nothing to cover */
    fmd_explainer_occlusion(s.e, bytes, 2, map);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_true(map[i] == 0);
    release(&s);
}

static void the_nearest_training_image_is_the_image_itself(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        subject s;
        fmd_neighbours near[2];
        size_t searched;
        make(&s, models[m].layers, models[m].channels);
        const uint8_t *images[] = {bytes + 7 * s.values, bytes};
        assert_ok(fmd_explainer_neighbours(s.e, images, 2, near, &searched));
        assert_int_equal(searched, IMAGES);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(near[i].n, FMD_NEIGHBOURS);
            assert_int_equal(near[i].index[0], i == 0 ? 7 : 0);
            assert_true(near[i].distance[0] == 0);
            for (size_t k = 1; k < FMD_NEIGHBOURS; k++)
                assert_true(near[i].distance[k] >= near[i].distance[k - 1]);
        }
        release(&s);
    }
}

static void a_vector_is_a_square_where_it_can_be(void **state)
{
    (void)state;
    const fmd_shape square = fmd_explain_shape((fmd_shape){.rank = 1, .dim = {784}});
    const fmd_shape row = fmd_explain_shape((fmd_shape){.rank = 1, .dim = {10}});
    const fmd_shape grey = fmd_explain_shape((fmd_shape){.rank = 2, .dim = {5, 4}});
    assert_int_equal(square.dim[0] * 100 + square.dim[1], 2828);
    assert_int_equal(row.dim[0] * 100 + row.dim[1], 110);
    assert_int_equal(grey.dim[2], 1);
}

int main(void)
{
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_times_input_is_the_derivative_of_the_score),
        cmocka_unit_test(another_class_has_another_gradient),
        cmocka_unit_test(occlusion_finds_the_pixel_that_counts),
        cmocka_unit_test(the_nearest_training_image_is_the_image_itself),
        cmocka_unit_test(a_vector_is_a_square_where_it_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
