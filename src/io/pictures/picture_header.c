#include "io/pictures/picture.h"

#include "base/system/regular_file.h"

#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool fmd_picture_is_jpeg(const void *data, size_t bytes)
{
    return bytes >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0;
}

static fmd_status damaged(const char *path)
{
    return FMD_FAIL(FMD_EDATA, "'%s': not a sound PNG or JPEG file", path);
}

static fmd_status examine_png(fmd_picture *out, FILE *file, const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_stdio(&image, file))
        return damaged(path);
    *out = (fmd_picture){.width = image.width,
                         .height = image.height,
                         .channels = (image.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1};
    png_image_free(&image);
    return FMD_OK;
}

/* Closes the file. */
static fmd_status examine(fmd_picture *out, FILE *file, const char *path)
{
    uint8_t head[3];
    fmd_status st = damaged(path);
    if (fread(head, 1, sizeof head, file) == sizeof head && fseek(file, 0, SEEK_SET) == 0)
        st = fmd_picture_is_jpeg(head, sizeof head) ? fmd_picture_examine_jpeg(out, file, path)
                                                    : examine_png(out, file, path);
    fclose(file);
    return st;
}

fmd_status fmd_picture_examine(fmd_picture *out, const char *path)
{
    int fd;
    size_t bytes;
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, path, "a PNG or JPEG file"));
    FILE *file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
    }
    return examine(out, file, path);
}

fmd_status fmd_picture_examine_bytes(fmd_picture *out, const void *data, size_t bytes,
                                     const char *path)
{
    /* fmemopen takes no const; the file is only read. */
    union {
        const void *constant;
        void *plain;
    } start = {.constant = data};
    FILE *file = fmemopen(start.plain, bytes, "rb");
    if (file == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: examining '%s'", path);
    return examine(out, file, path);
}
