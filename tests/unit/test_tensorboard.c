/* Event files: the checksum, and the records byte for byte as TensorFlow publishes the format. */
#include "support/temp_folder.h"

#include "io/tensorboard/crc32c.h"
#include "io/tensorboard/tensorboard.h"

#include <sys/stat.h>

static void test_tensorboard__the_checksum_has_the_published_values(void **state)
{
    (void)state;
    uint8_t block[32] = {0};
    assert_int_equal(fmd_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(fmd_crc32c("", 0), 0);
    /* RFC 3720, B.4 */
    assert_int_equal(fmd_crc32c(block, 32), 0x8a9136aa);
    memset(block, 0xff, 32);
    assert_int_equal(fmd_crc32c(block, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        block[i] = (uint8_t)i;
    assert_int_equal(fmd_crc32c(block, 32), 0x46dd794e);
}

/* The bytes of the one file in RUN/tensorboard/train, which is removed. */
static size_t take_file(uint8_t bytes[1024])
{
    size_t n = 0;
    DIR *dir = opendir(temp_path("tensorboard/train"));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[600];
        if (entry->d_name[0] == '.')
            continue;
        assert_int_equal(n, 0);
        assert_int_equal(strncmp(entry->d_name, "events.out.tfevents.", 20), 0);
        snprintf(path, sizeof path, "%s/%s", temp_path("tensorboard/train"), entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        n = fread(bytes, 1, 1024, file);
        fclose(file);
        unlink(path);
    }
    closedir(dir);
    return n;
}

static int remove_folders(void **state)
{
    (void)state;
    rmdir(temp_path("tensorboard/train"));
    rmdir(temp_path("tensorboard"));
    return 0;
}

static uint32_t masked(const void *data, size_t bytes)
{
    const uint32_t crc = fmd_crc32c(data, bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

/* The payload of the record at *at, which moves behind it; its checksums are right. */
static const uint8_t *next_record(const uint8_t *bytes, size_t *at, size_t *length)
{
    const uint8_t *record = bytes + *at;
    uint32_t crc;
    assert_int_equal(record[1] | record[2] | record[3] | record[4], 0);
    *length = record[0];
    memcpy(&crc, record + 8, 4);
    assert_int_equal(crc, masked(record, 8));
    memcpy(&crc, record + 12 + *length, 4);
    assert_int_equal(crc, masked(record + 12, *length));
    *at += 12 + *length + 4;
    return record + 12;
}

/* Behind the time, which comes first: field 1, a double. */
static void assert_payload(const uint8_t *payload, size_t length, const char *expected, size_t n)
{
    double time;
    assert_int_equal(payload[0], 0x09);
    memcpy(&time, payload + 1, 8);
    assert_true(time > 1.7e9);
    assert_int_equal(length, 9 + n);
    assert_memory_equal(payload + 9, expected, n);
}

static void test_tensorboard__a_file_has_version_start_and_scalars(void **state)
{
    (void)state;
    static const char version[] = "\x1a\x0d"
                                  "brain.Event:2";
    static const char start[] = "\x10\x03\x3a\x02\x08\x01"; /* step 3, session log: start */
    static const char scalar[] = "\x10\xac\x02"             /* step 300 */
                                 "\x2a\x0d\x0a\x0b"         /* a summary with a value */
                                 "\x0a\x04loss\x15\x00\x00\x00\x3f"; /* 0.5f */
    uint8_t bytes[1024];
    size_t at = 0, length;
    fmd_tensorboard *t;
    assert_ok(fmd_tensorboard_open(&t, temp_path("."), "train", 3));
    fmd_tensorboard_scalar(t, "loss", 300, 0.5);
    assert_ok(fmd_tensorboard_flush(t));
    const size_t n = take_file(bytes);
    const uint8_t *payload = next_record(bytes, &at, &length);
    assert_payload(payload, length, version, sizeof version - 1);
    payload = next_record(bytes, &at, &length);
    assert_payload(payload, length, start, sizeof start - 1);
    payload = next_record(bytes, &at, &length);
    assert_payload(payload, length, scalar, sizeof scalar - 1);
    assert_int_equal(at, n);
    fmd_tensorboard_close(t);
}

static void test_tensorboard__a_file_that_adds_voids_nothing(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    size_t at = 0, length;
    fmd_tensorboard *t;
    assert_ok(fmd_tensorboard_open(&t, temp_path("."), "train", FMD_TENSORBOARD_ADD));
    const size_t n = take_file(bytes);
    next_record(bytes, &at, &length);
    assert_int_equal(at, n);
    fmd_tensorboard_close(t);
}

static void test_tensorboard__two_of_the_same_second_are_two_files(void **state)
{
    (void)state;
    fmd_tensorboard *t[3];
    int n = 0;
    for (int i = 0; i < 3; i++)
        assert_ok(fmd_tensorboard_open(&t[i], temp_path("."), "train", 0));
    DIR *dir = opendir(temp_path("tensorboard/train"));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(dir), entry->d_name, 0);
            n++;
        }
    closedir(dir);
    for (int i = 0; i < 3; i++)
        fmd_tensorboard_close(t[i]);
    assert_int_equal(n, 3);
}

static void test_tensorboard__a_folder_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    fmd_tensorboard *t;
    assert_fails(fmd_tensorboard_open(&t, "/nowhere", "train", 0), FMD_EIO,
                 "cannot create the folder '/nowhere/tensorboard': No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensorboard__the_checksum_has_the_published_values),
        cmocka_unit_test_teardown(test_tensorboard__a_file_has_version_start_and_scalars,
                                  remove_folders),
        cmocka_unit_test_teardown(test_tensorboard__a_file_that_adds_voids_nothing, remove_folders),
        cmocka_unit_test_teardown(test_tensorboard__two_of_the_same_second_are_two_files,
                                  remove_folders),
        cmocka_unit_test(test_tensorboard__a_folder_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
