/* Keras' description of a model in JSON, as layers of this program. */
#ifndef FMD_IO_KERAS_SPEC_H
#define FMD_IO_KERAS_SPEC_H

#include "base/shape.h"
#include "fmd/error.h"

#include <stddef.h>

/* Local. Layers and input of the Sequential or Functional model in `json`, in the form of
 * fmd_model_create; `layers` has `size` bytes. FMD_EDATA names `path`, the layer and the
 * unsupported part. */
FMD_CHECKED fmd_status fmd_keras_spec(const char *path, const char *json, char *layers, size_t size,
                                      fmd_shape *in);

/* Local. The same for a file from Keras' model.to_json(). For a one-dimensional input, "flatten"
 * comes first and the model accepts images of any shape. *in then has rank 0, as for a file without
 * an input shape. FMD_ENOINPUT, FMD_EIO too. */
FMD_CHECKED fmd_status fmd_keras_model_read(const char *path, char *layers, size_t size,
                                            fmd_shape *in);

#endif
