/* Optimizers as loops over flat arrays; formulas and defaults are Keras 3's. */
#ifndef FMD_OPTIMIZER_H
#define FMD_OPTIMIZER_H

#include "base/option.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_optimizer fmd_optimizer;

/* One kind of optimizer; a const table for each line of optimizers.def. */
typedef struct fmd_optimizer_ops {
    const char *name;        /* "adam" */
    const char *keras_class; /* "Adam" */
    double learning_rate;    /* Keras' default */
    size_t args_size;
    const fmd_option *args;
    size_t n_args;
    const char *slots[3]; /* names of the slots in Keras' order, NULL past the last */
    bool interleaved;     /* Keras stores slots by variable (m0 v0 m1 v1), not one after another */

    /* Bit i tells whether slot i is needed with these arguments; NULL: all are. */
    unsigned (*slots_used)(const void *args);

    /* The rate that `step` uses in step `t`, counted from 1; NULL: the learning rate itself. */
    double (*rate)(const void *args, double learning_rate, uint64_t t);

    /* Updates any n parameters, each from its own gradient and slots alone. slots[i] is NULL where
     * slot i is not needed. */
    void (*step)(const void *args, size_t n, float *params, const float *grads, float *const *slots,
                 float rate);
} fmd_optimizer_ops;

/* Local. From a spec: "adam", "sgd:momentum=0.9:nesterov". FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_optimizer_create(fmd_optimizer **out, const char *spec, size_t n_params);
void fmd_optimizer_destroy(fmd_optimizer *o);

/* Local. The registry: ops number i, or NULL past the end. */
const fmd_optimizer_ops *fmd_optimizer_ops_at(size_t i);

/* Local. One step along `grads`, the gradient of the mean loss. */
void fmd_optimizer_step(fmd_optimizer *o, float *params, const float *grads, double learning_rate);

/* Local. The same in parts: each call updates parameters `first` to `first` + n - 1. `params` holds
 * all parameters, the gradients belong to the part. */
void fmd_optimizer_begin(fmd_optimizer *o, double learning_rate);
void fmd_optimizer_part(fmd_optimizer *o, float *params, size_t first, size_t n,
                        const float *grads);

/* Local. The state for a checkpoint: steps done, and the used slots, each n_params floats. */
const fmd_optimizer_ops *fmd_optimizer_ops_of(const fmd_optimizer *o);
const void *fmd_optimizer_args(const fmd_optimizer *o);
uint64_t fmd_optimizer_steps(const fmd_optimizer *o);
void fmd_optimizer_set_steps(fmd_optimizer *o, uint64_t steps);
size_t fmd_optimizer_n_slots(const fmd_optimizer *o);
const char *fmd_optimizer_slot_name(const fmd_optimizer *o, size_t i);
const char *fmd_optimizer_spec(const fmd_optimizer *o); /* as given */
float *fmd_optimizer_slot(const fmd_optimizer *o, size_t i);

#endif
