/* A classifier: layers and their weights. */
#ifndef FMD_MODEL_H
#define FMD_MODEL_H

#include "fmd/comm.h"
#include "fmd/shape.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fmd_model fmd_model;

/* Local. Builds a model for images of shape `image` from the text of its layers, as for the program's
 * option --layers: "flatten,dense:128:relu,dense:10:softmax". All weights are zero until
 * fmd_model_init. FMD_EUSAGE names the layer and the fault; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_model_build(fmd_model **out, const char *layers, fmd_shape image);

/* Collective. Loads a model with its weights from a checkpoint (*.weights.h5), the folder of a run, or
 * a file of Keras that describes its layers (*.h5, *.keras). *divisor is the divisor of pixels: 255,
 * or 1 for a model trained on pixels from 0 to 255; for files of Keras always 255. FMD_ENOINPUT,
 * FMD_EIO, FMD_EDATA; FMD_EUSAGE if the file does not describe its layers. */
FMD_CHECKED fmd_status fmd_model_load(fmd_model **out, fmd_comm *c, const char *path,
                                      double *divisor);

/* Local. Writes the model as a checkpoint, which this library, the program and Keras can load. `path`
 * is either the old file or the complete new one. `divisor`: as in fmd_model_load. Call it on one
 * rank. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_model_save(const fmd_model *m, const char *path, double divisor);

/* Local. NULL is allowed. */
void fmd_model_destroy(fmd_model *m);

/* Local. Gives every tensor its initial value, a function of `seed` and its place. */
void fmd_model_init(fmd_model *m, uint64_t seed);

/* Local. The text of the layers, without spaces. As long as the model. */
const char *fmd_model_spec(const fmd_model *m);

/* Local. Number of layers; the shape of an image; number of classes. */
size_t fmd_model_n_layers(const fmd_model *m);
fmd_shape fmd_model_in(const fmd_model *m);
int fmd_model_classes(const fmd_model *m);

/* Local. All values of the model, n_params of them, in the order of the layers: first the trainable
 * ones, then moving statistics. */
float *fmd_model_params(const fmd_model *m);
size_t fmd_model_n_params(const fmd_model *m);
size_t fmd_model_n_trainable_params(const fmd_model *m);

#ifdef __cplusplus
}
#endif

#endif
