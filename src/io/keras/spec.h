/* From the JSON by which Keras describes a model to the layers of this program. */
#ifndef FMD_IO_KERAS_SPEC_H
#define FMD_IO_KERAS_SPEC_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stddef.h>

/* Local. The layers and the input of the model in `json`, the way fmd_model_create takes them;
 * `layers` has room for `size` bytes. Through the layers' own tables: a new layer is known here at
 * once. FMD_EDATA names `path`, the layer and what this program does not have. */
FMD_CHECKED fmd_status fmd_keras_spec(const char *path, const char *json, char *layers, size_t size,
                                      fmd_shape *in);

/* Local. The layers of the model in `path`, JSON as Keras' model.to_json() returns it, the way
 * fmd_model_create takes them for images of any shape: an input that is flat has "flatten" put
 * before it. `layers` has room for `size` bytes. As fmd_weights_read_info. */
FMD_CHECKED fmd_status fmd_keras_model_read(const char *path, char *layers, size_t size);

#endif
