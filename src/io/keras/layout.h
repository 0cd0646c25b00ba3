/* Where Keras 3 has the variables of a model and of its optimizer. */
#ifndef FMD_IO_KERAS_LAYOUT_H
#define FMD_IO_KERAS_LAYOUT_H

#include "fmd/model.h"
#include "fmd/optimizer.h"

enum { FMD_KERAS_PATH = 160 };

/* Local. The path of a tensor of the model: "/layers/dense_1/vars/0". */
const char *fmd_keras_tensor_path(const fmd_model *m, size_t tensor, char text[FMD_KERAS_PATH]);

/* Local. The path of an optimizer slot of a tensor. Slots follow iteration and learning rate, ordered
 * by variable or by slot, as Keras orders them for this optimizer. */
const char *fmd_keras_slot_path(const fmd_model *m, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH]);

#endif
