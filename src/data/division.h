/* Divides the training images into images to train on and images for validation. */
#ifndef FMD_DATA_DIVISION_H
#define FMD_DATA_DIVISION_H

#include "data/dataset.h"

/* The images for validation: the last ones, as in Keras; random ones; random ones with the same share
 * of each class, within one image. Names in the order of the values. */
#define FMD_VALIDATION_FROM_NAMES "end|random|stratified"
typedef enum fmd_division_from {
    FMD_DIVISION_END,
    FMD_DIVISION_RANDOM,
    FMD_DIVISION_STRATIFIED
} fmd_division_from;

typedef struct fmd_division {
    fmd_division_from from;
    uint64_t seed;
    size_t n_validation;
    int fold, folds; /* fold 0 to folds - 1 of a k-fold division, which decides n_validation; folds
                        0: none */
} fmd_division;

/* Local. The images of `all` that are for training and validation: a pure function of the division and
 * the labels. `index`, of all->n numbers, holds the numbers of the images as long as the splits live:
 * each image once, in the order of the data set. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_divide(const fmd_split *all, const fmd_division *d, uint32_t *index,
                                  fmd_split *train, fmd_split *validation);

#endif
