/* Explanations of a prediction: which pixels count, and which training images are like this one.
 *
 * Images are bytes in the input shape of the model; maps have one value for each pixel, the sum over
 * its channels. Everything is computed in inference, without dropout and augmentation. */
#ifndef FMD_REPORT_EXPLAIN_EXPLAIN_H
#define FMD_REPORT_EXPLAIN_EXPLAIN_H

#include "run/loaded_model.h"

typedef struct fmd_explainer fmd_explainer;

/* Local. Borrows `t`, whose model it runs. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_explainer_create(fmd_explainer **out, const fmd_loaded_model *t);
void fmd_explainer_destroy(fmd_explainer *e);

/* Local. Height, width and channels of the images of a model with the input `in`: a vector such as
 * (784) is the square that it fills, or one row. */
fmd_shape fmd_explain_shape(fmd_shape in);

/* Local. The model that it was created with. */
const fmd_loaded_model *fmd_explainer_model(const fmd_explainer *e);

/* Local. Gradient times input (Shrikumar et al. 2016): the derivative of the score of class k, before
 * the softmax, by each value of the input, times this value. Positive: the pixel speaks for k. */
void fmd_explainer_saliency(fmd_explainer *e, const uint8_t *image, size_t k, float *map);

/* Local. Occlusion (Zeiler and Fergus 2014): how much the probability of class k falls where a
 * square of about a seventh of the image is covered by its mean, averaged over the squares that cover
 * the pixel. */
void fmd_explainer_occlusion(fmd_explainer *e, const uint8_t *image, size_t k, float *map);

enum { FMD_NEIGHBOURS = 5 };

/* The nearest training images, the nearest first. */
typedef struct fmd_neighbours {
    size_t n;
    uint32_t index[FMD_NEIGHBOURS];
    float distance[FMD_NEIGHBOURS]; /* Euclidean, between outputs of the last hidden layer */
} fmd_neighbours;

/* Local. Finds the neighbours of each of `n` images, given by their addresses. It searches the first
 * training images, as many as take seconds rather than minutes; *searched is their number. Images
 * of training that are the same as the image itself count. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_explainer_neighbours(fmd_explainer *e, const uint8_t *const *images,
                                                size_t n, fmd_neighbours *out, size_t *searched);

#endif
