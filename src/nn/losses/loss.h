/* Softmax and sparse categorical cross-entropy, fused; exact sums.
 *
 * A row's loss is log(sum exp(z - max z)) - (z_label - max z): nothing overflows and nothing is
 * clipped, as in Keras on TensorFlow. Sums are integers, so they do not depend on the order. */
#ifndef FMD_NN_LOSSES_LOSS_H
#define FMD_NN_LOSSES_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* One unit of fmd_loss_sums.loss. */
#define FMD_LOSS_UNIT 0x1p-30

typedef struct fmd_loss_sums {
    int64_t loss;    /* in FMD_LOSS_UNIT */
    int64_t correct; /* rows whose largest logit is the label's (the first of equals) */
    int64_t failed;  /* rows whose loss is not finite, beyond 2^20, or so large that the sum of `of`
                        such rows would overflow */
    size_t of;       /* rows that will be summed up in all, by all ranks; set by the caller */
} fmd_loss_sums;

/* Local. Adds the first `n` of `rows` rows to *sums. `grads` (NULL: not wanted) receives the
 * gradient of the loss sum with respect to the logits, softmax(z) - onehot(label), zero in rows n
 * to rows - 1. logits, grads: rows times classes; may be the same array. */
void fmd_loss_samples(const float *logits, const uint8_t *labels, size_t n, size_t rows,
                      size_t classes, float *grads, fmd_loss_sums *sums);

/* Local. The place of the largest score, the first of equals. */
size_t fmd_argmax(size_t classes, const float *scores);

/* Local. Softmax of each row; in place is allowed. */
void fmd_softmax_rows(size_t rows, size_t classes, const float *logits, float *probabilities);

#endif
