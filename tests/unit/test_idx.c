#include "data/idx.h"

#include "support/fmd_test.h"
#include "support/idx_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CAPACITY = 4096 };

/* The bytes of a file, before it is written or packed. */
typedef struct content {
    uint8_t at[CAPACITY];
    size_t n;
} content;

/* Payload byte i is 7 * i. */
static content idx_content(int dims, const uint32_t *dim)
{
    content c = {.n = put_idx_header(c.at, dims, dim)};
    size_t bytes = 1;
    for (int i = 0; i < dims; i++)
        bytes *= dim[i];
    assert_true(c.n + bytes <= CAPACITY);
    for (size_t i = 0; i < bytes; i++)
        c.at[c.n++] = (uint8_t)(7 * i);
    return c;
}

static content images(void)
{
    return idx_content(3, (uint32_t[]){5, 3, 4});
}

static content labels(void)
{
    return idx_content(1, (uint32_t[]){6});
}

static content packed(const content *c)
{
    content p;
    p.n = pack_gzip(c->at, c->n, 0, p.at, CAPACITY);
    return p;
}

static void put(const content *c)
{
    write_file(".", "file", c->at, c->n);
}

/* Opening fails with FMD_EDATA and this message. */
#define assert_open_says(kind, message)                                                            \
    do {                                                                                           \
        fmd_idx *opened = NULL;                                                                    \
        assert_fails(fmd_idx_open(&opened, "file", (kind)), FMD_EDATA, (message));                 \
        assert_null(opened);                                                                       \
    } while (0)

/* Opening works, reading fails with FMD_EDATA and this message. */
#define assert_read_says(message)                                                                  \
    do {                                                                                           \
        fmd_idx *opened;                                                                           \
        uint8_t payload[CAPACITY];                                                                 \
        fmd_hash hash;                                                                             \
        assert_ok(fmd_idx_open(&opened, "file", FMD_IDX_IMAGES));                                  \
        assert_fails(fmd_idx_read(opened, payload, &hash), FMD_EDATA, (message));                  \
        fmd_idx_close(opened);                                                                     \
    } while (0)

/* The file gives the payload of `c` and the hash of all of it. */
static void assert_reads(const content *c, fmd_idx_kind kind, size_t n, fmd_shape image)
{
    fmd_idx *f;
    uint8_t payload[CAPACITY];
    fmd_hash hash, expected = fmd_hash_bytes(c->at, c->n);
    assert_ok(fmd_idx_open(&f, "file", kind));
    const fmd_idx_header *h = fmd_idx_header_of(f);
    assert_int_equal(h->n, n);
    assert_memory_equal(&h->image, &image, sizeof image);
    assert_int_equal(h->bytes, n * fmd_shape_count(image));
    assert_ok(fmd_idx_read(f, payload, &hash));
    assert_memory_equal(payload, c->at + c->n - h->bytes, h->bytes);
    assert_memory_equal(&hash, &expected, sizeof hash);
    fmd_idx_close(f);
}

static void test_idx__plain_images_are_read(void **state)
{
    (void)state;
    content c = images();
    put(&c);
    assert_reads(&c, FMD_IDX_IMAGES, 5, (fmd_shape){2, {3, 4}});
}

static void test_idx__packed_images_are_read(void **state)
{
    (void)state;
    content c = images(), p;
    for (int level = 0; level <= 9; level += 9) {
        p.n = pack_gzip(c.at, c.n, level, p.at, CAPACITY);
        put(&p);
        assert_reads(&c, FMD_IDX_IMAGES, 5, (fmd_shape){2, {3, 4}});
    }
}

static void test_idx__colour_images_have_three_dimensions(void **state)
{
    (void)state;
    content c = idx_content(4, (uint32_t[]){2, 4, 5, 3});
    put(&c);
    assert_reads(&c, FMD_IDX_IMAGES, 2, (fmd_shape){3, {4, 5, 3}});
}

static void test_idx__labels_are_read(void **state)
{
    (void)state;
    content c = labels();
    put(&c);
    assert_reads(&c, FMD_IDX_LABELS, 6, (fmd_shape){0});
}

static void test_idx__gzip_members_are_one_stream(void **state)
{
    (void)state;
    content c = images(), p = {.n = 0};
    size_t cuts[] = {0, 2, 2, 16, 40, c.n, c.n};
    for (int i = 0; i < 6; i++)
        p.n += pack_gzip(c.at + cuts[i], cuts[i + 1] - cuts[i], 9, p.at + p.n, CAPACITY - p.n);
    put(&p);
    assert_reads(&c, FMD_IDX_IMAGES, 5, (fmd_shape){2, {3, 4}});
}

/* The reader has 64 KiB of the file at a time: the second member begins before, at and behind their
 * end. */
static void test_idx__gzip_members_meet_anywhere(void **state)
{
    (void)state;
    enum { BYTES = 70000, WINDOW = 1 << 16 };
    static uint8_t file[16 + BYTES], disk[2 * BYTES], payload[BYTES];
    const size_t n = put_idx_header(file, 3, (uint32_t[]){1, 7, BYTES / 7}) + BYTES;
    for (size_t i = n - BYTES; i < n; i++)
        file[i] = (uint8_t)(i * i >> 3);
    for (size_t cut = WINDOW - 40; cut < WINDOW + 10; cut++) {
        fmd_idx *f;
        fmd_hash hash;
        size_t bytes = pack_gzip(file, cut, 0, disk, sizeof disk);
        bytes += pack_gzip(file + cut, n - cut, 9, disk + bytes, sizeof disk - bytes);
        write_file(".", "file", disk, bytes);
        assert_ok(fmd_idx_open(&f, "file", FMD_IDX_IMAGES));
        assert_ok(fmd_idx_read(f, payload, &hash));
        assert_memory_equal(payload, file + n - BYTES, BYTES);
        fmd_idx_close(f);
    }
}

static void test_idx__missing_file_is_no_input(void **state)
{
    (void)state;
    fmd_idx *f;
    assert_fails(fmd_idx_open(&f, "nowhere/file", FMD_IDX_IMAGES), FMD_ENOINPUT,
                 "cannot open 'nowhere/file': No such file or directory");
}

static void test_idx__forbidden_file_is_an_io_error(void **state)
{
    (void)state;
    fmd_idx *f;
    content c = images();
    put(&c);
    assert_int_equal(chmod("file", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    uid_t user = geteuid();
    if (user == 0)
        assert_int_equal(seteuid(65534), 0); /* root may read everything */
    fmd_status status = fmd_idx_open(&f, "file", FMD_IDX_IMAGES);
    assert_int_equal(seteuid(user), 0);
    assert_fails(status, FMD_EIO, "cannot open 'file': Permission denied");
}

static void test_idx__folder_is_named(void **state)
{
    (void)state;
    make_subfolder(".", "file");
    assert_open_says(FMD_IDX_IMAGES, "'file': found a folder, expected an IDX file");
}

static void test_idx__pipe_is_named_without_waiting(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("file", 0644), 0);
    alarm(10);
    assert_open_says(FMD_IDX_IMAGES, "'file': found a pipe or device, expected an IDX file");
    alarm(0);
}

static void test_idx__empty_file_is_named(void **state)
{
    (void)state;
    write_file(".", "file", "", 0);
    assert_open_says(FMD_IDX_IMAGES, "'file': the file is empty, expected an IDX file");
}

static void test_idx__web_page_is_named(void **state)
{
    (void)state;
    write_file(".", "file", "<!DOCTYPE html><title>404</title>", 33);
    assert_open_says(FMD_IDX_IMAGES, "'file': bytes 0 to 3: found 3c 21 44 4f (a web page?), "
                                     "expected 00 00 08 03: not an IDX file");
}

static void test_idx__other_files_are_named(void **state)
{
    (void)state;
    write_file(".", "file", "label,pixel1\n", 13);
    assert_open_says(FMD_IDX_LABELS,
                     "'file': bytes 0 to 3: found 6c 61 62 65 (a text file, perhaps CSV?), "
                     "expected 00 00 08 01: not an IDX file");
    write_file(".", "file", "\x89PNG\r\n", 6);
    assert_open_says(FMD_IDX_IMAGES,
                     "'file': bytes 0 to 3: found 89 50 4e 47 (a PNG picture?), expected "
                     "00 00 08 03: not an IDX file");
}

static void test_idx__other_data_type_is_named(void **state)
{
    (void)state;
    content c = images();
    c.at[2] = 0x0d;
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 2, the data type: found 0x0d, expected 0x08 "
                                     "(unsigned bytes)");
}

static void test_idx__swapped_files_are_named(void **state)
{
    (void)state;
    content c = labels();
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 3, the number of dimensions: found 1 (labels), "
                                     "expected 3 or 4 (images)");
    c = images();
    put(&c);
    assert_open_says(FMD_IDX_LABELS, "'file': byte 3, the number of dimensions: found 3 (images), "
                                     "expected 1 (labels)");
    c.at[3] = 255;
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 3, the number of dimensions: found 255, "
                                     "expected 3 or 4 (images)");
}

static void test_idx__cut_header_is_named(void **state)
{
    (void)state;
    content c = images();
    c.n = 3;
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': the header is cut off: found 3 bytes, expected 4");
    c.n = 15;
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': the header is cut off: found 15 bytes, expected 16");
    content p = packed(&c);
    put(&p);
    assert_open_says(FMD_IDX_IMAGES, "'file': the header is cut off: found 15 unpacked bytes, "
                                     "expected 16");
}

static void test_idx__zero_dimensions_are_named(void **state)
{
    (void)state;
    content c = idx_content(3, (uint32_t[]){0, 28, 28});
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 4, images: found 0, expected at least 1");
    c = idx_content(3, (uint32_t[]){5, 28, 0});
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 12, width: found 0, expected at least 1");
    c = idx_content(1, (uint32_t[]){0});
    put(&c);
    assert_open_says(FMD_IDX_LABELS, "'file': byte 4, labels: found 0, expected at least 1");
}

static void test_idx__huge_dimensions_are_named(void **state)
{
    (void)state;
    content c = {.n = CAPACITY};
    put_idx_header(c.at, 3, (uint32_t[]){1, 65536, 32768});
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 12, width: found 32768, expected an image of at "
                                     "most 2147483647 bytes");
    put_idx_header(c.at, 4, (uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX});
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 8, height: found 4294967295, expected an image "
                                     "of at most 2147483647 bytes");
    put_idx_header(c.at, 3, (uint32_t[]){UINT32_MAX, 65535, 32768});
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': byte 4, images: found 4294967295 of 2147450880 bytes "
                                     "each, expected a size that fits into memory");
}

static void test_idx__wrong_size_is_named_at_opening(void **state)
{
    (void)state;
    content c = images();
    c.n--;
    put(&c);
    assert_open_says(FMD_IDX_IMAGES, "'file': the file is too short: found 75 bytes, expected 76 "
                                     "(16 of header, 60 for 5 images)");
    c = labels();
    c.n++;
    put(&c);
    assert_open_says(FMD_IDX_LABELS, "'file': the file is too long: found 15 bytes, expected 14 "
                                     "(8 of header, 6 for 6 labels)");
}

static void test_idx__impossible_packed_size_is_named_at_opening(void **state)
{
    (void)state;
    if (SIZE_MAX == UINT32_MAX) /* it exceeds the memory, and says so */
        skip();
    content c = {.n = 16};
    put_idx_header(c.at, 3, (uint32_t[]){1000000, 1000, 1000});
    content p = packed(&c);
    put(&p);
    assert_open_says(FMD_IDX_IMAGES, "'file': the header announces 1000000000016 bytes, more than "
                                     "39 bytes of gzip data can hold");
}

/* The header is read by then. */
static void test_idx__a_file_that_shrinks_after_opening_is_named(void **state)
{
    (void)state;
    enum { SIDE = 512 };
    static uint8_t file[16 + SIDE * SIDE], payload[SIDE * SIDE];
    fmd_idx *f;
    fmd_hash hash;
    write_file(".", "file", file,
               put_idx_header(file, 3, (uint32_t[]){1, SIDE, SIDE}) + SIDE * SIDE);
    assert_ok(fmd_idx_open(&f, "file", FMD_IDX_IMAGES));
    assert_int_equal(truncate("file", 100000), 0);
    assert_fails(fmd_idx_read(f, payload, &hash), FMD_EDATA,
                 "'file': the payload is cut off: found 100000 bytes, expected 262160");
    fmd_idx_close(f);
}

static void test_idx__a_file_that_cannot_be_read_on_is_an_io_error(void **state)
{
    (void)state;
    static uint8_t payload[1 << 20];
    static const uint8_t zeros[(1 << 20) + 16];
    uint8_t head[16];
    fmd_idx *f;
    fmd_hash hash;
    write_file(".", "file", zeros, sizeof zeros);
    FILE *file = fopen("file", "r+b");
    assert_int_equal(fwrite(head, 1, put_idx_header(head, 3, (uint32_t[]){1, 1024, 1024}), file),
                     16);
    assert_int_equal(fclose(file), 0);
    const int next = dup(STDERR_FILENO); /* the number that the file gets */
    close(next);
    assert_ok(fmd_idx_open(&f, "file", FMD_IDX_IMAGES));
    const int write_only = open("other", O_WRONLY | O_CREAT, 0666);
    assert_int_equal(dup2(write_only, next), next);
    close(write_only);
    assert_fails(fmd_idx_read(f, payload, &hash), FMD_EIO,
                 "cannot read 'file': Bad file descriptor");
    fmd_idx_close(f);
}

static void test_idx__packed_file_of_wrong_length_is_named(void **state)
{
    (void)state;
    content c = images();
    c.n--;
    content p = packed(&c);
    put(&p);
    assert_read_says("'file': the payload is cut off: found 75 unpacked bytes, expected 76");
    c.n += 2;
    p = packed(&c);
    put(&p);
    assert_read_says("'file': the unpacked file is too long: found more than the 76 bytes that its "
                     "header announces");
}

static void test_idx__truncated_gzip_is_named(void **state)
{
    (void)state;
    content c = images(), p = packed(&c);
    size_t whole = p.n;
    p.n = whole - 8 - 20;
    put(&p);
    assert_read_says("'file': the gzip data are cut off at byte 71: found 56 unpacked bytes, "
                     "expected 76");
    p.n = whole - 1;
    put(&p);
    assert_read_says("'file': the gzip data are cut off at byte 98: the checksum is missing");
    p.n = 5;
    put(&p);
    assert_open_says(FMD_IDX_IMAGES,
                     "'file': the gzip data are cut off at byte 5: found 0 unpacked "
                     "bytes, expected 4");
}

static void test_idx__every_truncation_of_a_gzip_fails(void **state)
{
    (void)state;
    content c = images(), p;
    p.n = pack_gzip(c.at, c.n, 9, p.at, CAPACITY);
    uint8_t payload[CAPACITY];
    for (size_t whole = p.n--; p.n > 0; p.n--) {
        put(&p);
        fmd_idx *f = NULL;
        fmd_hash hash;
        fmd_status status = fmd_idx_open(&f, "file", FMD_IDX_IMAGES);
        if (status == FMD_OK)
            status = fmd_idx_read(f, payload, &hash);
        fmd_idx_close(f);
        if (status != FMD_EDATA)
            fail_msg("status %d with %zu of %zu bytes", (int)status, p.n, whole);
    }
}

static void test_idx__every_flipped_bit_of_packed_payload_fails(void **state)
{
    (void)state;
    content c = images(), p = packed(&c);
    size_t first = p.n - 8 - 60; /* stored bytes, then CRC and length */
    for (size_t bit = 8 * first; bit < 8 * p.n; bit++) {
        p.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        put(&p);
        assert_read_says(bit < 8 * (p.n - 4)
                             ? "'file': damaged gzip data at byte 95: incorrect data check"
                             : "'file': damaged gzip data at byte 99: incorrect length check");
        p.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_idx__bytes_behind_the_gzip_data_are_named(void **state)
{
    (void)state;
    content c = images(), p = packed(&c);
    memcpy(p.at + p.n, "garbage", 7);
    p.n += 7;
    put(&p);
    assert_read_says("'file': byte 99: found 7 more bytes, expected the end of the file");
    memcpy(p.at + p.n - 7, "\x1f\x8b garb", 7);
    put(&p);
    assert_read_says("'file': damaged gzip data at byte 103: unknown compression method");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_idx__plain_images_are_read),
        in_folder(test_idx__packed_images_are_read),
        in_folder(test_idx__colour_images_have_three_dimensions),
        in_folder(test_idx__labels_are_read),
        in_folder(test_idx__gzip_members_are_one_stream),
        in_folder(test_idx__gzip_members_meet_anywhere),
        in_folder(test_idx__missing_file_is_no_input),
        in_folder(test_idx__forbidden_file_is_an_io_error),
        in_folder(test_idx__folder_is_named),
        in_folder(test_idx__pipe_is_named_without_waiting),
        in_folder(test_idx__empty_file_is_named),
        in_folder(test_idx__web_page_is_named),
        in_folder(test_idx__other_files_are_named),
        in_folder(test_idx__other_data_type_is_named),
        in_folder(test_idx__swapped_files_are_named),
        in_folder(test_idx__cut_header_is_named),
        in_folder(test_idx__zero_dimensions_are_named),
        in_folder(test_idx__huge_dimensions_are_named),
        in_folder(test_idx__wrong_size_is_named_at_opening),
        in_folder(test_idx__impossible_packed_size_is_named_at_opening),
        in_folder(test_idx__a_file_that_shrinks_after_opening_is_named),
        in_folder(test_idx__a_file_that_cannot_be_read_on_is_an_io_error),
        in_folder(test_idx__packed_file_of_wrong_length_is_named),
        in_folder(test_idx__truncated_gzip_is_named),
        in_folder(test_idx__every_truncation_of_a_gzip_fails),
        in_folder(test_idx__every_flipped_bit_of_packed_payload_fails),
        in_folder(test_idx__bytes_behind_the_gzip_data_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
