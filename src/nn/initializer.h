/* How parameters start; the initialisers of Keras of the same names. */
#ifndef FMD_NN_INITIALIZER_H
#define FMD_NN_INITIALIZER_H

#include "nn/layer.h"

/* Local. Fills the tensor number `stream` of the model, `values` of shape `shape`. The last
 * dimension is fan-out, the product of the others fan-in. */
void fmd_initialize(fmd_init init, uint64_t seed, uint32_t stream, fmd_shape shape, float *values);

#endif
