/* The parts that the pooling layers share. */
#ifndef FMD_NN_POOLING_H
#define FMD_NN_POOLING_H

#include "math/conv/pool.h"
#include "nn/plan.h"

/* Arguments of a pooling layer, with Keras' names and defaults. Strides of 0: the size of the
 * pool. */
typedef struct fmd_pool_args {
    fmd_shape pool_size, strides;
    int padding; /* fmd_padding */
} fmd_pool_args;

extern const fmd_option fmd_pool_options[];
enum { FMD_POOL_OPTIONS = 3 };

/* Local. The pooling of the layer's input. */
fmd_pool fmd_pooling_of(const fmd_layer *l);

/* Local. Checks the pooling and sets the output shape. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_pooling_build(fmd_layer *l);

/* The argument of a pooling layer over whole images. */
typedef struct fmd_global_pool_args {
    bool keepdims;
} fmd_global_pool_args;

extern const fmd_option fmd_global_pool_options[];
enum { FMD_GLOBAL_POOL_OPTIONS = 1 };

/* Local. Checks the input of a pooling over whole images and sets the output shape. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_global_pooling_build(fmd_layer *l, fmd_plan *plan);

/* Local. Pixels and channels of the layer's input image. */
size_t fmd_image_pixels(const fmd_layer *l);
size_t fmd_image_channels(const fmd_layer *l);

/* Local. A cost of one operation for each place of each window. */
fmd_cost fmd_pooling_cost(const fmd_layer *l, size_t samples);

#endif
