/* Training on images that stay in their files: the bits of images in memory, and the same end on every
 * rank where some rank cannot read. */
#include "support/idx_files.h"
#include "support/mpi_main.h"

#include "data/stream.h"
#include "math/gemm.h"
#include "train/batch_plan.h"
#include "train/loader.h"
#include "train/loop.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { N = 600, BATCH = 64, BYTES = 20 };

static const tiny_dataset tiny = {
    .n_train = N, .n_test = 96, .height = 5, .width = 4, .classes = 4};
static const char *const file = "train-images-idx3-ubyte";

/* Collective. The files, in a folder that all ranks are in. */
static int setup(void **state)
{
    static char folder[TEST_PATH_BYTES];
    if (fmd_comm_rank(mpi_comm) == 0) {
        make_folder(folder);
        write_tiny_dataset(folder, &tiny);
    }
    fmd_comm_bcast(mpi_comm, folder, sizeof folder);
    *state = folder;
    return chdir(folder);
}

static int teardown(void **state)
{
    int arrived = 0;
    fmd_comm_bcast(mpi_comm, &arrived, sizeof arrived);
    if (chdir("/") != 0)
        return -1;
    if (fmd_comm_rank(mpi_comm) == 0)
        remove_folder(*state);
    return 0;
}

/* Collective. Trains two epochs; *hash: of the weights. `validation` NULL: none. */
static fmd_status fit(const fmd_split *train, const fmd_split *validation, size_t window,
                      fmd_hash *hash)
{
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_fit_result result;
    fmd_schedule schedule;
    const fmd_shape image = {.rank = 2, .dim = {5, 4}};
    const fmd_schedule_plan plan = {
        .learning_rate = 0.01, .scale = 1, .epoch_steps = (N + BATCH - 1) / BATCH, .epochs = 2};
    assert_all_ok(fmd_model_create(&model, "flatten,dense:8:relu,dense:4:softmax", image, BATCH));
    fmd_model_init(model, 1);
    assert_all_ok(fmd_optimizer_create(&optimizer, "adam", fmd_model_n_trainable_params(model)));
    assert_all_ok(fmd_schedule_create(&schedule, "cosine", &plan));
    fmd_fit_args args = {.train = *train,
                         .divisor = 255,
                         .epochs = 2,
                         .batch_size = BATCH,
                         .microbatch_size = 8,
                         .schedule = schedule,
                         .reduce = FMD_REDUCE_EXACT,
                         .seed = 3,
                         .shuffle = true,
                         .shuffle_window = window};
    if (validation != NULL)
        args.validation = *validation;
    const fmd_status st = fmd_fit(mpi_comm, model, optimizer, &args, &result);
    *hash = fmd_model_hash(model);
    fmd_optimizer_destroy(optimizer);
    fmd_model_destroy(model);
    return st;
}

static void streamed_images_give_the_weights_of_images_in_memory(void **state)
{
    (void)state;
    fmd_dataset resident, streamed;
    fmd_hash expected, found;
    assert_all_ok(fmd_loader_read(mpi_comm, ".", "", &resident));
    assert_all_ok(fmd_loader_stream(mpi_comm, ".", "", &streamed));
    for (size_t window = 0; window < 200; window += 100) {
        assert_all_ok(fit(&resident.train, &resident.test, window, &expected));
        assert_all_ok(fit(&streamed.train, &streamed.test, window, &found));
        assert_all_ranks(memcmp(&expected, &found, sizeof found) == 0);
        assert_equal_on_all_ranks(&found, sizeof found);
    }
    fmd_loader_close(&streamed);
}

/* Collective. The same failure on every rank; if another rank failed than 0, the message names it. */
static void assert_cannot_read(fmd_status st, const char *text)
{
    char message[FMD_ERROR_BYTES] = "";
    snprintf(message, sizeof message, "%s", fmd_error_message());
    assert_all_ranks(st == FMD_EDATA);
    assert_all_ranks(strstr(message, text) != NULL);
    assert_equal_on_all_ranks(message, sizeof message);
}

/* The last image alone cannot be read: in each epoch one rank finds out. */
static void a_read_that_fails_ends_training_on_all_ranks_alike(void **state)
{
    (void)state;
    fmd_dataset d;
    fmd_hash weights;
    assert_all_ok(fmd_loader_stream(mpi_comm, ".", "", &d));
    assert_all_ranks(fmd_comm_rank(mpi_comm) != 0 || truncate(file, 16 + N * BYTES - 1) == 0);
    assert_cannot_read(fit(&d.train, NULL, 100, &weights),
                       "cannot read image 599 of './train-images");
    assert_equal_on_all_ranks(&weights, sizeof weights);
    fmd_loader_close(&d);
}

static void a_read_that_fails_ends_an_evaluation_on_all_ranks_alike(void **state)
{
    (void)state;
    fmd_dataset d;
    fmd_hash weights;
    assert_all_ok(fmd_loader_stream(mpi_comm, ".", "", &d));
    assert_all_ranks(fmd_comm_rank(mpi_comm) != 0 ||
                     truncate("t10k-images-idx3-ubyte", 16 + 70 * BYTES) == 0);
    assert_cannot_read(fit(&d.train, &d.test, 100, &weights),
                       "cannot read image 70 of './t10k-images");
    fmd_loader_close(&d);
}

static void a_file_that_a_host_lacks_is_named_on_all_ranks(void **state)
{
    (void)state;
    fmd_dataset d;
    assert_all_ranks(fmd_comm_rank(mpi_comm) != 0 || unlink(file) == 0);
    const fmd_status st = fmd_loader_stream(mpi_comm, ".", "", &d);
    assert_all_ranks(st == FMD_ENOINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streamed_images_give_the_weights_of_images_in_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_that_fails_ends_training_on_all_ranks_alike, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_that_fails_ends_an_evaluation_on_all_ranks_alike,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_a_host_lacks_is_named_on_all_ranks, setup,
                                        teardown),
    };
    if (fmd_math_open(FMD_GEMM_AUTO, 1) != FMD_OK)
        return 1;
    return mpi_run_tests(tests);
}
