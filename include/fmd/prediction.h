/* What a model says of images, over the ranks: a row of probabilities and a class for each.
 *
 * Images go through the model in microbatches of a fixed size, so their probabilities are the same bits
 * for every number of ranks. */
#ifndef FMD_PREDICTION_H
#define FMD_PREDICTION_H

#include "fmd/comm.h"
#include "fmd/dataset.h"
#include "fmd/model.h"

typedef struct fmd_prediction {
    size_t n, classes;    /* images, and units of the last layer */
    float *probabilities; /* n times classes */
    uint8_t *predicted;   /* n; the class with the largest score, the first of equals */
} fmd_prediction;

/* Collective. Runs the images of `split`, whose labels are not read, through the model, which has
 * memory for FMD_EVALUATE_MICROBATCH samples. `divisor` is the divisor of pixels. *out is filled on rank
 * 0 alone, and released by fmd_prediction_free everywhere. FMD_EDIVERGED where scores are not
 * finite; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_predict(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                                   fmd_prediction *out);

/* Local. Releases the arrays; a prediction of zeros is allowed. */
void fmd_prediction_free(fmd_prediction *p);

/* Local. The probability of the class that is predicted for image i. */
float fmd_confidence(const fmd_prediction *p, size_t i);

/* Local. The classes of image i that are most probable, at most `most` of them: the predicted one,
 * then by probability; of equals the smaller one first. Returns how many there are. */
size_t fmd_top_classes(const fmd_prediction *p, size_t i, size_t *classes, size_t most);

/* Local. Puts the images that are predicted wrongly into `index` (room for n), in their order;
 * returns how many there are. */
size_t fmd_mistakes(const fmd_prediction *p, const uint8_t *labels, uint32_t *index);

/* Local. Sorts `count` images by confidence: the surest first, or the least sure; of equals the one
 * with the smaller index first. Sorted mistakes are the worst first. */
void fmd_sort_by_confidence(const fmd_prediction *p, uint32_t *index, size_t count,
                            bool surest_first);

#endif
