/* Models and weights from checkpoints of this program and from files of Keras.
 *
 * The kind of a file is recognised by its content, never by its name. Keras' *.h5 and *.keras
 * describe their layers; for *.weights.h5 the user describes the model. Keras files are untrusted:
 * every fault is FMD_EDATA and names the file, the object, the found and the expected value. These
 * files have no hash, and HDF5 1.10 itself may crash on a damaged one: see run/probe.h. */
#ifndef FMD_IO_KERAS_IMPORT_H
#define FMD_IO_KERAS_IMPORT_H

#include "io/checkpoint/checkpoint.h"

typedef struct fmd_weights_info {
    fmd_checkpoint_info model; /* layers "" and a shape of rank 0: unknown */
    bool keras; /* a file of Keras: whether pixels were divided by 255 is not known */
    char unknown[FMD_ERROR_BYTES]; /* names the unsupported part if the layers are unknown */
} fmd_weights_info;

/* Local. Whether the file is one of Keras: HDF5 without our block in front, or a ZIP archive. */
bool fmd_weights_is_keras(const char *path);

/* Local. The model that the file describes. Our checkpoints as in fmd_checkpoint_read_info.
 * FMD_ENOINPUT, FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_weights_read_info(const char *path, fmd_weights_info *info);

/* Local. All parameters of the model, or none. Layers with parameters are matched in their order and
 * by shape, as in Keras. As fmd_weights_read_info. */
FMD_CHECKED fmd_status fmd_weights_read_params(const char *path, fmd_model *m);

#endif
