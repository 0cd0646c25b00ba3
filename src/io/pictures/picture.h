/* Pictures of bytes, grey or coloured, and their files: PNG both ways, JPEG read only.
 *
 * Pixels are rows from the top without padding, the channels of a pixel together, as in IDX files. A PNG
 * file of a grey picture reads back as the same bytes. */
#ifndef FMD_IO_PICTURES_PICTURE_H
#define FMD_IO_PICTURES_PICTURE_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The largest picture: more pixels could take the memory of a node. */
#define FMD_PICTURE_MAX_PIXELS 100000000

typedef struct fmd_picture {
    size_t width, height;
    size_t channels; /* 1: grey; 3: red, green, blue */
    uint8_t *pixels; /* height times width times channels */
} fmd_picture;

/* Local. A black picture, released by fmd_picture_free. FMD_EUSAGE for more than
 * FMD_PICTURE_MAX_PIXELS or none; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_create(fmd_picture *out, size_t width, size_t height,
                                          size_t channels);

/* Local. Releases the pixels; a picture of zeros is allowed. */
void fmd_picture_free(fmd_picture *p);

/* Local. The bytes of a regular file, released by free(). FMD_ENOINPUT, FMD_EDATA, FMD_EIO. */
FMD_CHECKED fmd_status fmd_picture_load(void **data, size_t *bytes, const char *path);

/* Local. The picture in the bytes of a PNG or JPEG file of any kind as 8-bit grey (1 channel) or RGB
 * (3), turned upright as Exif says. Where a PNG is transparent, `ground` (0: black, 255: white) shows.
 * `path` is for messages. Released by fmd_picture_free. FMD_EDATA: another kind of file, damaged or too
 * large; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_decode(fmd_picture *out, const void *data, size_t bytes,
                                          const char *path, size_t channels, uint8_t ground);

/* Local. The same of a file. FMD_ENOINPUT, FMD_EDATA, FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_read(fmd_picture *out, const char *path, size_t channels,
                                        uint8_t ground);

/* Local. Size and channels of a PNG or JPEG file by its header alone; *out has no pixels. FMD_ENOINPUT,
 * FMD_EDATA, FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_examine(fmd_picture *out, const char *path);

/* Local. The same of the bytes of a file, which messages call `path`. FMD_EDATA, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_examine_bytes(fmd_picture *out, const void *data, size_t bytes,
                                                 const char *path);

/* Local. Whether the bytes start like a JPEG file; and the decoded picture, as from
 * fmd_picture_decode. `path` is for messages. */
bool fmd_picture_is_jpeg(const void *data, size_t bytes);
FMD_CHECKED fmd_status fmd_picture_decode_jpeg(fmd_picture *out, const void *data, size_t bytes,
                                               const char *path, size_t channels);

/* Local. Size and channels of a JPEG file by its header, as fmd_picture_examine. */
FMD_CHECKED fmd_status fmd_picture_examine_jpeg(fmd_picture *out, FILE *file, const char *path);

/* Local. The bytes of the PNG file of a picture, the same for the same pixels; *png is released by
 * free(). FMD_EINTERNAL, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_encode(const fmd_picture *p, void **png, size_t *bytes);

/* Local. Writes the PNG file of a picture, whole or not at all. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_picture_write(const fmd_picture *p, const char *path);

#endif
