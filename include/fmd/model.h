/* A sequential model: layers over one flat array of parameters.
 *
 * All parameters lie in one aligned array in layer order, and gradients have the same order: the
 * optimizer, the reduction and the checkpoint see arrays, never layers. The last layer must end in
 * a softmax, which the model leaves to the loss: forward gives its input, the logits. */
#ifndef FMD_MODEL_H
#define FMD_MODEL_H

#include "base/hash.h"
#include "fmd/error.h"
#include "nn/layer.h"

typedef struct fmd_model fmd_model;

/* A parameter tensor. */
typedef struct fmd_tensor {
    const char *name; /* "kernel" */
    int layer;
    fmd_shape shape;
    fmd_init init;
    size_t offset, count; /* in the parameter array */
} fmd_tensor;

/* Local. Builds a model from `layers` ("flatten,dense:128:relu,dense:10:softmax") for inputs of
 * shape `in`, with room for `max_samples` rows in one pass. All parameters are zero until
 * fmd_model_init. FMD_EUSAGE names the layer and what is wrong with it. */
FMD_CHECKED fmd_status fmd_model_create(fmd_model **out, const char *layers, fmd_shape in,
                                        size_t max_samples);
void fmd_model_destroy(fmd_model *m);

/* Local. Parameters of such a model, and the bytes that it would take; as fmd_model_create. */
FMD_CHECKED fmd_status fmd_model_measure(double *n_params, double *bytes, const char *layers,
                                         fmd_shape in, size_t max_samples);

/* Local. The shape check of a classifier: one row of scores an image, and a unit for each of
 * `classes` classes; `largest_name` is the name of the last, or empty. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_model_check_classes(const fmd_model *m, int classes,
                                               const char *largest_name);

/* Local. Gives every parameter its initial value, a function of `seed` and its place. */
void fmd_model_init(fmd_model *m, uint64_t seed);

/* Local. The layers, tensors and values. */
size_t fmd_model_n_layers(const fmd_model *m);
const fmd_layer *fmd_model_layer(const fmd_model *m, size_t i);
size_t fmd_model_n_tensors(const fmd_model *m);
const fmd_tensor *fmd_model_tensor(const fmd_model *m, size_t i);
float *fmd_model_params(const fmd_model *m);
size_t fmd_model_n_params(const fmd_model *m);
fmd_shape fmd_model_in(const fmd_model *m);
int fmd_model_classes(const fmd_model *m);
const char *fmd_model_spec(const fmd_model *m); /* the layers as given, without spaces */

/* Local. The identity of the parameters, bit for bit. */
fmd_hash fmd_model_hash(const fmd_model *m);

/* Local. The rows to fill before forward: max_samples times the input's values. */
float *fmd_model_input(fmd_model *m);

/* Local. Logits, rows times classes, from the input rows of the pass. */
const float *fmd_model_forward(fmd_model *m, const fmd_pass *p);

/* Local. Where the loss puts the gradient of the logits before backward; rows times classes. */
float *fmd_model_logit_grads(fmd_model *m);

/* Local. Gradient sums of the pass that forward has just made, into the sink. */
void fmd_model_backward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink);

#endif
