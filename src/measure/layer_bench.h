/* Times of the single layers of a model within training passes.
 *
 * Layers run on the values that a pass gives them, so zeros, which kernels leave out, are where they
 * are in training. Times are means over the ranks. */
#ifndef FMD_MEASURE_LAYER_BENCH_H
#define FMD_MEASURE_LAYER_BENCH_H

#include "dist/comm.h"
#include "nn/model.h"
#include "train/fit_args.h"

/* Seconds of a layer. */
typedef struct fmd_layer_seconds {
    double forward, backward;
} fmd_layer_seconds;

/* Local. A fmd_layer_hook: adds the time of the call to the layer's element of `self`, an array of
 * fmd_layer_seconds. */
void fmd_layer_time(void *self, const fmd_layer_call *call);

/* Local. Whether the layer convolves images. */
bool fmd_layer_convolves(const fmd_model *m, const fmd_layer *l);

/* Seconds of the passes of a convolution, with all that is fused with it. */
typedef struct fmd_convolution_seconds {
    double forward, weight_gradient;
    double input_gradient; /* NAN: nobody needs it */
} fmd_convolution_seconds;

/* Collective. All ranks make `n` training passes over `samples` samples in microbatches of
 * `microbatch_size` at the same time, after one to warm up. `seconds` has an element for each layer
 * and receives the medians of convolutions, means over the ranks; other elements are left alone.
 * Gradients are not summed. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_measure_convolutions(fmd_comm *c, fmd_model *m, const fmd_fit_args *fit,
                                                size_t samples, size_t microbatch_size, size_t n,
                                                fmd_convolution_seconds *seconds);

#endif
