/* Keras' kernel_regularizer=L2 and kernel_constraint=MaxNorm(axis=0).
 *
 * The penalty, the sum of l2 w^2 over the kernels, is part of the loss; its gradient is added to the
 * mean over the batch, once for a step, so it does not depend on the ranks. A kernel with a largest
 * norm is scaled after the step. */
#ifndef FMD_NN_REGULARIZER_H
#define FMD_NN_REGULARIZER_H

#include "nn/model.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a field and parts of string literals take none */
/* Rows of an option table whose struct has the fmd_regularizer `field`. `prefix` stands in front of
 * the names here, `keras` in front of those of Keras. */
#define FMD_REGULARIZER_OPTIONS(args, field, prefix, keras_prefix)                                 \
    {.name = prefix "l2",                                                                          \
     .kind = FMD_OPTION_FLOAT,                                                                     \
     .offset = offsetof(args, field.l2),                                                           \
     .initial = "0",                                                                               \
     .min = 0,                                                                                     \
     .max = 1e6,                                                                                   \
     .keras = keras_prefix "_regularizer",                                                         \
     .help = "adds l2 times the sum of squares of the kernel to the loss"},                        \
    {                                                                                              \
        .name = prefix "max_norm", .kind = FMD_OPTION_FLOAT,                                       \
        .offset = offsetof(args, field.max_norm), .initial = "0", .min = 0, .max = 1e6,            \
        .keras = keras_prefix "_constraint",                                                       \
        .help = "largest norm of the kernel along its first axis; 0: any"                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

/* Local. Whether a kernel of the model has a penalty or a largest norm. */
bool fmd_regularizer_exists(const fmd_model *m);

/* Local. The penalty of the current parameters. */
double fmd_regularizer_loss(const fmd_model *m);

/* Local. out = gradient + 2 l2 w, for n parameters from number `first` on. */
void fmd_regularizer_gradient(const fmd_model *m, size_t first, size_t n, const float *gradient,
                              float *out);

/* Local. Scales the kernels whose norm is too large. */
void fmd_regularizer_constrain(fmd_model *m);

/* Local. Whether fmd_regularizer_constrain has work. */
bool fmd_regularizer_constrains(const fmd_model *m);

#endif
