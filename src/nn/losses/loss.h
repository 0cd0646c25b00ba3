/* Losses of a classifier, with Keras' names and formulas; exact sums.
 *
 * A model ends in a softmax, which belongs to the loss: a loss gets logits and returns their
 * gradient. Each loss is one file and one line of losses.def. Sums are integers, so their order does
 * not matter. */
#ifndef FMD_NN_LOSSES_LOSS_H
#define FMD_NN_LOSSES_LOSS_H

#include "base/option.h"

#include <stddef.h>
#include <stdint.h>

/* One unit of fmd_loss_sums.loss. Labels are bytes. */
#define FMD_LOSS_UNIT 0x1p-30
enum { FMD_LOSS_CLASSES = 256 };

typedef struct fmd_loss_sums {
    int64_t loss;    /* in FMD_LOSS_UNIT */
    int64_t correct; /* samples whose largest logit (ties: the first) belongs to the label */
    int64_t failed;  /* samples whose loss is not finite, above 2^20, or so large that `of` losses
                        of this size would overflow the sum */
    size_t of;       /* samples of all ranks that go into the sum; set by the caller */
} fmd_loss_sums;

/* The labels of some samples. A mixed image has two: the first with the weight shares[i], the other
 * with the rest. The one with the larger weight counts for accuracy and class weight. */
typedef struct fmd_targets {
    const uint8_t *labels;
    const uint8_t *others; /* NULL: images are not mixed */
    const float *shares;
    const float *class_weight; /* factor of the loss for each class; NULL: 1 */
} fmd_targets;

/* The arguments of all losses. */
typedef struct fmd_loss_args {
    double label_smoothing;
} fmd_loss_args;

/* The scores of one sample. */
typedef struct fmd_loss_row {
    size_t classes;
    const float *logits, *exps; /* exps: exp(logit - largest) */
    float largest, sum;         /* of the logits; of the exps */
    float *target;              /* probability of each class; may be overwritten */
} fmd_loss_row;

/* One kind of loss. */
typedef struct fmd_loss_ops {
    const char *name;        /* "mean_squared_error" */
    const char *alias;       /* "mse"; NULL: none */
    const char *keras_class; /* "MeanSquaredError" */
    const char *help;
    const fmd_option *args;
    size_t n_args;
    /* Returns the loss. `gradient` (NULL: not wanted) receives its gradient with respect to the
     * logits, and may be the logits. */
    double (*row)(const fmd_loss_args *args, const fmd_loss_row *r, float *gradient);
} fmd_loss_ops;

/* A loss with its arguments. All zero: the first of losses.def. */
typedef struct fmd_loss {
    const fmd_loss_ops *ops;
    fmd_loss_args args;
} fmd_loss;

/* Local. The registry: ops number i, or NULL past the end. */
const fmd_loss_ops *fmd_loss_ops_at(size_t i);

/* Local. From a spec: "mse", "sparse_categorical_crossentropy:label_smoothing=0.1".
 * FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_loss_parse(fmd_loss *out, const char *spec);

/* Local. Adds the losses of `n` samples to *sums. `logits` and `grads` have `rows` rows of `classes`
 * values; rows n to rows - 1 are padding. `grads` (NULL: not wanted) receives the gradient of the sum
 * of the losses with respect to the logits, and zeros in padding. Both may be the same array. */
void fmd_loss_samples(const fmd_loss *loss, const float *logits, const fmd_targets *targets,
                      size_t n, size_t rows, size_t classes, float *grads, fmd_loss_sums *sums);

/* Local. The label of sample `i` with the larger weight; ties: the first. */
uint8_t fmd_target_label(const fmd_targets *targets, size_t i);

/* Local. The gradient with respect to the logits, from probabilities p and the gradient dp with
 * respect to them: p (dp - sum dp p). */
void fmd_loss_through_softmax(size_t classes, const float *p, const float *dp, float *gradient);

/* Local. The index of the largest score; ties: the first. */
size_t fmd_argmax(size_t classes, const float *scores);

/* Local. The softmax of each row; `probabilities` may be `logits`. */
void fmd_softmax_rows(size_t rows, size_t classes, const float *logits, float *probabilities);

#endif
