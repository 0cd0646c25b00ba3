/* The JSON texts by which Keras builds a model and its optimizer. */
#ifndef FMD_IO_KERAS_CONFIG_H
#define FMD_IO_KERAS_CONFIG_H

#include "io/keras/layout.h"

/* Local. The model for Keras 2.3 to 3, from the options of its layers: Sequential, or Functional for
 * a graph. *out is released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_model_config(char **out, const fmd_keras_layout *k);

/* Local. Optimizer, loss and metrics, so that the model loads compiled; for an
 * optimizer of Keras. *out is released by free().
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_training_config(char **out, const fmd_optimizer *o,
                                                 double learning_rate);

#endif
