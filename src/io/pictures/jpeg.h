/* JPEG files. */
#ifndef FMD_IO_PICTURES_JPEG_H
#define FMD_IO_PICTURES_JPEG_H

#include "io/pictures/picture.h"

#include <stdbool.h>

/* Local. Whether the bytes begin as those of a JPEG file. */
bool fmd_jpeg_is(const void *data, size_t bytes);

/* Local. Unpacks a JPEG file as grey (1 channel) or RGB (3); `path` is for messages. Released by
 * fmd_picture_free. FMD_EDATA where it is damaged, cut off, too large or CMYK; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_jpeg_decode(fmd_picture *out, const void *data, size_t bytes,
                                       const char *path, size_t channels);

#endif
