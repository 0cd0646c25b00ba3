/* What predictions are worth where the labels are known.
 *
 * Everything follows from counts of images, so it is exact; a mean of nothing is 0 where
 * scikit-learn says 0 too (precision of a class that is never predicted). Local throughout. */
#ifndef FMD_TRAIN_CLASSIFICATION_H
#define FMD_TRAIN_CLASSIFICATION_H

#include "fmd/prediction.h"

typedef struct fmd_score {
    double precision; /* of what is predicted as the class, the share that is of it */
    double recall;    /* of what is of the class, the share that is predicted as it */
    double f1;        /* their harmonic mean */
    size_t support;   /* images of the class */
} fmd_score;

typedef struct fmd_classification {
    size_t n, classes, correct;
    double accuracy;     /* correct / n */
    double low, high;    /* its Wilson interval, 95 % */
    size_t *confusion;   /* [label * classes + predicted]: images */
    fmd_score *of_class; /* of each class */
    fmd_score macro;     /* means over the classes that occur as label or prediction */
    fmd_score weighted;  /* means over the images */
} fmd_classification;

/* Local. Compares predictions, of at least one image, with their labels, which are below
 * p->classes. Released by fmd_classification_free. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_classify(fmd_classification *out, const fmd_prediction *p,
                                    const uint8_t *labels);
void fmd_classification_free(fmd_classification *r);

/* Images of one class that are predicted as another. */
typedef struct fmd_confused {
    size_t label, predicted, n;
} fmd_confused;

/* Local. The confusions with the most images, at most `most` of them, the largest first; of equals
 * the one that comes first in the matrix. Returns how many there are. */
size_t fmd_most_confused(const fmd_classification *r, fmd_confused *out, size_t most);

/* Local. The share of images with fewer than k classes more probable than the label's (Keras' and
 * TensorFlow's in_top_k: of equals all are in). */
double fmd_top_k(const fmd_prediction *p, const uint8_t *labels, size_t k);

/* Local. The 95 % interval of a share of which `correct` of `n` were seen, n at least 1: Wilson,
 * "Probable inference, the law of succession, and statistical inference", 1927. */
void fmd_wilson(size_t correct, size_t n, double *low, double *high);

#endif
