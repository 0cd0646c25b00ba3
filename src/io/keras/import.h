/* Models and weights from any file that has them: our checkpoints, and what Keras wrote.
 *
 * What a file is shows in its first bytes and in what it holds, never in its name. Keras' *.h5 says
 * which layers it has; its *.weights.h5 does not, and fits a model that somebody else describes.
 * Nothing of a Keras file is trusted: every fault is FMD_EDATA and names file, object, what was found
 * and what was expected. One thing is out of reach: such a file has no hash, and HDF5 1.10 itself may
 * crash on a damaged one. */
#ifndef FMD_IO_KERAS_IMPORT_H
#define FMD_IO_KERAS_IMPORT_H

#include "fmd/checkpoint.h"

typedef struct fmd_weights_info {
    fmd_checkpoint_info model; /* layers "" and a shape of rank 0: the file does not say */
    bool keras;                /* Keras wrote it, and so whether pixels were divided is not known */
} fmd_weights_info;

/* Local. Whether the file is one of Keras: HDF5 without our block in front, and so without a hash. */
bool fmd_weights_is_keras(const char *path);

/* Local. What the file says of its model. A layer or a setting that this program lacks is FMD_EDATA
 * and not FMD_EUSAGE: no other option would help, only another file. Our checkpoints as in
 * fmd_checkpoint_read_info. FMD_ENOINPUT, FMD_EIO. */
FMD_CHECKED fmd_status fmd_weights_read_info(const char *path, fmd_weights_info *info);

/* Local. All parameters of the model, or none. Layers with parameters are matched in their order,
 * by shape, as Keras does. As fmd_weights_read_info. */
FMD_CHECKED fmd_status fmd_weights_read_params(const char *path, fmd_model *m);

#endif
