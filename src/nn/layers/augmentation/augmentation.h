/* The parts that the augmentation layers share. They change images in training passes and copy them
 * in others. Their random numbers depend on the seed, the layer, the step and the place in the
 * global batch, so they are the same on any number of ranks. */
#ifndef FMD_NN_LAYERS_AUGMENTATION_H
#define FMD_NN_LAYERS_AUGMENTATION_H

#include "nn/plan.h"

/* The number of random numbers reserved for each image. */
enum { FMD_AUGMENT_NUMBERS = 8 };

/* Local. Checks that the input is an image; the output has the same shape. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_augment_build(fmd_layer *l, fmd_plan *plan);

/* Local. Numbers in [0, 1) for the image at `place` of the global batch. */
void fmd_augment_draw(const fmd_layer *l, const fmd_pass *p, uint64_t place,
                      float u[FMD_AUGMENT_NUMBERS]);

/* Local. low + u (high - low) for the range "low x high"; one number f is the range from `low` f to
 * f. */
double fmd_augment_range(const fmd_numbers *range, double low, float u);

/* Local. The cost: an image is read and written once; no backward. */
fmd_cost fmd_augment_cost(const fmd_layer *l, size_t samples);

#endif
