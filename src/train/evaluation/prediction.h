/* Predictions of a model for images, over the ranks: probabilities and a class for each image.
 *
 * Images go through the model in microbatches of a fixed size, so the probabilities have the same bits
 * on any number of ranks. */
#ifndef FMD_TRAIN_EVALUATION_PREDICTION_H
#define FMD_TRAIN_EVALUATION_PREDICTION_H

#include "data/dataset.h"
#include "dist/comm.h"
#include "nn/model.h"

typedef struct fmd_prediction {
    size_t n, classes;    /* images; units of the last layer */
    float *probabilities; /* n times classes */
    uint8_t *predicted;   /* n: the class with the largest score; ties: the lowest class */
} fmd_prediction;

/* Collective. Runs the images of `split`, without their labels, through the model, which has
 * memory for FMD_EVALUATE_MICROBATCH samples. `divisor` is the divisor of pixels. *out is filled on rank
 * 0 only; release it with fmd_prediction_free on every rank. FMD_EDIVERGED where scores are not
 * finite; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_predict(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                                   fmd_prediction *out);

/* Local. Releases the arrays; they may be NULL. */
void fmd_prediction_free(fmd_prediction *p);

/* Local. The probability of the predicted class of image i. */
float fmd_confidence(const fmd_prediction *p, size_t i);

/* Local. The most probable classes of image i, at most `most`: the predicted class, then the others
 * by probability; ties are sorted by class. Returns their number. */
size_t fmd_top_classes(const fmd_prediction *p, size_t i, size_t *classes, size_t most);

/* Local. Writes the indices of wrongly predicted images to `index` (n elements), in their order.
 * Returns their number. */
size_t fmd_mistakes(const fmd_prediction *p, const uint8_t *labels, uint32_t *index);

/* Local. Sorts `count` images by confidence, the highest or the lowest first; ties are sorted by
 * index. For mistakes, highest first means worst first. */
void fmd_sort_by_confidence(const fmd_prediction *p, uint32_t *index, size_t count,
                            bool surest_first);

#endif
