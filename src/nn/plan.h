/* The storage that a layer requests when it is built.
 *
 * Each function may be called several times. The layer finds the storage in the order of its calls:
 * parameters in layer->param, states in layer->state, saved values in values->saved. These calls
 * return no status: out of memory is reported after build. */
#ifndef FMD_NN_PLAN_H
#define FMD_NN_PLAN_H

#include "nn/layer.h"

/* Penalty and constraint of a kernel; 0: none (nn/regularizer.h). */
typedef struct fmd_regularizer {
    double l2, max_norm;
} fmd_regularizer;

/* A tensor of a model, in the array of all its values. */
typedef struct fmd_tensor {
    const char *name; /* "kernel" */
    int layer;
    fmd_shape shape;
    fmd_init init;
    double fan_in, fan_out;
    bool trainable; /* else a state, which training keeps up to date */
    bool decays;    /* weight decay applies */
    fmd_regularizer regularizer;
    size_t offset, count;
} fmd_tensor;

/* Values that live from forward to backward. */
typedef struct fmd_saved {
    int layer;
    size_t bytes;
} fmd_saved;

typedef struct fmd_plan {
    fmd_layer *layer; /* under construction */
    fmd_tensor *params, *states;
    size_t n_params, n_states; /* tensors */
    fmd_saved *saved;
    size_t n_saved;
    size_t workspace_bytes; /* the largest workspace of any layer */
    fmd_status status;
} fmd_plan;

/* A trainable tensor, named as in Keras ("kernel"), in Keras' layout. Dense kernels are (in, out). */
typedef struct fmd_param {
    const char *name;
    fmd_shape shape;
    fmd_init init;
    double fan_in, fan_out; /* 0: the last dimension is fan-out, the product of the others fan-in */
    bool decays;            /* weight decay applies: to kernels, not to biases and scales */
    fmd_regularizer regularizer;
} fmd_param;

/* Local. */
void fmd_plan_param(fmd_plan *plan, fmd_param param);

/* Local. A tensor that is not trained: forward commits statistics for it, update_state applies
 * them. */
void fmd_plan_state(fmd_plan *plan, const char *name, fmd_shape shape, fmd_init init);

/* Local. `bytes` bytes for each sample that live from forward to backward; sample i starts at
 * offset i * bytes. */
void fmd_plan_saved(fmd_plan *plan, size_t bytes);

/* Local. The same for each microbatch. */
void fmd_plan_saved_by_microbatch(fmd_plan *plan, size_t bytes);

/* Local. Memory within one call of forward or backward; all layers share it. */
void fmd_plan_workspace(fmd_plan *plan, size_t bytes);

/* Local. Releases the arrays. */
void fmd_plan_free(fmd_plan *plan);

#endif
