/* Samples through a model, a group of microbatches at a time: gather, forward, score, and backward
 * in training. A step, an evaluation and a prediction are this loop with different scores. */
#ifndef FMD_TRAIN_PASSES_H
#define FMD_TRAIN_PASSES_H

#include "data/dataset.h"
#include "nn/model.h"
#include "train/phases.h"

/* Processes the logits of n samples, at places `first` to first + n - 1 of the order. `logits` has
 * `rows` rows; rows from n on are padding. `grads`, NULL without backward, receives the gradient of
 * the loss, zero in padding rows. */
typedef void fmd_score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                       float *grads);

/* Changes the inputs of n samples, rows of `x`, before the forward pass. */
typedef void fmd_prepare(void *self, size_t first, size_t n, float *x);

typedef struct fmd_passes {
    fmd_model *model;
    const fmd_split *split;
    float divisor;         /* of pixels */
    const uint32_t *order; /* samples of the split by place; NULL: as they lie there */
    size_t first, count;   /* places that go through the model */
    size_t microbatch_size;
    bool training;                 /* with backward */
    uint64_t seed;                 /* of the run */
    uint32_t step;                 /* done before this one */
    const fmd_gradient_sink *sink; /* in training */
    fmd_prepare *prepare;          /* NULL: none */
    fmd_score *score;
    void *self;
    fmd_phase_seconds *seconds; /* adds assemble, forward and backward; NULL: no timing */
} fmd_passes;

/* Local. Runs all groups; each is as large as the model has memory for. `first` is the place of a
 * microbatch's first sample, and the model has memory for one microbatch at least. */
void fmd_passes_run(const fmd_passes *p);

#endif
