/* Mixup and CutMix: mixes the images and labels of a batch in pairs.
 *
 * The partner and the share of a sample are functions of seed, step and place in the global batch. The
 * partner is another sample of the same batch, a random number of places on, so each sample is a
 * partner once. Its pixels are in the memory of the node: ranks send each other nothing. */
#ifndef FMD_TRAIN_MIXING_H
#define FMD_TRAIN_MIXING_H

#include "base/shape.h"

#include <stddef.h>
#include <stdint.h>

typedef enum fmd_mixing_kind { FMD_MIX_NONE, FMD_MIXUP, FMD_CUTMIX } fmd_mixing_kind;

typedef struct fmd_mixing {
    fmd_mixing_kind kind;
    double alpha;    /* shares have the distribution Beta(alpha, alpha) */
    fmd_shape image; /* (H, W) or (H, W, C) */
} fmd_mixing;

/* The range of alpha. At its upper end a share takes six attempts on average. */
#define FMD_MIXING_ALPHA_MIN 0.01
#define FMD_MIXING_ALPHA_MAX 2

/* The mix of one sample. */
typedef struct fmd_mix {
    size_t partner; /* place in the batch */
    float share;    /* of the sample's own image and label; the partner has the rest */
    float top, left, height, width; /* CutMix: the partner's box, in pixels */
} fmd_mix;

/* Local. The mix of place `place` in a batch of `count`, after `step` steps. */
fmd_mix fmd_mixing_at(const fmd_mixing *m, uint64_t seed, uint32_t step, size_t place,
                      size_t count);

/* Local. Mixes image `x` (pixels over `divisor`) with the bytes of its partner. Mixup (Zhang et al.,
 * ICLR 2018): share x + (1 - share) partner. CutMix (Yun et al., ICCV 2019): the pixels of the box are
 * the partner's; a pixel is in the box if top <= row < top + height, likewise for columns. */
void fmd_mixing_apply(const fmd_mixing *m, const fmd_mix *mix, const uint8_t *partner,
                      float divisor, float *x);

#endif
