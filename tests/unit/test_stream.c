#include "data/sampler.h"
#include "data/source.h"
#include "data/stream.h"

#include "support/fmd_test.h"
#include "support/idx_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 50 };

static const tiny_dataset tiny = {
    .n_train = N, .n_test = 10, .height = 6, .width = 5, .channels = 3, .classes = 3};
static const fmd_shape shape = {3, {6, 5, 3}};
static const char *const file = "train-images-idx4-ubyte";

/* A data set in the folder, and the same in memory. */
static void *make(fmd_dataset *d)
{
    void *memory;
    write_tiny_dataset(".", &tiny);
    assert_ok(fmd_source_read(d, &memory, ".", ""));
    return memory;
}

static void test_stream__images_are_those_of_the_file(void **state)
{
    (void)state;
    fmd_dataset d;
    fmd_stream *s;
    void *memory = make(&d);
    const size_t bytes = fmd_shape_count(shape);
    assert_ok(fmd_stream_open(&s, file, N, shape));
    for (size_t i = N; i-- > 0;)
        assert_memory_equal(fmd_stream_read(s, i), d.train.images + i * bytes, bytes);
    assert_ok(fmd_stream_status(s));
    fmd_stream_close(s);
    free(memory);
}

static void test_stream__batches_are_those_of_memory(void **state)
{
    (void)state;
    enum { COUNT = 7, ROWS = 8, FIRST = 20 };
    static const uint32_t order[COUNT] = {3, 0, 29, 5, 5, 11, 7};
    fmd_dataset d;
    fmd_stream *s;
    void *memory = make(&d);
    const size_t bytes = fmd_shape_count(shape);
    float a[ROWS * 90], b[ROWS * 90];
    assert_ok(fmd_stream_open(&s, file, N, shape));
    const fmd_split whole = {.n = N, .stream = s, .labels = d.train.labels};
    const fmd_split streamed = fmd_split_part(&whole, FIRST, N - FIRST, bytes);
    const fmd_split resident = fmd_split_part(&d.train, FIRST, N - FIRST, bytes);
    fmd_stream_read_ahead(s, FIRST, order, COUNT);
    fmd_gather_images(&streamed, bytes, order, COUNT, ROWS, 255, a);
    fmd_gather_images(&resident, bytes, order, COUNT, ROWS, 255, b);
    assert_memory_equal(a, b, sizeof a);
    fmd_gather_images(&streamed, bytes, NULL, COUNT, ROWS, 1, a);
    fmd_gather_images(&resident, bytes, NULL, COUNT, ROWS, 1, b);
    assert_memory_equal(a, b, sizeof a);
    assert_ptr_equal(streamed.labels, resident.labels);
    fmd_stream_close(s);
    free(memory);
}

static void test_stream__a_file_that_shrinks_gives_black_images_and_a_failure(void **state)
{
    (void)state;
    static const uint8_t black[90];
    fmd_dataset d;
    fmd_stream *s;
    void *memory = make(&d);
    assert_ok(fmd_stream_open(&s, file, N, shape));
    assert_int_equal(truncate(file, 20 + 40 * 90 + 1), 0);
    assert_memory_equal(fmd_stream_read(s, 39), d.train.images + 39 * 90, 90);
    assert_ok(fmd_stream_status(s));
    assert_memory_equal(fmd_stream_read(s, 40), black, 90);
    assert_memory_equal(fmd_stream_read(s, 41), black, 90);
    assert_fails(fmd_stream_status(s), FMD_EDATA,
                 "cannot read image 40 of 'train-images-idx4-ubyte': the file has become shorter");
    fmd_stream_close(s);
    free(memory);
}

static void test_stream__another_file_is_refused(void **state)
{
    (void)state;
    fmd_dataset d;
    fmd_stream *s;
    void *memory = make(&d);
    assert_int_equal(fmd_stream_open(&s, file, N - 1, shape), FMD_EDATA);
    assert_int_equal(fmd_stream_open(&s, file, N, (fmd_shape){3, {5, 6, 3}}), FMD_EDATA);
    assert_int_equal(fmd_stream_open(&s, "nowhere", N, shape), FMD_ENOINPUT);
    assert_int_equal(fmd_stream_open(&s, ".", N, shape), FMD_EDATA);
    assert_int_equal(truncate(file, 20 + N * 90 - 1), 0);
    assert_int_equal(fmd_stream_open(&s, file, N, shape), FMD_EDATA);
    free(memory);
}

/* The labels are loaded, the images are not; their hash sees a changed pixel. */
static void test_stream__a_source_loads_labels_alone(void **state)
{
    (void)state;
    fmd_dataset resident, d;
    fmd_source *s;
    fmd_dataset_info info, changed;
    void *memory = make(&resident), *labels;
    assert_ok(fmd_source_open(&s, ".", ""));
    assert_ok(fmd_source_stream(s));
    assert_true(fmd_source_bytes(s) < 256);
    labels = calloc(1, fmd_source_bytes(s));
    assert_non_null(labels);
    assert_ok(fmd_source_load(s, labels, &info));
    fmd_source_close(s);
    fmd_dataset_view(&d, &info, labels);
    assert_true(info.streamed && !info.verified && info.classes == 3);
    assert_null(d.train.images);
    assert_memory_equal(d.train.labels, resident.train.labels, N);
    FILE *f = fopen(file, "r+");
    assert_non_null(f);
    fseek(f, -1, SEEK_END);
    fputc(77, f);
    fclose(f);
    assert_ok(fmd_source_open(&s, ".", ""));
    assert_ok(fmd_source_stream(s));
    assert_ok(fmd_source_load(s, labels, &changed));
    fmd_source_close(s);
    assert_memory_not_equal(&changed.hash[FMD_TRAIN_IMAGES], &info.hash[FMD_TRAIN_IMAGES],
                            sizeof(fmd_hash));
    free(labels);
    free(memory);
}

static void test_stream__compressed_files_are_refused(void **state)
{
    (void)state;
    tiny_dataset d = tiny;
    fmd_source *s;
    d.packed = true;
    make_subfolder(".", "packed");
    write_tiny_dataset("packed", &d);
    assert_ok(fmd_source_open(&s, "./packed", ""));
    assert_fails(fmd_source_stream(s), FMD_EDATA,
                 "--stream: './packed/train-images-idx4-ubyte.gz' is compressed: unpack it with "
                 "gzip -d");
    fmd_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream__images_are_those_of_the_file, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(test_stream__batches_are_those_of_memory, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(
            test_stream__a_file_that_shrinks_gives_black_images_and_a_failure, enter_folder,
            leave_folder),
        cmocka_unit_test_setup_teardown(test_stream__another_file_is_refused, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(test_stream__a_source_loads_labels_alone, enter_folder,
                                        leave_folder),
        cmocka_unit_test_setup_teardown(test_stream__compressed_files_are_refused, enter_folder,
                                        leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
