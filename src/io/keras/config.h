/* The JSON texts by which Keras builds a model and its optimizer. */
#ifndef FMD_IO_KERAS_CONFIG_H
#define FMD_IO_KERAS_CONFIG_H

#include "fmd/model.h"
#include "fmd/optimizer.h"

/* Local. The model for Keras 2.3 to 3, from the layers' tables alone; *out is released by free().
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_model_config(char **out, const fmd_model *m);

/* Local. Optimizer, loss and metrics, with which the model loads compiled; *out is released by
 * free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_training_config(char **out, const fmd_optimizer *o,
                                                 double learning_rate);

#endif
