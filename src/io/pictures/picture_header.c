#include "io/pictures/picture.h"

#include "base/system/regular_file.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

/* libjpeg reports errors by a function that must not return. */
typedef struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf back;
} failure;

static void give_up(j_common_ptr info)
{
    longjmp(((failure *)info->err)->back, 1);
}

static void ignore(j_common_ptr info, int level)
{
    (void)info;
    (void)level;
}

static fmd_status damaged(const char *path)
{
    return FMD_FAIL(FMD_EDATA, "'%s': not a sound PNG or JPEG file", path);
}

static fmd_status examine_jpeg(fmd_picture *out, FILE *file, const char *path)
{
    struct jpeg_decompress_struct info;
    failure error;
    info.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = give_up;
    error.manager.emit_message = ignore;
    if (setjmp(error.back) != 0) {
        jpeg_destroy_decompress(&info);
        return damaged(path);
    }
    jpeg_create_decompress(&info);
    jpeg_stdio_src(&info, file);
    jpeg_read_header(&info, TRUE);
    *out = (fmd_picture){.width = info.image_width,
                         .height = info.image_height,
                         .channels = info.num_components == 1 ? 1 : 3};
    jpeg_destroy_decompress(&info);
    return FMD_OK;
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

fmd_status fmd_picture_examine(fmd_picture *out, const char *path)
{
    int fd;
    size_t bytes;
    uint8_t head[3];
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, path, "a PNG or JPEG file"));
    FILE *file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", path);
    }
    fmd_status st = damaged(path);
    if (fread(head, 1, sizeof head, file) == sizeof head && fseek(file, 0, SEEK_SET) == 0)
        st = fmd_picture_is_jpeg(head, sizeof head) ? examine_jpeg(out, file, path)
                                                    : examine_png(out, file, path);
    fclose(file);
    return st;
}
