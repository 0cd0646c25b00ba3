/* Images as numbers in JSON: {"instances": [image, ...]}, the form of TensorFlow Serving. */
#ifndef FMD_IO_JSON_JSON_IMAGES_H
#define FMD_IO_JSON_JSON_IMAGES_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stddef.h>
#include <stdint.h>

/* Local. The images of a request, at most `most`, in *out, released by free(). An image is an array of
 * whole numbers from 0 to 255: nested as `shape` is, or flat. FMD_EDATA says which image and what is
 * wrong; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_images(uint8_t **out, size_t *n, const char *text, size_t bytes,
                                       fmd_shape shape, size_t most);

#endif
