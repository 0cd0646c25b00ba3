/* Fused layers: the bits of the layers one by one, forward and backward. */
#include "support/fmd_test.h"
#include "support/plain_sink.h"

#include "math/gemm.h"

#include <stdlib.h>
#include <string.h>

enum { MICROBATCHES = 2, MICROBATCH = 3, SAMPLES = MICROBATCHES * MICROBATCH };

/* A model, and the layers of it that other layers compute. */
typedef struct example {
    const char *layers;
    int fused;
} example;

#define HEAD "conv2d:5:3@a,"
#define TAIL ",flatten,dense:4:softmax"

static const example examples[] = {
    {HEAD "batch_normalization,relu" TAIL, 1},
    {HEAD "batch_normalization,add:a" TAIL, 1},
    {HEAD "batch_normalization,add:a,relu" TAIL, 2},
    {HEAD "relu@b,conv2d:5:3:same,batch_normalization,add:b,relu@c,conv2d:5:3:same,"
          "batch_normalization:scale=false,add:c,relu,add:a" TAIL,
     4},
    {"conv2d:37:3@a,conv2d:37:1,batch_normalization:center=false,add:a,relu" TAIL, 2},
    {HEAD "batch_normalization,relu,max_pooling2d" TAIL, 2},
    {HEAD "batch_normalization,max_pooling2d:3" TAIL, 1},
    {HEAD "batch_normalization,add:a,relu,max_pooling2d:2x1" TAIL, 3},
    {"conv2d:70:3:same,batch_normalization,relu,max_pooling2d,conv2d:16:2:same,"
     "batch_normalization,relu,max_pooling2d:2:padding=same" TAIL,
     3},
    {"conv2d:20:3:relu,max_pooling2d" TAIL, 1},
    {"conv2d:33:3:same,max_pooling2d:2x3" TAIL, 1},
    /* several bands of rows */
    {"conv2d:160:3:same:relu,max_pooling2d" TAIL, 1},
    {"conv2d:600:3:same:relu:strides=2,max_pooling2d" TAIL, 1},
    {"conv2d:16:3:same:relu:strides=2@a,conv2d:17:3:same:relu:nobias,max_pooling2d:1x2" TAIL, 1},
    {"conv2d:24:3:relu:same@a,conv2d:48:3:same:relu,max_pooling2d,conv2d:7:1:relu,max_"
     "pooling2d" TAIL,
     2},
    {"conv2d:8:2:relu:groups=2,max_pooling2d:3:padding=same,conv2d:5:3:same:relu,max_pooling2d:"
     "1" TAIL,
     1},
    /* Winograd's form, also in bands whose windows are three rows high */
    {"conv2d:32:3:same:relu,conv2d:48:3:same:relu,max_pooling2d" TAIL, 1},
    {"conv2d:32:3:same:relu,conv2d:320:3:same,max_pooling2d:3" TAIL, 1},
    {"conv2d:8:3:relu,max_pooling2d:2:1" TAIL, 0},
    {"conv2d:8:3:tanh,max_pooling2d" TAIL, 0},
    {"conv2d:8:3:relu@a,max_pooling2d@b,from:a,max_pooling2d,add:b" TAIL, 0},
    /* relu as a layer behind a convolution */
    {"conv2d:20:3,relu,max_pooling2d" TAIL, 2},
    {"conv2d:20:3:nobias,activation:relu" TAIL, 1},
    {"conv2d:19:3:same:groups=1,relu@a,conv2d:19:1:nobias,relu,max_pooling2d:2:1,conv2d:5:2,"
     "activation:relu,max_pooling2d:1x2" TAIL,
     4},
    {"depthwise_conv2d:3:same:depth_multiplier=2,relu,max_pooling2d" TAIL, 1},
    {"conv2d:20:3:relu,relu,max_pooling2d" TAIL, 0},
    {"conv2d:20:3:tanh,relu,max_pooling2d" TAIL, 0},
    {"conv2d:20:3,activation:tanh,max_pooling2d" TAIL, 0},
    {"conv2d:8:3@a,relu,add:a" TAIL, 0},
    /* the output between is needed, or the order is another: nothing is fused */
    {HEAD "batch_normalization@b,relu,add:b" TAIL, 0},
    {HEAD "batch_normalization,add:a:a,relu" TAIL, 0},
    {HEAD "dropout:0.2,relu,batch_normalization" TAIL, 0},
    {HEAD "batch_normalization,dropout:0.2,relu" TAIL, 0},
};

static const fmd_shape image = {3, {9, 7, 2}};

/* What training leaves. */
typedef struct result {
    fmd_model *model;
    plain_sink sink;
    float *logits;
} result;

static uint32_t state;

static float draw(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-23f - 1;
}

static void run(result *r, const char *layers, bool fused, bool training, int padding)
{
    assert_ok(
        (fused ? fmd_model_create : fmd_model_create_unfused)(&r->model, layers, image, SAMPLES));
    fmd_model_init(r->model, 5);
    state = 1;
    float *params = fmd_model_params(r->model), *in = fmd_model_input(r->model);
    for (size_t i = 0; i < fmd_model_n_params(r->model); i++)
        params[i] += 0.1f * draw() + 0.1f; /* variances stay positive */
    const fmd_pass pass = {.microbatches = MICROBATCHES,
                           .microbatch_size = MICROBATCH,
                           .padding = padding,
                           .training = training,
                           .seed = 2};
    for (size_t i = 0; i < SAMPLES * fmd_shape_count(fmd_model_in(r->model)); i++)
        in[i] = draw();
    plain_sink_open(&r->sink, r->model);
    const size_t n = SAMPLES * (size_t)fmd_model_classes(r->model);
    const float *logits = fmd_model_forward(r->model, &pass, training ? &r->sink.sink : NULL);
    r->logits = malloc(n * sizeof *logits);
    assert_non_null(r->logits);
    memcpy(r->logits, logits, n * sizeof *logits);
    if (!training)
        return;
    const size_t real = n - (size_t)(padding * fmd_model_classes(r->model));
    for (size_t i = 0; i < n; i++)
        fmd_model_logit_grads(r->model)[i] = i < real ? draw() : 0;
    fmd_model_backward(r->model, &pass, &r->sink.sink);
    plain_sink_assert_complete(&r->sink, 0, fmd_model_n_tensors(r->model), MICROBATCHES);
}

static void end(result *r)
{
    free(r->logits);
    plain_sink_close(&r->sink);
    fmd_model_destroy(r->model);
}

static void compare(const example *e, bool training, int padding)
{
    result fused, apart;
    run(&fused, e->layers, true, training, padding);
    run(&apart, e->layers, false, training, padding);
    int n = 0;
    for (size_t i = 0; i < fmd_model_n_layers(fused.model); i++)
        n += fmd_model_layer(fused.model, i)->is_fused;
    assert_int_equal(n, e->fused);
    assert_memory_equal(fused.logits, apart.logits,
                        (size_t)(SAMPLES * fmd_model_classes(fused.model)) * sizeof(float));
    for (size_t i = 0; training && i < fmd_model_n_params(fused.model); i++)
        assert_true(fused.sink.sums[i] == apart.sink.sums[i]);
    end(&fused);
    end(&apart);
}

static void test_fusion__training_has_the_bits_of_the_layers_one_by_one(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        for (int padding = 0; padding < MICROBATCH; padding += MICROBATCH - 1)
            compare(&examples[i], true, padding);
}

static void test_fusion__prediction_has_the_bits_of_the_layers_one_by_one(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        compare(&examples[i], false, 0);
}

static void test_fusion__outputs_between_fused_layers_take_no_memory(void **unused)
{
    (void)unused;
    fmd_model_size size;
    assert_ok(fmd_model_measure(&size, "conv2d:32:3:relu,max_pooling2d" TAIL, image));
    assert_true(size.sample_bytes < (size_t)(7 * 5 * 32) * sizeof(float));
}

static int open_math(void **unused)
{
    (void)unused;
    assert_ok(fmd_math_open(FMD_GEMM_OWN, 1));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fusion__training_has_the_bits_of_the_layers_one_by_one),
        cmocka_unit_test(test_fusion__prediction_has_the_bits_of_the_layers_one_by_one),
        cmocka_unit_test(test_fusion__outputs_between_fused_layers_take_no_memory),
    };
    return cmocka_run_group_tests(tests, open_math, NULL);
}
