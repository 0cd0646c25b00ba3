/* For authors of layers.
 *
 * A layer is one file with a const table of operations and one line in layers.def. It asks for
 * storage when it is built and owns none, so it has nothing to destroy; forward and backward cannot
 * fail and allocate nothing. A layer knows neither MPI nor ranks: it works on microbatches of equal shape
 * and hands the sums of each microbatch's gradients to a sink. docs/adding-a-layer.md walks through
 * one. */
#ifndef FMD_NN_LAYER_H
#define FMD_NN_LAYER_H

#include "base/fixed.h"
#include "base/option.h"
#include "base/rng.h"
#include "base/shape.h"

/* One pass over rows of samples: `microbatches` microbatches of `microbatch_size` rows each. The result of a row may
 * depend on microbatch_size but never on `microbatches`: multiply microbatch by microbatch. */
typedef struct fmd_pass {
    int microbatches, microbatch_size;
    bool training;
    uint64_t seed;         /* of the run */
    uint32_t step;         /* steps done before this one */
    uint64_t first_sample; /* the place of row 0 in the global batch */
} fmd_pass;

/* Where backward puts the sums of a microbatch's gradients: it asks for room for values offset to offset
 * + n - 1 of a parameter tensor, fills it, and adds it. Tensors are numbered over the model. */
typedef struct fmd_gradient_sink {
    void *self;
    float *(*begin)(void *self, size_t tensor, size_t offset, size_t n);
    void (*commit)(void *self, size_t tensor, size_t offset, size_t n);
    /* Lanes that a matrix product may add to by itself, without a room; NULL, or returns NULL,
     * where there are none. */
    fmd_fixed *(*fixed)(void *self, size_t tensor);
} fmd_gradient_sink;

/* How a parameter starts (Keras' initialisers of these names). */
#define FMD_INIT_LIST(X)                                                                           \
    X(glorot_uniform)                                                                              \
    X(glorot_normal)                                                                               \
    X(he_uniform)                                                                                  \
    X(he_normal)                                                                                   \
    X(lecun_uniform)                                                                               \
    X(lecun_normal)                                                                                \
    X(zeros)                                                                                       \
    X(ones)

#define FMD_INIT_ENUM(name) FMD_INIT_##name,
typedef enum fmd_init { FMD_INIT_LIST(FMD_INIT_ENUM) } fmd_init;

/* Names for option tables: "glorot_uniform|...". */
#define FMD_INIT_CHOICE(name) #name "|"
#define FMD_INIT_NAMES        FMD_INIT_LIST(FMD_INIT_CHOICE)

enum { FMD_LAYER_SLOTS = 4, FMD_LAYER_NAME = 48 };

typedef struct fmd_layer_ops fmd_layer_ops;
struct fmd_activation;

typedef struct fmd_layer {
    const fmd_layer_ops *ops;
    const void *args;          /* the parsed arguments, ops->args_size bytes */
    int index;                 /* in the model */
    char name[FMD_LAYER_NAME]; /* "dense", "dense_1": as Keras counts */
    fmd_shape in, out;         /* of a sample; build sets out */
    size_t first_tensor;       /* number of the layer's first parameter tensor */
    size_t n_tensors;
    const struct fmd_activation *activation; /* set by build if there is one; the model takes a
                                                softmax at its end away: it belongs to the loss */
    float *param[FMD_LAYER_SLOTS];           /* in the order in which build asked */
    float *saved[FMD_LAYER_SLOTS];           /* rows of the values that backward needs again */
} fmd_layer;

/* What build asks of the model. */
typedef struct fmd_plan fmd_plan;

/* Local. A trainable tensor, named as in Keras ("kernel"), in Keras' layout; layer->param[i] of the
 * i-th call. Dense kernels are (in, out). */
void fmd_plan_param(fmd_plan *plan, const char *name, fmd_shape shape, fmd_init init);

/* Local. `count` floats for each row that live from forward to backward; layer->saved[i]. */
void fmd_plan_saved(fmd_plan *plan, size_t count);

struct fmd_layer_ops {
    const char *name;        /* in --layers */
    const char *keras_class; /* "Dense" */
    const char *help;        /* one line */
    const char *example;     /* a spec that the gradient test builds: "dense:5:tanh" */
    fmd_shape example_in;    /* and the shape of its input */
    size_t args_size;
    const fmd_option *args;
    size_t n_args;

    /* Checks l->in, sets l->out, asks for storage. FMD_EUSAGE says what is wrong with the shape. */
    fmd_status (*build)(fmd_layer *l, fmd_plan *plan);

    /* y = f(x), rows times the shapes. NULL: only the shape changes, the values pass through. */
    void (*forward)(const fmd_layer *l, const fmd_pass *p, const float *x, float *y);

    /* dx from dy, and the parameters' gradient sums of each microbatch into the sink. May overwrite dy.
     * dx NULL: nobody needs it. */
    void (*backward)(const fmd_layer *l, const fmd_pass *p, const float *x, const float *y,
                     float *dy, float *dx, const fmd_gradient_sink *sink);
};

/* Local. The registry: ops number i, or NULL past the end. */
const fmd_layer_ops *fmd_layer_ops_at(size_t i);

static inline size_t fmd_pass_samples(const fmd_pass *p)
{
    return (size_t)p->microbatches * (size_t)p->microbatch_size;
}

#endif
