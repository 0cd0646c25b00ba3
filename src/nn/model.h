/* A model: a graph of layers over one flat array of values.
 *
 * All parameters lie in one aligned array in the order of the layers, state tensors behind them, and
 * gradients have the same order: the optimizer, the reduction and the checkpoint see arrays, never
 * layers. The last layer must end in a softmax, which the model leaves to the loss: forward gives
 * its input, the logits. */
#ifndef FMD_NN_MODEL_H
#define FMD_NN_MODEL_H

#include "base/hash.h"
#include "fmd/model.h"
#include "nn/plan.h"

/* Capacity for the text of a model's layers. */
enum { FMD_LAYERS_BYTES = 32768 };

/* Local. Builds a model from `layers` ("flatten,dense:128:relu,dense:10:softmax"; nn/graph.h) for
 * inputs of shape `in`, with memory for `max_samples` samples in one pass. All values are zero until
 * fmd_model_init. FMD_EUSAGE names the layer and the fault. */
FMD_CHECKED fmd_status fmd_model_create(fmd_model **out, const char *layers, fmd_shape in,
                                        size_t max_samples);
/* Local. The same without fused layers, slower and with more memory: the output of every layer is
 * stored. */
FMD_CHECKED fmd_status fmd_model_create_unfused(fmd_model **out, const char *layers, fmd_shape in,
                                                size_t max_samples);

/* The size of a model, known before it is created. */
typedef struct fmd_model_size {
    size_t params, trainable_params;  /* values; states are not trainable */
    size_t fixed_bytes, sample_bytes; /* memory: fixed, and for each sample of a pass */
    bool batch_statistics; /* training must cut every batch into microbatches of one size */
} fmd_model_size;

/* Local. As fmd_model_create. */
FMD_CHECKED fmd_status fmd_model_measure(fmd_model_size *out, const char *layers, fmd_shape in);

/* Local. Bytes of a model with memory for `max_samples` samples. */
double fmd_model_size_bytes(const fmd_model_size *s, size_t max_samples);

/* Local. Samples in a group of microbatches, which goes through the model in one pass: as many
 * whole microbatches as fit into the cache, or into as much memory as the parameters take; at least
 * one, at most enough for `samples` samples. */
size_t fmd_model_size_group(const fmd_model_size *s, size_t microbatch_size, size_t samples);

/* Local. The shape check of a classifier: one row of scores an image, and a unit for each of
 * `classes` classes; `largest_name` is the name of the last, or empty. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_model_check_classes(const fmd_model *m, int classes,
                                               const char *largest_name);

/* Local. The layers and tensors. The trainable tensors are the first ones; states follow. */
const fmd_layer *fmd_model_layer(const fmd_model *m, size_t i);
size_t fmd_model_n_tensors(const fmd_model *m);
size_t fmd_model_n_trainable_tensors(const fmd_model *m);
const fmd_tensor *fmd_model_tensor(const fmd_model *m, size_t i);

/* Local. Replaces the array of all parameters, which is returned. */
float *fmd_model_swap_params(fmd_model *m, float *params);

/* Local. Keras' class of the model: "sequential" if the only input of each layer is the layer
 * before, otherwise "functional". */
const char *fmd_model_kind(const fmd_model *m);

/* Local. Whether some layer has batch statistics. */
bool fmd_model_batch_statistics(const fmd_model *m);

/* Local. A hash of the bits of all values. */
fmd_hash fmd_model_hash(const fmd_model *m);

/* Local. The most samples of a pass. */
size_t fmd_model_max_samples(const fmd_model *m);

/* Local. The cost of a training pass over `samples` samples, without loss and update. */
fmd_cost fmd_model_cost(const fmd_model *m, size_t samples);

/* Local. The rows to fill before forward: max_samples times the input's values. */
float *fmd_model_input(fmd_model *m);

/* Local. Logits, rows times classes, from the input rows of the pass; they stay until backward.
 * Statistics of a training pass go into the sink; NULL: they are not needed. */
const float *fmd_model_forward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink);

/* Local. The output of layer `last` from the input rows of the pass, valid until the next pass. The
 * input must be filled again before that pass. Outputs between fused layers exist in unfused models
 * only. */
const float *fmd_model_forward_to(fmd_model *m, const fmd_pass *p, size_t last);

/* Local. The gradient of the logits, rows times classes; the loss fills it before backward. */
float *fmd_model_logit_grads(fmd_model *m);

/* Local. Gradient sums of the pass that forward has just made, into the sink. */
void fmd_model_backward(fmd_model *m, const fmd_pass *p, const fmd_gradient_sink *sink);

/* Local. Updates n values, from `first` on, of one state tensor with the statistics of a step;
 * `mean` holds their means over the samples of the global batch. */
void fmd_model_update_state(fmd_model *m, size_t first, size_t n, const float *mean);

/* Makes the call by fmd_layer_run, and may measure it. */
typedef void fmd_layer_hook(void *self, const fmd_layer_call *call);

/* Local. From now on passes leave each call of a layer to `hook`; NULL: they make it themselves. */
void fmd_model_hook(fmd_model *m, fmd_layer_hook *hook, void *self);

/* Local. The arrays that forward and backward of layer i read and write; for tests. */
const fmd_values *fmd_model_values(const fmd_model *m, size_t i);

#endif
