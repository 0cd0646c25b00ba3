/* Layers that apply `l->activation` to their input, over the last dimension. */
#ifndef FMD_NN_LAYERS_ACTIVATION_H
#define FMD_NN_LAYERS_ACTIVATION_H

#include "nn/layer.h"

/* Local. The forward and the backward of the table. */
void fmd_activation_forward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                            const fmd_gradient_sink *sink);
void fmd_activation_backward(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                             const fmd_gradient_sink *sink);

#endif
