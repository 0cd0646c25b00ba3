/* The layers of a model and their connections, built from text.
 *
 * Layers are in topological order: a layer's inputs come before it. The input of a layer is the
 * layer before it; after "from:a" it is the layer marked "@a". A merging layer "add:a:b" has the
 * layer before, a and b as its inputs, in this order; "input" is the model's input. The last layer
 * is the model's output, and every other one has a consumer. Grey images, (height, width), become
 * (height, width, 1) if a layer needs channels. */
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
    fmd_plan plan;                       /* the storage that the layers requested */
} fmd_graph;

/* Local. Builds the layers of `text` for inputs of shape `in`, without memory for their values.
 * Release *g with fmd_graph_free, also after a failure. FMD_EUSAGE names the layer and the
 * fault. */
FMD_CHECKED fmd_status fmd_graph_build(fmd_graph *g, const char *text, fmd_shape in);
/* Local. Lets layers compute those after them where they can (fmd_layer_ops.fuse). The outputs
 * between fused layers are not stored. */
void fmd_graph_fuse(fmd_graph *g);
void fmd_graph_free(fmd_graph *g);

#endif
