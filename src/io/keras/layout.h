/* The paths of layers and variables of a model and its optimizer in Keras 3.
 *
 * Keras orders the layers of a graph by itself: by depth, the longest way to the output; at equal
 * depth, by a walk from the output that goes depth first through the inputs in their order
 * (Functional.layers). The order decides the names of the groups, and the order of the lists. */
#ifndef FMD_IO_KERAS_LAYOUT_H
#define FMD_IO_KERAS_LAYOUT_H

#include "nn/model.h"
#include "nn/optimizers/optimizer.h"

enum { FMD_KERAS_PATH = 160 };

typedef struct fmd_keras_layout {
    const fmd_model *model;
    bool functional;                /* a graph, Keras' Functional; false: a chain, Sequential */
    size_t *order;                  /* numbers of the layers in Keras' order */
    char (*groups)[FMD_LAYER_NAME]; /* of each layer, below /layers: the class, then its count */
    size_t *places;                 /* position of each trainable tensor in Keras' order */
} fmd_keras_layout;

/* Local. Borrows the model. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_layout_create(fmd_keras_layout *k, const fmd_model *m);
void fmd_keras_layout_free(fmd_keras_layout *k);

/* Local. Layer number `i` in Keras' order, and its group. */
const fmd_layer *fmd_keras_layer(const fmd_keras_layout *k, size_t i);
const char *fmd_keras_group(const fmd_keras_layout *k, const fmd_layer *l);

/* Local. The path of a tensor of the model: "/layers/dense_1/vars/0". */
const char *fmd_keras_tensor_path(const fmd_keras_layout *k, size_t tensor,
                                  char text[FMD_KERAS_PATH]);

/* Local. The path of an optimizer slot of a tensor. Slots follow iteration and learning rate:
 * the averages, then the optimizer's own, ordered by variable or by slot as Keras orders them. */
const char *fmd_keras_slot_path(const fmd_keras_layout *k, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH]);

#endif
