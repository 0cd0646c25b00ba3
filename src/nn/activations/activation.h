/* For authors of activations: an activation is one file with a const table and one line in the list
 * below. */
#ifndef FMD_NN_ACTIVATIONS_ACTIVATION_H
#define FMD_NN_ACTIVATIONS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct fmd_activation {
    const char *name; /* Keras' */
    bool needs_input; /* backward reads x; otherwise x may be NULL */

    /* y = f(x) for rows times cols values; y may be x. */
    void (*forward)(size_t rows, size_t cols, const float *x, float *y);

    /* dy becomes dx = dy f'(x). NULL: f'(x) = 1. */
    void (*backward)(size_t rows, size_t cols, const float *x, const float *y, float *dy);
} fmd_activation;

#define FMD_ACTIVATION_LIST(X)                                                                     \
    X(linear)                                                                                      \
    X(relu)                                                                                        \
    X(leaky_relu)                                                                                  \
    X(elu)                                                                                         \
    X(gelu)                                                                                        \
    X(sigmoid)                                                                                     \
    X(tanh)                                                                                        \
    X(softmax)

/* Names for option tables: "linear|relu|...". */
#define FMD_ACTIVATION_CHOICE(name) #name "|"
#define FMD_ACTIVATION_NAMES        FMD_ACTIVATION_LIST(FMD_ACTIVATION_CHOICE)

#define FMD_ACTIVATION_DECLARE(name) extern const fmd_activation fmd_activation_##name;
FMD_ACTIVATION_LIST(FMD_ACTIVATION_DECLARE)

/* Local. The activation at `index` of FMD_ACTIVATION_NAMES. */
const fmd_activation *fmd_activation_at(int index);

#endif
