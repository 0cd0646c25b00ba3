/* Softmax and sparse categorical cross-entropy, fused; exact sums.
 *
 * The loss of a sample is log(sum exp(z - max z)) - (z_label - max z). Nothing overflows and nothing
 * is clipped, as in Keras on TensorFlow. Sums are integers, so their order does not matter. */
#ifndef FMD_NN_LOSSES_LOSS_H
#define FMD_NN_LOSSES_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* One unit of fmd_loss_sums.loss. */
#define FMD_LOSS_UNIT 0x1p-30

typedef struct fmd_loss_sums {
    int64_t loss;    /* in FMD_LOSS_UNIT */
    int64_t correct; /* samples whose largest logit (ties: the first) belongs to the label */
    int64_t failed;  /* samples whose loss is not finite, above 2^20, or so large that `of` losses
                        of this size would overflow the sum */
    size_t of;       /* samples of all ranks that go into the sum; set by the caller */
} fmd_loss_sums;

/* Local. Adds the losses of `n` samples to *sums. `logits` and `grads` have `rows` rows of `classes`
 * values; rows n to rows - 1 are padding. `grads` (NULL: not wanted) receives the gradient of the sum
 * of the losses with respect to the logits, softmax(z) - onehot(label), and zeros in padding. Both
 * may be the same array. */
void fmd_loss_samples(const float *logits, const uint8_t *labels, size_t n, size_t rows,
                      size_t classes, float *grads, fmd_loss_sums *sums);

/* Local. The index of the largest score; ties: the first. */
size_t fmd_argmax(size_t classes, const float *scores);

/* Local. The softmax of each row; `probabilities` may be `logits`. */
void fmd_softmax_rows(size_t rows, size_t classes, const float *logits, float *probabilities);

#endif
