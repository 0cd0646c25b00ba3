/* Optimizers as loops over flat arrays; formulas and defaults are Keras 3's.
 *
 * A step makes one or more passes over all gradients, in blocks of at most FMD_OPTIMIZER_BLOCK values
 * of one tensor: norms first, where something needs them, then the update. Norms are sums over these
 * blocks in order, so they do not depend on who computes a block. */
#ifndef FMD_NN_OPTIMIZERS_OPTIMIZER_H
#define FMD_NN_OPTIMIZERS_OPTIMIZER_H

#include "base/option.h"
#include "fmd/error.h"
#include "nn/model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fmd_optimizer fmd_optimizer;

enum { FMD_OPTIMIZER_BLOCK = 2048, FMD_OPTIMIZER_SLOTS = 3, FMD_OPTIMIZER_SPEC_BYTES = 256 };

/* The numbers of a step for one tensor. */
typedef struct fmd_step_factors {
    float rate; /* the learning rate, with what ops->factors makes of it, times the trust ratio */
    float extra[2]; /* set by ops->factors */
    float decay;    /* the weight decay, for ops that add it to the gradient; otherwise 0 */
} fmd_step_factors;

/* One kind of optimizer; a const table for each line of optimizers.def. */
typedef struct fmd_optimizer_ops {
    const char *name;         /* "adam" */
    const char *keras_class;  /* "Adam"; NULL: Keras has none */
    const char *help;         /* one line */
    double learning_rate;     /* Keras' default */
    const char *weight_decay; /* the default, as text; NULL: none */
    bool adds_decay;          /* step adds the weight decay to the gradient */
    size_t args_size;
    const fmd_option *args;
    size_t n_args;

    /* Names of the slots in Keras' order, NULL past the last. In Keras' files the first `interleaved`
     * ones are ordered by variable (m0 v0 m1 v1), the others one after another. */
    const char *slots[FMD_OPTIMIZER_SLOTS];
    size_t interleaved;

    /* Bit i tells whether slot i is needed with these arguments; NULL: all are. Interleaved slots
     * always are. */
    unsigned (*slots_used)(const void *args);

    /* The first value of all slots; NULL: 0. */
    float (*slot_start)(const void *args, size_t slot);

    /* A scalar that Keras stores behind all slots, after `t` steps; NULL: there is none. */
    double (*scalar)(const void *args, uint64_t t);

    /* Changes the factors of step `t`, counted from 1; NULL: rate is the learning rate, extra 0. */
    void (*factors)(const void *args, double learning_rate, uint64_t t, fmd_step_factors *f);

    /* For optimizers with a trust ratio, otherwise NULL. measure sees all values of a tensor before
     * the first step: it updates slots and returns sums of squares; ratio makes the factor of the
     * learning rate from the sums over the tensor. */
    void (*measure)(const void *args, size_t n, const float *params, const float *grads,
                    float *const *slots, const fmd_step_factors *f, double squares[2]);
    double (*ratio)(const void *args, const double squares[2], const fmd_step_factors *f);

    /* Updates any n parameters, each from its own gradient and slots alone. slots[i] is NULL where
     * slot i is not needed. */
    void (*step)(const void *args, size_t n, float *params, const float *grads, float *const *slots,
                 const fmd_step_factors *f);
} fmd_optimizer_ops;

/* The arguments that every optimizer has, as in Keras; NAN or FMD_UNSET_INT: not used. */
typedef struct fmd_optimizer_common {
    double weight_decay;
    bool kernels_only; /* weight decay and trust ratio */
    double clipnorm, global_clipnorm, clipvalue;
    bool use_ema;
    double ema_momentum;
    int64_t ema_overwrite_frequency;
} fmd_optimizer_common;

/* Local. From a spec: "adam", "sgd:momentum=0.9:nesterov:clipnorm=1". All parameters are one tensor
 * until fmd_optimizer_set_model. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_optimizer_create(fmd_optimizer **out, const char *spec, size_t n_params);
void fmd_optimizer_destroy(fmd_optimizer *o);

/* Local. The tensors are those of the model, whose trainable parameters the optimizer updates.
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_optimizer_set_model(fmd_optimizer *o, const fmd_model *m);

/* Local. The registry: ops number i, or NULL past the end; and the table of the common arguments. */
const fmd_optimizer_ops *fmd_optimizer_ops_at(size_t i);
const fmd_option *fmd_optimizer_common_args(size_t *n);

/* Local. One step along `grads`, the gradient of the mean loss. */
void fmd_optimizer_step(fmd_optimizer *o, float *params, const float *grads, double learning_rate);

/* Local. The same in parts: after begin, `part` for each block of each tensor in order, until `again`
 * says that no further pass follows. Each call updates parameters `first` to `first` + n - 1.
 * `params` holds all parameters, the gradients belong to the part. */
void fmd_optimizer_begin(fmd_optimizer *o, double learning_rate);
void fmd_optimizer_part(fmd_optimizer *o, float *params, size_t first, size_t n,
                        const float *gradient);
bool fmd_optimizer_again(fmd_optimizer *o);

/* Local. Whether the pass under way is the last one, the update. */
bool fmd_optimizer_updates(const fmd_optimizer *o);

/* Local. For parts that several ranks do: the number of passes; takes the sums of squares that one
 * part has made, and adds those of all parts, in order, before `again`. */
int fmd_optimizer_passes(const fmd_optimizer *o);
void fmd_optimizer_take_squares(fmd_optimizer *o, size_t first, double squares[2]);
void fmd_optimizer_add_squares(fmd_optimizer *o, size_t first, const double squares[2]);

/* Local. The end of training, as Keras' finalize_variable_values: with use_ema the parameters become
 * their averages. Returns whether they did. */
bool fmd_optimizer_finish(const fmd_optimizer *o, float *params);

/* Local. The state for a checkpoint: steps done, and the used slots, each n_params floats. With
 * use_ema the first slot is "average". */
const fmd_optimizer_ops *fmd_optimizer_ops_of(const fmd_optimizer *o);
const void *fmd_optimizer_args(const fmd_optimizer *o);
const fmd_optimizer_common *fmd_optimizer_common_of(const fmd_optimizer *o);
uint64_t fmd_optimizer_steps(const fmd_optimizer *o);
void fmd_optimizer_set_steps(fmd_optimizer *o, uint64_t steps);
size_t fmd_optimizer_n_slots(const fmd_optimizer *o);
const char *fmd_optimizer_slot_name(const fmd_optimizer *o, size_t i);
const char *fmd_optimizer_spec(const fmd_optimizer *o); /* as given */
float *fmd_optimizer_slot(const fmd_optimizer *o, size_t i);

/* Local. Replaces the array of a slot, which is returned. */
float *fmd_optimizer_swap_slot(fmd_optimizer *o, size_t i, float *slot);

#endif
