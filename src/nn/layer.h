/* For authors of layers.
 *
 * A layer is one file with a const table of operations and one line in layers.def. It asks for
 * storage when it is built (nn/plan.h) and owns none, so it has nothing to destroy; forward and
 * backward cannot fail and allocate nothing. A layer knows neither MPI nor ranks: it works on
 * microbatches of equal size and hands sums over each microbatch to a sink. docs/adding-a-layer.md
 * walks through one. */
#ifndef FMD_NN_LAYER_H
#define FMD_NN_LAYER_H

#include "base/fixed.h"
#include "base/option.h"
#include "base/rng.h"
#include "base/shape.h"

/* One pass over rows of samples: `microbatches` microbatches of `microbatch_size` rows each. The
 * result of a row may depend on microbatch_size but never on `microbatches`, and on rows of its own
 * microbatch only in layers with `batch_statistics`. */
typedef struct fmd_pass {
    int microbatches, microbatch_size;
    int padding; /* rows without a sample at the end of the last microbatch */
    bool training;
    uint64_t seed;         /* of the run */
    uint32_t step;         /* steps done before this one */
    uint64_t first_sample; /* the place of row 0 in the global batch */
} fmd_pass;

/* Receives the sums over a microbatch: the gradients of parameters in backward, the statistics of
 * state tensors in forward. `begin` returns memory for values offset to offset + n - 1 of a tensor;
 * the layer fills this memory completely and commits it. Tensors are numbered over the model. */
typedef struct fmd_gradient_sink {
    void *self;
    float *(*begin)(void *self, size_t tensor, size_t offset, size_t n);
    void (*commit)(void *self, size_t tensor, size_t offset, size_t n);
    /* Fixed-point sums that a matrix product may add to directly. NULL, or a return value of NULL:
     * the sink has none. */
    fmd_fixed *(*fixed)(void *self, size_t tensor);
    /* The model's backward says that `tensor` and all tensors behind it are committed. NULL: more
     * passes follow. */
    void (*complete)(void *self, size_t tensor);
} fmd_gradient_sink;

/* The arrays that a pass of a layer reads and writes: rows of samples, without gaps. */
typedef struct fmd_values {
    const float *const *x; /* of each input */
    float *y;
    float *dy;          /* backward: may be overwritten */
    float *const *dx;   /* backward: output, for each input; NULL if it is not needed */
    void *const *saved; /* in the order of the plan's fmd_plan_saved... */
    void *workspace;    /* holds garbage at the beginning of each call */
} fmd_values;

/* Arithmetic and memory traffic of one pass over a number of samples. */
typedef struct fmd_cost {
    double forward_flops, forward_bytes;
    double backward_flops, backward_bytes;
} fmd_cost;

/* The initialisers of a parameter, with Keras' names. */
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

enum { FMD_LAYER_NAME = 48, FMD_MODEL_INPUT = -1 };

typedef struct fmd_layer_ops fmd_layer_ops;
struct fmd_activation;
struct fmd_plan;

typedef struct fmd_layer {
    const fmd_layer_ops *ops;
    const void *args;          /* the parsed arguments, ops->args_size bytes */
    int index;                 /* in the model */
    char name[FMD_LAYER_NAME]; /* "dense", "dense_1": as Keras counts */
    int n_inputs;
    const int *inputs;              /* indices of layers before this one, or FMD_MODEL_INPUT */
    const fmd_shape *in;            /* of a sample of each input */
    fmd_shape out;                  /* of a sample; build sets it */
    bool sends_gradient;            /* some input needs a gradient; known once the model is built */
    int n_fused;                    /* the layers after this one that its passes compute as well */
    bool is_fused;                  /* a layer before this one computes it */
    size_t first_tensor, n_tensors; /* the layer's trainable tensors among those of the model */
    size_t first_state, n_states;   /* and its state tensors */
    float *const *param;            /* values of the trainable tensors, in the plan's order */
    float *const *state;            /* and of the state tensors */
    const struct fmd_activation *activation; /* set by build if there is one; the model takes a
                                                softmax at its end away: it belongs to the loss */
} fmd_layer;

struct fmd_layer_ops {
    const char *name;        /* in --layers: Keras' in snake case */
    const char *keras_class; /* "Dense" */
    const char *help;        /* one line */
    const char *example;     /* a spec that the gradient test builds: "dense:5:tanh" */
    fmd_shape example_in;    /* and the shape of its input, or of each of its inputs */
    size_t args_size;
    const fmd_option *args;
    size_t n_args;
    bool merges;               /* has several inputs: arguments without "=" name the further ones */
    bool batch_statistics;     /* in training a row depends on the other rows of its microbatch */
    bool needs_image;          /* input must be an image, (height, width, channels) */
    bool forgets_x, forgets_y; /* backward does not read x, or y: their memory is reused */

    /* Checks l->in, sets l->out, asks for storage. FMD_EUSAGE explains why the shape is invalid. */
    fmd_status (*build)(fmd_layer *l, struct fmd_plan *plan);

    /* y = f(x). NULL: only the shape changes, the values pass through in both directions. If `sink`
     * is not NULL, a training pass commits the sum over the samples of each microbatch for each
     * state tensor. */
    void (*forward)(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                    const fmd_gradient_sink *sink);

    /* dx from dy, and the gradient sums of each microbatch into the sink. NULL with a forward: the
     * layer passes no gradient on and stands before the first parameters of its branch. */
    void (*backward)(const fmd_layer *l, const fmd_pass *p, const fmd_values *v,
                     const fmd_gradient_sink *sink);

    /* Values of state tensor `state` of the layer after a step whose statistics have the mean
     * `mean` over the samples of the global batch; any n values of it. */
    void (*update_state)(const fmd_layer *l, size_t state, size_t n, const float *mean,
                         float *values);

    /* How many of the n layers after `l` its passes compute as well, with the same bits. Each of
     * them is the only consumer of the one before. The arrays of a fused layer follow those of the
     * layer before: the inputs, which are NULL between fused layers, and the saved values; y and dy
     * are those of the last one. May ask for more workspace. NULL: none. */
    int (*fuse)(const fmd_layer *l, int n, struct fmd_plan *plan);

    /* NULL: one operation for each value, each array read or written once. */
    fmd_cost (*cost)(const fmd_layer *l, size_t samples);
};

/* Local. The registry: ops number i, or NULL past the end. */
const fmd_layer_ops *fmd_layer_ops_at(size_t i);

/* Local. The ops of `name`. FMD_EUSAGE names the nearest one. */
FMD_CHECKED fmd_status fmd_layer_find(const fmd_layer_ops **out, const char *name);

/* Local. Checks that input 0 is an image (height, width, channels); FMD_EUSAGE names the layer and
 * the actual shape. */
FMD_CHECKED fmd_status fmd_layer_check_image(const fmd_layer *l);

/* Local. The cost of a pass over `samples` samples. */
fmd_cost fmd_layer_cost(const fmd_layer *l, size_t samples);

/* Local. The tensors of a layer in Keras' order, trainable ones first: their count, and the index
 * of the i-th in the model. */
static inline size_t fmd_layer_n_variables(const fmd_layer *l)
{
    return l->n_tensors + l->n_states;
}

static inline size_t fmd_layer_variable(const fmd_layer *l, size_t i)
{
    return i < l->n_tensors ? l->first_tensor + i : l->first_state + (i - l->n_tensors);
}

/* Local. Whether training calls the layer's backward. */
static inline bool fmd_layer_goes_back(const fmd_layer *l)
{
    return l->ops->backward != NULL && (l->n_tensors > 0 || l->sends_gradient);
}

/* One call of a layer's forward or backward. */
typedef struct fmd_layer_call {
    const fmd_layer *layer;
    bool backward;
    const fmd_pass *pass;
    const fmd_values *values;
    const fmd_gradient_sink *sink;
} fmd_layer_call;

/* Local. Makes the call. */
void fmd_layer_run(const fmd_layer_call *c);

/* Local. Rows of a pass, padding included. */
static inline size_t fmd_pass_samples(const fmd_pass *p)
{
    return (size_t)p->microbatches * (size_t)p->microbatch_size;
}

/* Local. Samples of microbatch i, without padding. */
static inline size_t fmd_pass_real(const fmd_pass *p, size_t i)
{
    return (size_t)(p->microbatch_size - (i + 1 == (size_t)p->microbatches ? p->padding : 0));
}

#endif
