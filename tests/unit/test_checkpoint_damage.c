/* Nothing but a whole file of this program's is read, and a file that is refused changes nothing. What
 * is wrong inside a whole file is in test_checkpoint_sealed.c. */
#include "io/checkpoint/checkpoint.h"

#include "io/checkpoint/user_block.h"
#include "support/fmd_test.h"
#include "support/temp_folder.h"
#include "support/trained.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char name[] = "bad.weights.h5";

/* What reads a file, all with the same outcome; `quick`: the first alone, which sees all bytes. */
static void assert_all_refuse(victim *v, const char *path, fmd_status expected, bool quick)
{
    uint64_t step = 99;
    fmd_checkpoint_info info = {.layers = "untouched"};
    fmd_checkpoint_contents contents = {.n_entries = 99};
    assert_int_equal(fmd_checkpoint_verify(path, &step), expected);
    assert_int_equal(step, 99);
    assert_int_equal(fmd_checkpoint_read(path, &v->t.state), expected);
    assert_non_null(strstr(fmd_error_message(), path));
    trained_assert_equal(&v->t, v->before);
    if (quick)
        return;
    assert_int_equal(fmd_checkpoint_read_info(path, &info), expected);
    assert_string_equal(info.layers, "untouched");
    assert_int_equal(fmd_checkpoint_read_params(path, v->t.m), expected);
    assert_int_equal(fmd_checkpoint_read_contents(path, &contents), expected);
    assert_int_equal(contents.n_entries, 99);
    trained_assert_equal(&v->t, v->before);
}

static void test_checkpoint_damage__one_wrong_bit_anywhere_is_seen(void **state)
{
    (void)state;
    size_t n;
    char *bytes = trained_write(temp_path(name), &n);
    victim v;
    victim_make(&v);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, stderr);
    watch_stderr_begin();
    /* Each byte of the user block, and 400 of the rest, the last one too. */
    const size_t stride = (n - FMD_USER_BLOCK_BYTES) / 400;
    for (size_t i = 0; i < n; i += i < FMD_USER_BLOCK_BYTES || i + stride == n ? 1 : stride) {
        const size_t at = i + stride < n ? i : n - 1;
        bytes[at] = (char)(bytes[at] ^ 1 << i % 8);
        write_bytes(temp_path(name), bytes, n);
        assert_all_refuse(&v, temp_path(name), FMD_EDATA, i % 16 != 0);
        bytes[at] = (char)(bytes[at] ^ 1 << i % 8);
    }
    assert_int_equal(watch_stderr_end(), 0);

    /* The control: the same bytes without it are read. */
    write_bytes(temp_path(name), bytes, n);
    assert_ok(fmd_checkpoint_read(temp_path(name), &v.t.state));
    victim_release(&v);
    free(bytes);
}

static void test_checkpoint_damage__a_file_of_another_length_is_seen(void **state)
{
    (void)state;
    size_t n;
    char *bytes = trained_write(temp_path(name), &n);
    const size_t lengths[] = {0,     1,     7,     8,         64,        511,   512,
                              513,   n / 4, n / 2, n - 4096,  n - 512,   n - 1, n + 1,
                              n + 7, n + 8, 2 * n, n + 65536, 10 * n + 3};
    victim v;
    victim_make(&v);
    char *longer = calloc(10 * n + 3, 1);
    assert_non_null(longer);
    memcpy(longer, bytes, n);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, stderr);
    watch_stderr_begin();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        write_bytes(temp_path(name), longer, lengths[i]);
        assert_all_refuse(&v, temp_path(name), FMD_EDATA, false);
    }
    assert_int_equal(watch_stderr_end(), 0);
    victim_release(&v);
    free(longer);
    free(bytes);
}

static void test_checkpoint_damage__parts_that_are_swapped_or_erased_are_seen(void **state)
{
    (void)state;
    size_t n;
    char *bytes = trained_write(temp_path(name), &n), part[1024];
    victim v;
    victim_make(&v);
    for (size_t at = 0; at + 2 * sizeof part < n; at += sizeof part) {
        char *here = bytes + at, *next = here + sizeof part;
        if (memcmp(here, next, sizeof part) == 0)
            continue;
        memcpy(part, here, sizeof part);
        memmove(here, next, sizeof part);
        memcpy(next, part, sizeof part);
        write_bytes(temp_path(name), bytes, n);
        assert_all_refuse(&v, temp_path(name), FMD_EDATA, true);
        memcpy(next, here, sizeof part);
        memset(here, 0, sizeof part);
        write_bytes(temp_path(name), bytes, n);
        assert_all_refuse(&v, temp_path(name), FMD_EDATA, true);
        memcpy(here, part, sizeof part);
    }
    victim_release(&v);
    free(bytes);
}

static void assert_says(const char *path, const char *before, const char *after)
{
    char expected[512];
    uint64_t step;
    snprintf(expected, sizeof expected, "%s'%s'%s", before, path, after);
    assert_int_not_equal(fmd_checkpoint_verify(path, &step), FMD_OK);
    assert_string_equal(fmd_error_message(), expected);
}

static void test_checkpoint_damage__the_message_tells_what_is_wrong(void **state)
{
    (void)state;
    size_t n;
    char *bytes = trained_write(temp_path(name), &n), text[128];
    const char *path = temp_path(name);
    write_bytes(path, "PK\3\4 a .keras file, perhaps", 27);
    assert_says(path, "", " is damaged: it has 27 bytes, too few for a checkpoint");
    write_bytes(path, bytes, n - 5);
    snprintf(text, sizeof text, " is damaged: it has %zu bytes, expected %zu", n - 5, n);
    assert_says(path, "", text);
    bytes[n - 1] ^= 1;
    write_bytes(path, bytes, n);
    assert_says(path, "", " is damaged: its bytes do not match its hash");
    bytes[n - 1] ^= 1;
    bytes[24] ^= 1;
    write_bytes(path, bytes, n);
    assert_says(path, "", " is damaged: its first 512 bytes");
    write_bytes(path, bytes + FMD_USER_BLOCK_BYTES, n - FMD_USER_BLOCK_BYTES); /* bare HDF5 */
    assert_says(path, "",
                " is an HDF5 file, maybe of Keras, but not a checkpoint of fmnist-dist; summary, "
                "evaluate and --weights read files of Keras");
    bytes[0] ^= 1;
    write_bytes(path, bytes, n);
    assert_says(path, "",
                " is not a weights file of fmnist-dist or Keras, or its header is damaged");
    free(bytes);
}

static void test_checkpoint_damage__what_is_not_a_regular_file_is_not_opened(void **state)
{
    (void)state;
    size_t n;
    free(trained_write(temp_path(name), &n));
    const char *good = temp_path(name), *path = temp_path("other.weights.h5");
    victim v;
    victim_make(&v);
    alarm(30); /* a FIFO that is opened would hang */
    assert_all_refuse(&v, path, FMD_ENOINPUT, false);
    assert_says(path, "cannot open ", ": No such file or directory");

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_all_refuse(&v, path, FMD_EDATA, false);
    assert_says(path, "", " is not a regular file");
    unlink(path);

    assert_int_equal(symlink(good, path), 0);
    assert_all_refuse(&v, path, FMD_EDATA, false);
    unlink(path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_all_refuse(&v, path, FMD_EDATA, false);
    unlink(path);

    assert_int_equal(mkdir(path, 0700), 0);
    assert_all_refuse(&v, path, FMD_EDATA, false);
    rmdir(path);

    assert_all_refuse(&v, "/dev/zero", FMD_EDATA, false); /* would never end */
    alarm(0);
    victim_release(&v);
}

static void test_checkpoint_damage__another_number_or_kind_of_items_is_refused(void **state)
{
    (void)state;
    char expected[512];
    size_t n;
    free(trained_write(temp_path(name), &n));
    const char *path = temp_path(name);
    victim v;
    victim_make(&v);
    fmd_state *s = &v.t.state;
    struct {
        fmd_state_entry item;
        const char *says;
    } cases[] = {
        {{"scale", FMD_STATE_I32, 2, v.t.scales, -9e9, 9e9, true},
         "scale is not 2 values of its type"},
        {{"scale", FMD_STATE_I32, 4, v.t.history, -9e9, 9e9, true},
         "scale is not 4 values of its type"},
        {{"scale", FMD_STATE_F32, 3, v.t.scales, -9e9, 9e9, true},
         "scale is not 3 values of its type"},
        {{"scale", FMD_STATE_U8, 3, v.t.scales, -9e9, 9e9, true},
         "scale is not 3 values of its type"},
        {{"scales", FMD_STATE_I32, 3, v.t.scales, -9e9, 9e9, true}, "scales'"},
    };
    const fmd_state_entry right = v.t.entries[1];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        v.t.entries[1] = cases[i].item;
        assert_int_equal(fmd_checkpoint_read(path, s), FMD_EDATA);
        snprintf(expected, sizeof expected, "fmnist_dist/state/%s", cases[i].says);
        assert_non_null(strstr(fmd_error_message(), expected));
        v.t.entries[1] = right;
        trained_assert_equal(&v.t, v.before);
    }
    s->n_entries--;
    assert_int_equal(fmd_checkpoint_read(path, s), FMD_EDATA);
    assert_non_null(strstr(fmd_error_message(), "'/fmnist_dist/state' has 5 values, expected 4"));
    s->n_entries++;
    trained_assert_equal(&v.t, v.before);
    assert_ok(fmd_checkpoint_read(path, s));
    victim_release(&v);
}

static void test_checkpoint_damage__another_model_or_optimizer_is_refused(void **state)
{
    (void)state;
    size_t n;
    free(trained_write(temp_path(name), &n));
    static const char *const optimizers[] = {"sgd", "sgd:momentum=0.9", "rmsprop",
                                             "rmsprop:momentum=0.9:centered"};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        trained t;
        trained_make_new(&t, optimizers[i]);
        void *before = trained_copy(&t);
        assert_int_equal(fmd_checkpoint_read(temp_path(name), &t.state), FMD_EDATA);
        trained_assert_equal(&t, before);
        free(before);
        trained_release(&t);
    }
    static const char *const models[] = {"flatten,dense:5:relu:nobias,dense:6,dense:8:softmax",
                                         "flatten,dense:5:relu,dense:6,dense:7:softmax",
                                         "flatten,dense:7:softmax"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        fmd_model *m;
        assert_ok(fmd_model_create(&m, models[i], trained_image, 1));
        assert_int_equal(fmd_checkpoint_read_params(temp_path(name), m), FMD_EDATA);
        for (size_t k = 0; k < fmd_model_n_params(m); k++)
            assert_true(fmd_model_params(m)[k] == 0);
        fmd_model_destroy(m);
    }
}

int main(void)
{
    H5open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint_damage__one_wrong_bit_anywhere_is_seen),
        cmocka_unit_test(test_checkpoint_damage__a_file_of_another_length_is_seen),
        cmocka_unit_test(test_checkpoint_damage__parts_that_are_swapped_or_erased_are_seen),
        cmocka_unit_test(test_checkpoint_damage__the_message_tells_what_is_wrong),
        cmocka_unit_test(test_checkpoint_damage__what_is_not_a_regular_file_is_not_opened),
        cmocka_unit_test(test_checkpoint_damage__another_number_or_kind_of_items_is_refused),
        cmocka_unit_test(test_checkpoint_damage__another_model_or_optimizer_is_refused),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
