#include "io/pictures/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

/* libjpeg reports errors by a function that must not return. */
typedef struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
} failure;

static void give_up(j_common_ptr info)
{
    failure *f = (failure *)info->err;
    info->err->format_message(info, f->message);
    longjmp(f->back, 1);
}

/* A warning means damaged data, which libjpeg replaces by grey. */
static void warn(j_common_ptr info, int level)
{
    if (level < 0)
        give_up(info);
}

bool fmd_picture_is_jpeg(const void *data, size_t bytes)
{
    return bytes >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0;
}

static fmd_status start(struct jpeg_decompress_struct *info, fmd_picture *out, const char *path,
                        size_t channels)
{
    jpeg_read_header(info, TRUE);
    if (info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK)
        return FMD_FAIL(FMD_EDATA, "'%s': a JPEG file in CMYK: convert it to RGB", path);
    if (info->image_width > FMD_PICTURE_MAX_PIXELS / info->image_height)
        return FMD_FAIL(FMD_EDATA, "'%s': %u x %u pixels: at most %d in all", path,
                        info->image_width, info->image_height, FMD_PICTURE_MAX_PIXELS);
    info->out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return fmd_picture_create(out, info->image_width, info->image_height, channels);
}

fmd_status fmd_picture_decode_jpeg(fmd_picture *out, const void *data, size_t bytes,
                                   const char *path, size_t channels)
{
    struct jpeg_decompress_struct info;
    failure error;
    fmd_picture p = {.width = 0};
    info.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = give_up;
    error.manager.emit_message = warn;
    fmd_picture *volatile made = NULL; /* local values are lost on the way back */
    if (setjmp(error.back) != 0) {
        if (made != NULL)
            fmd_picture_free(made);
        jpeg_destroy_decompress(&info);
        return FMD_FAIL(FMD_EDATA, "'%s': a damaged or cut off JPEG file: %s", path, error.message);
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, data, bytes);
    const fmd_status st = start(&info, &p, path, channels);
    if (st == FMD_OK) {
        made = &p;
        jpeg_start_decompress(&info);
        while (info.output_scanline < info.output_height) {
            JSAMPROW row = p.pixels + info.output_scanline * p.width * channels;
            jpeg_read_scanlines(&info, &row, 1);
        }
        jpeg_finish_decompress(&info);
        *out = p;
    }
    jpeg_destroy_decompress(&info);
    return st;
}
