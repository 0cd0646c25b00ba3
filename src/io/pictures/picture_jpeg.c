#include "io/pictures/picture.h"

#include <setjmp.h>
#include <stdint.h>
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

static unsigned number(const uint8_t *at, size_t bytes, bool little)
{
    unsigned value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[little ? bytes - 1 - i : i];
    return value;
}

/* Exif's orientation, 1 to 8, in a marker APP1 (Exif 2.3, 4.6): "Exif", a TIFF head, the entries of
 * its first directory. 1, upright, without a valid one. */
static int orientation(const uint8_t *data, size_t n)
{
    enum { TIFF = 6, HEAD = 8, ENTRY = 12, TAG = 0x0112 };
    if (n < TIFF + HEAD || memcmp(data, "Exif\0", TIFF) != 0)
        return 1;
    const uint8_t *tiff = data + TIFF;
    const bool little = tiff[0] == 'I';
    const size_t bytes = n - TIFF, at = number(tiff + 4, 4, little);
    if (at > bytes - 2)
        return 1;
    const unsigned entries = number(tiff + at, 2, little);
    for (size_t i = 0; i < entries && at + 2 + (i + 1) * ENTRY <= bytes; i++) {
        const uint8_t *entry = tiff + at + 2 + i * ENTRY;
        const unsigned value = number(entry + 8, 2, little);
        if (number(entry, 2, little) == TAG)
            return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Turns a picture upright. Orientations from 5 on exchange rows and columns; then 2, 3 and 6, 7
 * mirror left and right, 3, 4 and 7, 8 top and bottom. */
static fmd_status turn(fmd_picture *p, int how)
{
    const bool swap = how >= 5, mirror_x = how == 2 || how == 3 || how == 6 || how == 7;
    const bool mirror_y = how == 3 || how == 4 || how == 7 || how == 8;
    const size_t c = p->channels;
    fmd_picture q;
    if (how == 1)
        return FMD_OK;
    FMD_TRY(fmd_picture_create(&q, swap ? p->height : p->width, swap ? p->width : p->height, c));
    for (size_t y = 0; y < q.height; y++)
        for (size_t x = 0; x < q.width; x++) {
            const size_t column = mirror_x ? q.width - 1 - x : x;
            const size_t row = mirror_y ? q.height - 1 - y : y;
            const size_t from = swap ? column * p->width + row : row * p->width + column;
            memcpy(q.pixels + (y * q.width + x) * c, p->pixels + from * c, c);
        }
    fmd_picture_free(p);
    *p = q;
    return FMD_OK;
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
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
    fmd_status st = start(&info, &p, path, channels);
    if (st == FMD_OK) {
        made = &p;
        jpeg_start_decompress(&info);
        while (info.output_scanline < info.output_height) {
            JSAMPROW row = p.pixels + info.output_scanline * p.width * channels;
            jpeg_read_scanlines(&info, &row, 1);
        }
        int how = 1;
        for (jpeg_saved_marker_ptr m = info.marker_list; m != NULL && how == 1; m = m->next)
            how = orientation(m->data, m->data_length);
        jpeg_finish_decompress(&info); /* releases the markers */
        made = NULL;
        st = turn(&p, how);
        if (st == FMD_OK)
            *out = p;
        else
            fmd_picture_free(&p);
    }
    jpeg_destroy_decompress(&info);
    return st;
}

static void ignore(j_common_ptr info, int level)
{
    (void)info;
    (void)level;
}

fmd_status fmd_picture_examine_jpeg(fmd_picture *out, FILE *file, const char *path)
{
    struct jpeg_decompress_struct info;
    failure error;
    info.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = give_up;
    error.manager.emit_message = ignore;
    if (setjmp(error.back) != 0) {
        jpeg_destroy_decompress(&info);
        return FMD_FAIL(FMD_EDATA, "'%s': not a sound PNG or JPEG file", path);
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
