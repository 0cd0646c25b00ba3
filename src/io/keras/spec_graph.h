/* Keras' Functional models, as layers that refer to each other by marks: "from:a", "add:a". */
#ifndef FMD_IO_KERAS_SPEC_GRAPH_H
#define FMD_IO_KERAS_SPEC_GRAPH_H

#include "io/keras/spec_layer.h"

/* Local. The entry of the one InputLayer in a list of layers. FMD_EDATA: there is none, or several.
 */
FMD_CHECKED fmd_status fmd_keras_input_of(json_t **out, const char *path, json_t *layers);

/* Local. Appends the layers of a Functional model, inputs first; `flatten` puts that layer behind
 * the input. FMD_EDATA names the layer and the unsupported part. */
FMD_CHECKED fmd_status fmd_keras_graph_text(fmd_keras_text *out, const char *path, bool has_weights,
                                            bool flatten, json_t *config);

#endif
