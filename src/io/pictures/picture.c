#include "io/pictures/picture.h"

#include "base/mem.h"
#include "io/atomic_file.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of a file, in bytes: more than FMD_PICTURE_MAX_PIXELS take in any sensible one. */
static const off_t max_file_bytes = (off_t)1 << 30;

fmd_status fmd_picture_create(fmd_picture *out, size_t width, size_t height, size_t channels)
{
    void *pixels = NULL;
    if (width == 0 || height == 0 || width > FMD_PICTURE_MAX_PIXELS / height)
        return FMD_FAIL(FMD_EUSAGE, "a picture of %zu x %zu pixels: at most %d in all, and one",
                        width, height, FMD_PICTURE_MAX_PIXELS);
    FMD_TRY(fmd_alloc(&pixels, width * height, channels, "a picture"));
    *out = (fmd_picture){.width = width, .height = height, .channels = channels, .pixels = pixels};
    return FMD_OK;
}

void fmd_picture_free(fmd_picture *p)
{
    free(p->pixels);
    p->pixels = NULL;
}

static png_uint_32 format_of(size_t channels)
{
    return channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
}

/* Other formats, to name them in the message. */
static const char *looks_like(const uint8_t *data, size_t n)
{
    static const struct {
        const char *magic;
        size_t at;
        const char *name;
    } kinds[] = {{"GIF8", 0, "GIF"}, {"WEBP", 8, "WebP"}, {"BM", 0, "BMP"},
                 {"II*", 0, "TIFF"}, {"MM", 0, "TIFF"},   {"ftyp", 4, "HEIC or AVIF"},
                 {"%PDF", 0, "PDF"}, {"<svg", 0, "SVG"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t length = strlen(kinds[i].magic);
        if (n >= kinds[i].at + length && memcmp(data + kinds[i].at, kinds[i].magic, length) == 0)
            return kinds[i].name;
    }
    return NULL;
}

static fmd_status not_a_picture(const char *path, const void *data, size_t n)
{
    const char *kind = looks_like(data, n);
    if (kind != NULL)
        return FMD_FAIL(FMD_EDATA, "'%s': not a PNG or JPEG file but %s: convert it to PNG", path,
                        kind);
    return FMD_FAIL(FMD_EDATA, "'%s': not a PNG or JPEG file%s", path,
                    n == 0 ? ": it is empty" : "");
}

/* A pipe or a device may have no end. */
fmd_status fmd_picture_load(void **data, size_t *bytes, const char *path)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return FMD_FAIL(errno == ENOENT || errno == ENOTDIR ? FMD_ENOINPUT : FMD_EIO,
                        "cannot open '%s': %s", path, strerror(errno));
    if (!S_ISREG(s.st_mode))
        return FMD_FAIL(FMD_EDATA, "'%s': found %s, expected a PNG or JPEG file", path,
                        S_ISDIR(s.st_mode) ? "a folder" : "a pipe or device");
    if (s.st_size > max_file_bytes)
        return FMD_FAIL(FMD_EDATA, "'%s': %lld bytes: too large for a picture", path,
                        (long long)s.st_size);
    return fmd_atomic_file_read(data, bytes, path);
}

static fmd_status decode_png(fmd_picture *out, png_image *image, const char *path, size_t channels,
                             uint8_t ground)
{
    const png_color background = {ground, ground, ground};
    fmd_picture p;
    if (image->width > FMD_PICTURE_MAX_PIXELS / image->height)
        return FMD_FAIL(FMD_EDATA, "'%s': %u x %u pixels: at most %d in all", path, image->width,
                        image->height, FMD_PICTURE_MAX_PIXELS);
    FMD_TRY(fmd_picture_create(&p, image->width, image->height, channels));
    image->format = format_of(channels);
    image->flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* as viewers do; libpng takes them as linear */
    if (!png_image_finish_read(image, &background, p.pixels, 0, NULL)) {
        fmd_picture_free(&p);
        return FMD_FAIL(FMD_EDATA, "'%s': a damaged or cut off PNG file: %s", path, image->message);
    }
    *out = p;
    return FMD_OK;
}

fmd_status fmd_picture_decode(fmd_picture *out, const void *data, size_t bytes, const char *path,
                              size_t channels, uint8_t ground)
{
    static const uint8_t signature[8] = "\x89PNG\r\n\x1a\n";
    png_image image = {.version = PNG_IMAGE_VERSION};
    fmd_status st = FMD_OK;
    if (fmd_picture_is_jpeg(data, bytes))
        st = fmd_picture_decode_jpeg(out, data, bytes, path, channels);
    else if (bytes < sizeof signature || memcmp(data, signature, sizeof signature) != 0)
        st = not_a_picture(path, data, bytes);
    else if (!png_image_begin_read_from_memory(&image, data, bytes))
        st = FMD_FAIL(FMD_EDATA, "'%s': a damaged or cut off PNG file: %s", path, image.message);
    else
        st = decode_png(out, &image, path, channels, ground);
    png_image_free(&image);
    return st;
}

fmd_status fmd_picture_read(fmd_picture *out, const char *path, size_t channels, uint8_t ground)
{
    void *data = NULL;
    size_t bytes = 0;
    FMD_TRY(fmd_picture_load(&data, &bytes, path));
    const fmd_status st = fmd_picture_decode(out, data, bytes, path, channels, ground);
    free(data);
    return st;
}

fmd_status fmd_picture_encode(const fmd_picture *p, void **png, size_t *bytes)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->width,
                       .height = (png_uint_32)p->height,
                       .format = format_of(p->channels)};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *data = malloc(size);
    if (data == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: a PNG file of %zu bytes", (size_t)size);
    if (!png_image_write_to_memory(&image, data, &size, 0, p->pixels, 0, NULL)) {
        free(data);
        return FMD_FAIL(FMD_EINTERNAL, "cannot make a PNG file: %s", image.message);
    }
    *png = data;
    *bytes = size;
    return FMD_OK;
}

fmd_status fmd_picture_write(const fmd_picture *p, const char *path)
{
    void *png = NULL;
    size_t bytes = 0;
    FMD_TRY(fmd_picture_encode(p, &png, &bytes));
    fmd_status st = fmd_atomic_file_write(path, png, bytes);
    free(png);
    return st;
}
