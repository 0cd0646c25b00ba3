/* Predictions of a model. */
#ifndef FMD_PREDICTION_H
#define FMD_PREDICTION_H

#include "fmd/comm.h"
#include "fmd/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Collective. Divides n images among the ranks and runs them through the model. Every rank passes the
 * same images, as bytes in the model's shape, one after another; the probabilities, n times the number
 * of classes, are written on rank 0 only, elsewhere the pointer may be NULL. `divisor` is the divisor
 * of pixels: the one of fmd_model_load, or 255. Products are of float32, also
 * for models trained with bf16. The bits do not depend on the number of ranks. FMD_EDIVERGED if scores
 * are not finite; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_model_predict(fmd_comm *c, fmd_model *m, const uint8_t *images, size_t n,
                                         double divisor, float *probabilities);

#ifdef __cplusplus
}
#endif

#endif
