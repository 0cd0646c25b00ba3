/* Groups of microbatches: how many go through the model at once changes nothing. */
#include "support/fmd_test.h"
#include "support/plain_sink.h"

#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "train/passes.h"

#include <math.h>

#include <string.h>

enum { SAMPLES = 23, PIXELS = 6, MICROBATCH = 4, CLASSES = 3 };

static const char layers[] = "dense:5:tanh@a,batch_normalization,dropout:0.3,dense:5,add:a,relu,"
                             "dense:3:softmax";

static uint8_t images[2 * SAMPLES * PIXELS], labels[2 * SAMPLES];
static uint32_t order[SAMPLES];

/* What a run with room for so many samples leaves. */
typedef struct result {
    fmd_model *model;
    plain_sink sink;
    fmd_loss_sums sums;
    float logits[SAMPLES * CLASSES];
    size_t next; /* place that is expected next */
    int groups;
    const uint32_t *order;
} result;

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    result *r = self;
    uint8_t own[SAMPLES];
    assert_int_equal(first, r->next);
    assert_true(n > 0 && n <= rows && rows - n < MICROBATCH && rows % MICROBATCH == 0);
    for (size_t i = 0; i < n; i++)
        own[i] = labels[r->order == NULL ? first + i : r->order[first + i]];
    memcpy(r->logits + first * CLASSES, logits, n * CLASSES * sizeof *logits);
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, logits, &(fmd_targets){.labels = own}, n, rows,
                     CLASSES, grads, &r->sums);
    r->next = first + n;
    r->groups++;
}

static void run(result *r, size_t max_samples, bool training, const uint32_t *samples)
{
    const fmd_split split = {.n = (size_t)2 * SAMPLES, .images = images, .labels = labels};
    *r = (result){.sums = {.of = SAMPLES}, .order = samples};
    assert_ok(fmd_model_create(&r->model, layers, (fmd_shape){1, {PIXELS}}, max_samples));
    fmd_model_init(r->model, 3);
    plain_sink_open(&r->sink, r->model);
    fmd_passes_run(&(fmd_passes){.model = r->model,
                                 .split = &split,
                                 .divisor = 255,
                                 .order = samples,
                                 .count = SAMPLES,
                                 .microbatch_size = MICROBATCH,
                                 .training = training,
                                 .seed = 5,
                                 .step = 2,
                                 .sink = training ? &r->sink.sink : NULL,
                                 .score = score,
                                 .self = r});
    assert_int_equal(r->next, SAMPLES);
}

static void release(result *r)
{
    plain_sink_close(&r->sink);
    fmd_model_destroy(r->model);
}

static void test_passes__the_size_of_a_group_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        size_t max_samples;
        int groups;
    } cases[] = {{4, 6}, {7, 6}, {8, 3}, {20, 2}, {24, 1}, {500, 1}};
    result whole;
    run(&whole, 24, true, order);
    plain_sink_assert_complete(&whole.sink, 0, fmd_model_n_tensors(whole.model), 6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result r;
        run(&r, cases[i].max_samples, true, order);
        assert_int_equal(r.groups, cases[i].groups);
        assert_memory_equal(r.logits, whole.logits, sizeof r.logits);
        assert_memory_equal(&r.sums, &whole.sums, sizeof r.sums);
        assert_memory_equal(r.sink.sums, whole.sink.sums,
                            fmd_model_n_params(r.model) * sizeof(float));
        release(&r);
    }
    release(&whole);
}

/* The first layer's output of a place. */
static double first_output(const fmd_model *m, size_t place, size_t unit)
{
    float y = 0;
    for (size_t k = 0; k < PIXELS; k++)
        y += (float)images[order[place] * PIXELS + k] / 255 * fmd_model_params(m)[k * 5 + unit];
    return tanh((double)y);
}

/* The statistics of the last microbatch are those of its three samples. */
static void test_passes__padding_is_no_sample(void **state)
{
    (void)state;
    result r;
    run(&r, 24, true, order);
    const size_t state_tensor = fmd_model_n_trainable_tensors(r.model);
    const fmd_tensor *mean = fmd_model_tensor(r.model, state_tensor), *variance = mean + 1;
    assert_string_equal(mean->name, "moving_mean");
    assert_string_equal(variance->name, "moving_variance");
    for (size_t j = 0; j < mean->count; j++) {
        double means = 0, variances = 0; /* sums over the samples, of their microbatches' */
        for (size_t first = 0; first < SAMPLES; first += MICROBATCH) {
            const size_t n = SAMPLES - first < MICROBATCH ? SAMPLES - first : MICROBATCH;
            double sum = 0, squares = 0;
            for (size_t i = first; i < first + n; i++) {
                const double y = first_output(r.model, i, j);
                sum += y;
                squares += y * y;
            }
            means += sum;
            variances += squares - sum * sum / (double)n;
        }
        assert_true(fabs(means - (double)r.sink.sums[mean->offset + j]) < 1e-4);
        assert_true(fabs(variances - (double)r.sink.sums[variance->offset + j]) < 1e-4);
    }
    release(&r);
}

/* An evaluation takes samples as they lie, and leaves no statistics. */
static void test_passes__without_training_there_is_no_gradient(void **state)
{
    (void)state;
    uint32_t as_they_lie[SAMPLES];
    result a, b;
    for (uint32_t i = 0; i < SAMPLES; i++)
        as_they_lie[i] = i;
    run(&a, 8, false, NULL);
    run(&b, 24, false, as_they_lie);
    assert_memory_equal(a.logits, b.logits, sizeof a.logits);
    assert_memory_equal(&a.sums, &b.sums, sizeof a.sums);
    for (size_t i = 0; i < fmd_model_n_params(a.model); i++)
        assert_int_equal(a.sink.times[i], 0);
    release(&a);
    release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes__the_size_of_a_group_changes_nothing),
        cmocka_unit_test(test_passes__padding_is_no_sample),
        cmocka_unit_test(test_passes__without_training_there_is_no_gradient),
    };
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 2654435761u >> 7);
    for (size_t i = 0; i < sizeof labels; i++)
        labels[i] = (uint8_t)(i % CLASSES);
    for (uint32_t i = 0; i < SAMPLES; i++)
        order[i] = (7 * i + 3) % (2 * SAMPLES);
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
