/* The layers of a model and how they hang together, from text.
 *
 * Layers are in topological order: a layer's inputs come before it. Each takes the layer before,
 * "from:a,dense:5" the layer marked "@a", and a merging layer "add:a:b" the one before, then a, then
 * b; "input" is the model's input. The last layer is the model's output, and every other one has a
 * consumer. Grey images, (height, width), become (height, width, 1) where some layer needs channels. */
#ifndef FMD_NN_GRAPH_H
#define FMD_NN_GRAPH_H

#include "nn/plan.h"

typedef struct fmd_graph {
    fmd_shape in;
    char *text; /* the layers as given, without spaces */
    fmd_layer *layers;
    size_t n_layers;
    fmd_tensor *tensors; /* trainable ones in the order of the layers, then states likewise */
    size_t n_tensors, n_trainable_tensors;
    size_t n_params, n_trainable_params; /* values */
    fmd_plan plan;                       /* what the layers asked for */
} fmd_graph;

/* Local. Builds the layers of `text` for inputs of shape `in`; they have no memory for their values
 * yet. On failure *g holds what fmd_graph_free releases. FMD_EUSAGE names the layer and the fault. */
FMD_CHECKED fmd_status fmd_graph_build(fmd_graph *g, const char *text, fmd_shape in);
void fmd_graph_free(fmd_graph *g);

#endif
