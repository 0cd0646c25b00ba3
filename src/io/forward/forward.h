/* The forward pass of a trained model as a list of operations on single images, for the writers of
 * other formats.
 *
 * Layers without effect in inference are left out (dropout, augmentation); the activation of a layer
 * is an operation of its own, and the last one is the softmax. Each operation makes one value, the
 * value of its number, from values before it. Shapes, layouts and order of sums are those of the
 * layers; parameters are borrowed from the model. */
#ifndef FMD_IO_FORWARD_FORWARD_H
#define FMD_IO_FORWARD_FORWARD_H

#include "math/conv/conv.h"
#include "nn/model.h"

typedef enum fmd_forward_kind {
    FMD_FORWARD_CONVOLUTION,         /* conv, columns_last, kernel, bias */
    FMD_FORWARD_DENSE,               /* over the last axis: kernel, bias */
    FMD_FORWARD_ACTIVATION,          /* function, over the last axis; slope of leaky_relu */
    FMD_FORWARD_BATCH_NORMALIZATION, /* over the last axis: gamma, beta, mean, variance, epsilon */
    FMD_FORWARD_LAYER_NORMALIZATION, /* over the last `axes` axes: gamma, beta, epsilon */
    FMD_FORWARD_NORMALIZATION,       /* (x - means) / deviations over the last axis */
    FMD_FORWARD_RESCALING,           /* scale * x + offset */
    FMD_FORWARD_MAX_POOL,            /* pool */
    FMD_FORWARD_AVERAGE_POOL,        /* pool */
    FMD_FORWARD_GLOBAL_AVERAGE,
    FMD_FORWARD_GLOBAL_MAX,
    FMD_FORWARD_ADD,
    FMD_FORWARD_CONCATENATE, /* axis */
    FMD_FORWARD_BORDER,      /* border: rows and columns of zeros to add; negative: to cut off */
    FMD_FORWARD_RESHAPE,     /* the same values in another shape */
} fmd_forward_kind;

enum { FMD_FORWARD_INPUT = -1 }; /* the value of the model's input */

typedef struct fmd_forward_op {
    fmd_forward_kind kind;
    const fmd_layer *layer; /* that it comes from */
    int n_inputs;
    const int *inputs;   /* numbers of values */
    const fmd_shape *in; /* of each input */
    fmd_shape out;
    const float *kernel, *bias; /* in the layers' layouts; bias may be NULL */
    fmd_conv conv;
    bool columns_last; /* sums go over input channels before columns */
    fmd_pool pool;
    const char *function; /* Keras' name */
    float slope;
    const float *gamma, *beta, *mean, *variance; /* gamma, beta: NULL where they are left out */
    double epsilon;
    const float *means, *deviations; /* of each channel */
    float scale, offset;
    int axis, axes;
    struct {
        int top, bottom, left, right;
    } border;
} fmd_forward_op;

typedef struct fmd_forward {
    const fmd_model *model;
    fmd_shape in;
    size_t n;
    fmd_forward_op *ops;
    struct fmd_forward_memory *memory;
} fmd_forward;

/* Local. Borrows the model, which ends in a softmax. With `fold`, a batch normalization behind a
 * dense layer or convolution without activation becomes part of its kernel and bias. Release *f with
 * fmd_forward_free, also after a failure. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_forward_create(fmd_forward *f, const fmd_model *m, bool fold);
void fmd_forward_free(fmd_forward *f);

/* What the files say of a model besides its layers and values. */
typedef struct fmd_forward_note {
    const char *key, *text;
} fmd_forward_note;

typedef struct fmd_forward_about {
    float divisor;                  /* of pixels */
    bool same_bits;                 /* the list computes as `predict` does */
    const char *const *class_names; /* of each unit of the last layer; "": unknown */
    const fmd_forward_note *notes;  /* where the model comes from */
    size_t n_notes;
} fmd_forward_about;

#endif
