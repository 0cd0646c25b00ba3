/* The quality of predictions for labelled images.
 *
 * All values derive from exact counts of images. As in scikit-learn, the precision of a class that
 * is never predicted is 0. All functions are local. */
#ifndef FMD_TRAIN_EVALUATION_CLASSIFICATION_H
#define FMD_TRAIN_EVALUATION_CLASSIFICATION_H

#include "train/evaluation/prediction.h"

typedef struct fmd_score {
    double precision; /* share of predictions of the class that are right */
    double recall;    /* share of images of the class that were found */
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

/* Local. The most frequent confusions, at most `most`, sorted by images, ties by their order in the
 * matrix. Returns their number. */
size_t fmd_most_confused(const fmd_classification *r, fmd_confused *out, size_t most);

/* Local. The share of images with fewer than k classes more probable than the label's (Keras' and
 * TensorFlow's in_top_k: of equals all are in). */
double fmd_top_k(const fmd_prediction *p, const uint8_t *labels, size_t k);

/* Local. The 95 % interval of a share of which `correct` of `n` were seen, n at least 1: Wilson,
 * "Probable inference, the law of succession, and statistical inference", 1927. */
void fmd_wilson(size_t correct, size_t n, double *low, double *high);

#endif
