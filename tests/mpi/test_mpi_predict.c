/* Predictions on all ranks, compared with the same model on one process. */
#include "support/mpi_main.h"

#include "base/rng.h"
#include "data/sampler.h"
#include "math/gemm.h"
#include "nn/losses/loss.h"
#include "train/evaluation/evaluate.h"
#include "train/evaluation/prediction.h"

#include <math.h>
#include <string.h>

/* Two and a half rounds per rank, with a partial last microbatch. */
enum { CLASSES = 4, PIXELS = 16, IMAGES = 651, MICROBATCH = 32 };

static const fmd_shape image_shape = {.rank = 2, .dim = {4, 4}};
static uint8_t images[IMAGES * PIXELS];

static fmd_model *create_model(void)
{
    fmd_model *m = NULL;
    assert_all_ok(fmd_model_create(&m, "flatten,dense:16:relu,dense:4:softmax", image_shape,
                                   FMD_EVALUATE_SAMPLES));
    fmd_model_init(m, 7);
    return m;
}

/* Output rows of the model, one microbatch at a time. */
static void predict_alone(fmd_model *m, size_t n, float *probabilities, uint8_t *predicted)
{
    for (size_t first = 0; first < n; first += MICROBATCH) {
        const size_t rows = n - first < MICROBATCH ? n - first : MICROBATCH;
        const fmd_split part = {.n = rows, .images = images + first * PIXELS};
        const fmd_pass pass = {.microbatches = 1, .microbatch_size = MICROBATCH};
        fmd_gather_images(&part, PIXELS, NULL, rows, MICROBATCH, 255, fmd_model_input(m));
        const float *logits = fmd_model_forward(m, &pass, NULL);
        fmd_softmax_rows(rows, CLASSES, logits, probabilities + first * CLASSES);
        for (size_t i = 0; i < rows; i++)
            predicted[first + i] = (uint8_t)fmd_argmax(CLASSES, logits + i * CLASSES);
    }
}

static void predictions_are_the_bits_of_one_process(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 31, 32, 33, 257, IMAGES};
    static float probabilities[IMAGES * CLASSES];
    static uint8_t predicted[IMAGES];
    fmd_model *m = create_model();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i];
        const fmd_split split = {.n = n, .images = images};
        fmd_prediction p = {.n = 0};
        assert_all_ok(fmd_predict(mpi_comm, m, &split, 255, &p));
        predict_alone(m, n, probabilities, predicted);
        const bool root = fmd_comm_rank(mpi_comm) == 0;
        assert_all_ranks(root ? p.n == n && p.classes == CLASSES : p.probabilities == NULL);
        assert_all_ranks(!root || memcmp(p.probabilities, probabilities,
                                         n * CLASSES * sizeof *probabilities) == 0);
        assert_all_ranks(!root || memcmp(p.predicted, predicted, n) == 0);
        fmd_prediction_free(&p);
    }
    fmd_model_destroy(m);
}

static void scores_that_are_not_finite_fail_on_all_ranks(void **state)
{
    (void)state;
    const fmd_split split = {.n = 40, .images = images};
    fmd_model *m = create_model();
    fmd_model_params(m)[fmd_model_n_params(m) - 1] = NAN;
    fmd_prediction p = {.n = 0};
    assert_all_fail(fmd_predict(mpi_comm, m, &split, 255, &p), FMD_EDIVERGED,
                    "the model's scores of 40 of 40 images are not finite");
    assert_all_ranks(p.probabilities == NULL);
    fmd_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_the_bits_of_one_process),
        cmocka_unit_test(scores_that_are_not_finite_fail_on_all_ranks),
    };
    const fmd_rng rng = {.seed = 1, .purpose = FMD_RNG_INIT};
    for (size_t i = 0; i < IMAGES * PIXELS; i++) {
        uint32_t x[4];
        fmd_rng_block(&rng, i, x);
        images[i] = (uint8_t)x[0];
    }
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return mpi_run_tests(tests);
}
