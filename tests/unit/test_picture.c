/* PNG files: what is written reads back, what is no picture or damaged is named and nothing of it
 * is used. */
#include "support/fmd_test.h"
#include "support/temp_folder.h"

#include "io/pictures/picture.h"

#include <jpeglib.h>
#include <png.h>
#include <sys/stat.h>

enum { MAX_BYTES = 1 << 16 };

/* Every value once in each channel. */
static fmd_picture make_picture(size_t channels)
{
    fmd_picture p;
    assert_ok(fmd_picture_create(&p, 32, 8, channels));
    for (size_t i = 0; i < 256 * channels; i++)
        p.pixels[i] = (uint8_t)(i / channels * (1 + 2 * (i % channels)));
    return p;
}

static void put_file(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(temp_path(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static size_t get_file(const char *name, uint8_t data[MAX_BYTES])
{
    FILE *f = fopen(temp_path(name), "rb");
    assert_non_null(f);
    size_t n = fread(data, 1, MAX_BYTES, f);
    fclose(f);
    return n;
}

/* Reading fails with this status, and with this text behind the quoted path. */
static void assert_refused(const char *name, fmd_status status, const char *text)
{
    char message[FMD_ERROR_BYTES];
    fmd_picture p = {.width = 77};
    snprintf(message, sizeof message, "%s'%s'%s", status == FMD_ENOINPUT ? "cannot open " : "",
             temp_path(name), text);
    assert_fails(fmd_picture_read(&p, temp_path(name), 1, 0), status, message);
    assert_int_equal(p.width, 77);
    assert_null(p.pixels);
}

/* A JPEG file of one colour. */
static void put_jpeg(const char *name, J_COLOR_SPACE space, int channels, const uint8_t *colour)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr manager;
    uint8_t row[24 * 4];
    FILE *f = fopen(temp_path(name), "wb");
    assert_non_null(f);
    info.err = jpeg_std_error(&manager);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, f);
    info.image_width = 24;
    info.image_height = 16;
    info.input_components = channels;
    info.in_color_space = space;
    jpeg_set_defaults(&info);
    jpeg_start_compress(&info, TRUE);
    for (int i = 0; i < 24 * channels; i++)
        row[i] = colour[i % channels];
    for (int y = 0; y < 16; y++)
        jpeg_write_scanlines(&info, (JSAMPROW[]){row}, 1);
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(f);
}

static void assert_colour(const char *name, size_t channels, const uint8_t *colour)
{
    fmd_picture p;
    assert_ok(fmd_picture_read(&p, temp_path(name), channels, 0));
    assert_int_equal(p.width, 24);
    assert_int_equal(p.height, 16);
    for (size_t i = 0; i < p.width * p.height * channels; i++)
        assert_in_range(p.pixels[i] + 3 - colour[i % channels], 0, 6);
    fmd_picture_free(&p);
}

static void test_picture__jpeg_files_are_read_as_grey_and_as_colour(void **state)
{
    (void)state;
    put_jpeg("red.jpg", JCS_RGB, 3, (const uint8_t[]){200, 60, 10});
    assert_colour("red.jpg", 3, (const uint8_t[]){200, 60, 10});
    assert_colour("red.jpg", 1, (const uint8_t[]){96});
    put_jpeg("grey.jpg", JCS_GRAYSCALE, 1, (const uint8_t[]){77});
    assert_colour("grey.jpg", 1, (const uint8_t[]){77});
    assert_colour("grey.jpg", 3, (const uint8_t[]){77, 77, 77});
}

/* A JPEG file, 24 x 16, whose quarters are 20, 90, 160 and 230, stored under an orientation. */
static void put_turned(const char *name, int orientation)
{
    const uint8_t exif[] = {
        'E', 'x', 'i', 'f', 0,    0, 'M', 'M', 0, 42, 0, 0, 0,
        8,   0,   1,   1,   0x12, 0, 3,   0,   0, 0,  1, 0, (uint8_t)orientation,
        0,   0,   0,   0,   0,    0};
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr manager;
    uint8_t row[24];
    FILE *f = fopen(temp_path(name), "wb");
    assert_non_null(f);
    info.err = jpeg_std_error(&manager);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, f);
    info.image_width = 24;
    info.image_height = 16;
    info.input_components = 1;
    info.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_start_compress(&info, TRUE);
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
    for (int y = 0; y < 16; y++) {
        for (int x = 0; x < 24; x++)
            row[x] = (uint8_t)(20 + 70 * (x / 12) + 140 * (y / 8));
        jpeg_write_scanlines(&info, (JSAMPROW[]){row}, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(f);
}

/* The corners, from the upper left one by rows, as Exif 2.3 has them for orientations 1 to 8. */
static void test_picture__exif_turns_a_picture_upright(void **state)
{
    (void)state;
    static const int corners[8][4] = {{20, 90, 160, 230}, {90, 20, 230, 160}, {230, 160, 90, 20},
                                      {160, 230, 20, 90}, {20, 160, 90, 230}, {160, 20, 230, 90},
                                      {230, 90, 160, 20}, {90, 230, 20, 160}};
    for (int how = 1; how <= 8; how++) {
        fmd_picture p;
        put_turned("turned.jpg", how);
        assert_ok(fmd_picture_read(&p, temp_path("turned.jpg"), 1, 0));
        assert_int_equal(p.width, how < 5 ? 24 : 16);
        assert_int_equal(p.height, how < 5 ? 16 : 24);
        for (size_t k = 0; k < 4; k++) {
            const size_t x = k % 2 * (p.width - 5) + 2, y = k / 2 * (p.height - 5) + 2;
            assert_in_range(p.pixels[y * p.width + x] + 10 - corners[how - 1][k], 0, 20);
        }
        fmd_picture_free(&p);
    }
}

/* libpng would take them as linear light, and brighten the middle. */
static void test_picture__values_of_16_bits_keep_their_upper_half(void **state)
{
    (void)state;
    fmd_picture p;
    FILE *f = fopen(temp_path("deep.png"), "wb");
    const uint16_t values[] = {0, 257 * 50, 257 * 128, 65535};
    uint8_t row[8];
    for (int i = 0; i < 4; i++) {
        row[2 * i] = (uint8_t)(values[i] >> 8);
        row[2 * i + 1] = (uint8_t)values[i];
    }
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, 4, 1, 16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    png_write_row(png, row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    assert_ok(fmd_picture_read(&p, temp_path("deep.png"), 1, 0));
    for (int i = 0; i < 4; i++)
        assert_in_range(p.pixels[i] + 1 - values[i] / 257, 0, 2);
    fmd_picture_free(&p);
}

static void test_picture__damaged_and_cmyk_jpeg_files_are_named(void **state)
{
    (void)state;
    uint8_t data[MAX_BYTES];
    put_jpeg("cut.jpg", JCS_RGB, 3, (const uint8_t[]){200, 60, 10});
    put_file("cut.jpg", data, get_file("cut.jpg", data) - 12);
    assert_refused("cut.jpg", FMD_EDATA,
                   ": a damaged or cut off JPEG file: Premature end of JPEG file");
    put_jpeg("cmyk.jpg", JCS_CMYK, 4, (const uint8_t[]){1, 2, 3, 4});
    assert_refused("cmyk.jpg", FMD_EDATA, ": a JPEG file in CMYK: convert it to RGB");
}

static void test_picture__what_is_written_reads_back(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 3; channels += 2) {
        fmd_picture p = make_picture(channels), q;
        assert_ok(fmd_picture_write(&p, temp_path("p.png")));
        assert_ok(fmd_picture_read(&q, temp_path("p.png"), channels, 0));
        assert_int_equal(q.width, 32);
        assert_int_equal(q.height, 8);
        assert_int_equal(q.channels, channels);
        assert_memory_equal(q.pixels, p.pixels, 256 * channels);
        fmd_picture_free(&q);
        fmd_picture_free(&p);
    }
}

static void test_picture__the_bytes_in_memory_are_those_of_the_file(void **state)
{
    (void)state;
    static uint8_t file[MAX_BYTES];
    fmd_picture p = make_picture(3);
    void *png;
    size_t bytes;
    assert_ok(fmd_picture_encode(&p, &png, &bytes));
    assert_ok(fmd_picture_write(&p, temp_path("p.png")));
    assert_int_equal(get_file("p.png", file), bytes);
    assert_memory_equal(png, file, bytes);
    free(png);
    fmd_picture_free(&p);
}

/* Writes with libpng itself, in a format that the module does not write. */
static void put_png(const char *name, png_uint_32 format, const void *pixels)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 2, .height = 1, .format = format};
    assert_true(png_image_write_to_file(&image, temp_path(name), 0, pixels, 0, NULL));
}

static void assert_reads_as(const char *name, uint8_t ground, uint8_t first, uint8_t second)
{
    fmd_picture p;
    assert_ok(fmd_picture_read(&p, temp_path(name), 1, ground));
    assert_int_equal(p.channels, 1);
    assert_in_range(p.pixels[0], first - (first > 0), first + 1);
    assert_in_range(p.pixels[1], second - (second > 0), second + 1);
    fmd_picture_free(&p);
}

static void test_picture__colour_becomes_grey_and_glass_shows_the_ground(void **state)
{
    (void)state;
    put_png("rgb.png", PNG_FORMAT_RGB, (uint8_t[]){90, 90, 90, 0, 255, 0});
    assert_reads_as("rgb.png", 0, 90, 220); /* 0.7152 of the light, in sRGB */
    put_png("rgba.png", PNG_FORMAT_RGBA, (uint8_t[]){9, 9, 9, 0, 200, 200, 200, 255});
    assert_reads_as("rgba.png", 0, 0, 200);
    assert_reads_as("rgba.png", 255, 255, 200);
    put_png("deep.png", PNG_FORMAT_LINEAR_Y, (uint16_t[]){0, 65535});
    assert_reads_as("deep.png", 0, 0, 255);
}

static void test_picture__what_is_no_png_is_refused(void **state)
{
    (void)state;
    assert_refused("none.png", FMD_ENOINPUT, ": No such file or directory");
    put_file("text.png", "hello, world", 12);
    assert_refused("text.png", FMD_EDATA, ": not a PNG or JPEG file");
    put_file("empty.png", "", 0);
    assert_refused("empty.png", FMD_EDATA, ": not a PNG or JPEG file: it is empty");
    put_file("photo.png", "\xff\xd8\xff\xe0 photo", 10);
    assert_refused("photo.png", FMD_EDATA,
                   ": a damaged or cut off JPEG file: Premature end of JPEG file");
    put_file("web.png", "RIFF....WEBPVP8 ", 16);
    assert_refused("web.png", FMD_EDATA, ": not a PNG or JPEG file but WebP: convert it to PNG");
    assert_refused(".", FMD_EDATA, ": found a folder, expected a PNG or JPEG file");
    assert_int_equal(mkfifo(temp_path("fifo.png"), 0600), 0);
    assert_refused("fifo.png", FMD_EDATA, ": found a pipe or device, expected a PNG or JPEG file");
}

/* Every cut, up to the last bytes that say nothing of the picture (the CRC of the data, and IEND),
 * and every flipped byte: refused, or read as the same pixels. */
static void test_picture__damage_never_gives_another_picture(void **state)
{
    (void)state;
    static uint8_t file[MAX_BYTES];
    enum { TAIL = 12 + 4 };
    fmd_picture p = make_picture(1);
    assert_ok(fmd_picture_write(&p, temp_path("whole.png")));
    const size_t n = get_file("whole.png", file);
    for (size_t cut = 0; cut < n; cut++) {
        fmd_picture q = {.width = 0};
        put_file("cut.png", file, cut);
        const fmd_status st = fmd_picture_read(&q, temp_path("cut.png"), 1, 0);
        if (cut + TAIL < n)
            assert_int_equal(st, FMD_EDATA);
        if (st == FMD_OK)
            assert_memory_equal(q.pixels, p.pixels, 256);
        fmd_picture_free(&q);
    }
    for (size_t i = 0; i < n; i++) {
        fmd_picture q = {.width = 0};
        file[i] ^= 0x10;
        put_file("flipped.png", file, n);
        file[i] ^= 0x10;
        if (fmd_picture_read(&q, temp_path("flipped.png"), 1, 0) == FMD_OK)
            assert_memory_equal(q.pixels, p.pixels, 256);
        fmd_picture_free(&q);
    }
    fmd_picture_free(&p);
}

static void test_picture__sizes_out_of_range_are_refused(void **state)
{
    (void)state;
    /* The header of a PNG of 20000 x 20000 pixels, and nothing behind it but its CRC. */
    static const uint8_t large[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0N \0\0N \x08\0\0\0\0\xc6\x1b\x19\xe5"
        "\0\0\0\0IDAT\x35\xaf\x06\x1e";
    put_file("large.png", large, sizeof large - 1);
    assert_refused("large.png", FMD_EDATA, ": 20000 x 20000 pixels: at most 100000000 in all");
    fmd_picture p;
    assert_int_equal(fmd_picture_create(&p, 0, 5, 1), FMD_EUSAGE);
    assert_int_equal(fmd_picture_create(&p, SIZE_MAX / 2, 4, 1), FMD_EUSAGE);
    FILE *f = fopen(temp_path("sparse.png"), "wb");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), (off_t)2 << 30), 0);
    fclose(f);
    assert_refused("sparse.png", FMD_EDATA, ": 2147483648 bytes: too large for a picture");
}

static void test_picture__a_folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    fmd_picture p = make_picture(1);
    assert_fails(fmd_picture_write(&p, "nowhere/p.png"), FMD_EIO,
                 "cannot write 'nowhere/p.png': its folder cannot be opened: No such file or "
                 "directory");
    fmd_picture_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_picture__jpeg_files_are_read_as_grey_and_as_colour),
        cmocka_unit_test(test_picture__exif_turns_a_picture_upright),
        cmocka_unit_test(test_picture__values_of_16_bits_keep_their_upper_half),
        cmocka_unit_test(test_picture__damaged_and_cmyk_jpeg_files_are_named),
        cmocka_unit_test(test_picture__what_is_written_reads_back),
        cmocka_unit_test(test_picture__the_bytes_in_memory_are_those_of_the_file),
        cmocka_unit_test(test_picture__colour_becomes_grey_and_glass_shows_the_ground),
        cmocka_unit_test(test_picture__what_is_no_png_is_refused),
        cmocka_unit_test(test_picture__damage_never_gives_another_picture),
        cmocka_unit_test(test_picture__sizes_out_of_range_are_refused),
        cmocka_unit_test(test_picture__a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
