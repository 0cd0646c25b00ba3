/* Models in HDF5 files that Keras opens.
 *
 * One file named *.weights.h5 holds the legacy layout (load_model) and the Keras 3 layout
 * (load_weights), both hard links to the same data. Equal training gives equal bytes. */
#ifndef FMD_KERAS_FILE_H
#define FMD_KERAS_FILE_H

#include "fmd/error.h"
#include "fmd/model.h"
#include "fmd/optimizer.h"

/* Local. Writes model and optimizer to `path`, by way of a temporary file in the same folder that
 * is synced and renamed: `path` is either the old file or the whole new one. `normalize` tells
 * whether pixels were divided by 255. FMD_EIO. */
FMD_CHECKED fmd_status fmd_keras_write(const char *path, const fmd_model *m, const fmd_optimizer *o,
                                       double learning_rate, bool normalize);

/* What a file says of its model, enough to build it. */
typedef struct fmd_keras_info {
    char layers[1024]; /* a spec for fmd_model_create */
    fmd_shape in;
    bool normalize; /* whether pixels were divided by 255 */
} fmd_keras_info;

/* Local. Reads what a file that fmd_keras_write made says of its model. FMD_ENOINPUT, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_keras_read_info(const char *path, fmd_keras_info *info);

/* Local. Reads the parameters of a model built from that. FMD_ENOINPUT, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_keras_read_params(const char *path, fmd_model *m);

#endif
