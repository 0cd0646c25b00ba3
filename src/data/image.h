/* Images without labels from IDX files, and images of other sizes.
 *
 * An image is stored row by row from the top, without padding, channel fastest. */
#ifndef FMD_DATA_IMAGE_H
#define FMD_DATA_IMAGE_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stdint.h>

typedef struct fmd_images {
    size_t n;
    fmd_shape image; /* (H, W) or (H, W, C) */
    uint8_t *bytes;
} fmd_images;

/* Local. Reads an IDX file of images, packed or not; released by fmd_images_free. FMD_ENOINPUT,
 * FMD_EIO, FMD_EDATA, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_images_read(fmd_images *out, const char *path);
void fmd_images_free(fmd_images *images);

/* Width and height in pixels. */
typedef struct fmd_size {
    size_t width, height;
} fmd_size;

/* Local. Scales an image; each pixel is the mean of the area that it covers. */
void fmd_image_resize(const uint8_t *in, fmd_size from, size_t channels, uint8_t *out, fmd_size to);

/* Local. The largest size within `to` that has the proportions of `from`. */
fmd_size fmd_image_within(fmd_size from, fmd_size to);

/* Local. Scales an image in its own proportions, centres it and fills the border with black.
 * `scratch` holds an image of size `to`. */
void fmd_image_fit(const uint8_t *in, fmd_size from, size_t channels, uint8_t *out, fmd_size to,
                   uint8_t *scratch);

#endif
