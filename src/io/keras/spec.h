/* Keras' description of a model in JSON, as layers of this program. */
#ifndef FMD_IO_KERAS_SPEC_H
#define FMD_IO_KERAS_SPEC_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stddef.h>

/* Local. Layers and input of the Sequential or Functional model in `json`, as fmd_model_create takes
 * them; `layers` has room for `size` bytes. FMD_EDATA names `path`, the layer and what this program
 * lacks. */
FMD_CHECKED fmd_status fmd_keras_spec(const char *path, const char *json, char *layers, size_t size,
                                      fmd_shape *in);

/* Local. The same of the file that Keras' model.to_json() makes. Where its input is one row of
 * numbers, "flatten" comes first, and the model takes images of any shape: *in has rank 0 then, and
 * where the file does not tell. FMD_ENOINPUT, FMD_EIO too. */
FMD_CHECKED fmd_status fmd_keras_model_read(const char *path, char *layers, size_t size,
                                            fmd_shape *in);

#endif
