/* How parameters start; the initialisers of Keras of the same names. */
#ifndef FMD_NN_INITIALIZER_H
#define FMD_NN_INITIALIZER_H

#include "nn/plan.h"

/* Local. Fills `values` of the tensor, which is number `stream` of the model. */
void fmd_initialize(const fmd_tensor *t, uint64_t seed, uint32_t stream, float *values);

#endif
