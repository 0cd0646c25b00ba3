/* The arrays that a pass over a graph reads and writes, and where they lie.
 *
 * All are in one piece of memory. Forward outputs that backward reads stay until then; what is no
 * longer needed, gradients above all, gives its place to others. */
#ifndef FMD_NN_STORAGE_H
#define FMD_NN_STORAGE_H

#include "nn/arena.h"
#include "nn/graph.h"

/* A gradient that a layer gives to an output which has one from another consumer already. */
typedef struct fmd_addition {
    const float *from;
    float *to;          /* NULL: the gradient is the first */
    size_t span, count; /* count: values of a sample */
} fmd_addition;

typedef struct fmd_storage {
    const fmd_graph *graph;
    size_t max_samples, sample_bytes;
    /* Array 0 is the input, array i + 1 the output of layer i; a layer without forward has its
     * input's. The gradients follow in the same order, saved values and additional gradients. */
    size_t *root;    /* of each output: the array that it lies in */
    fmd_span *spans; /* of the arrays, for one sample */
    size_t n_spans;
    char *memory;
    void *workspace;
    fmd_values *values;      /* of each layer; they point into the arrays below */
    fmd_addition *additions; /* for each input of each layer */
    const float **x;
    float **dx;
    void **saved;
} fmd_storage;

/* Local. Plans the arrays, without memory. Borrows the graph. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_storage_plan(fmd_storage *s, const fmd_graph *g);

/* Local. Takes the memory for `max_samples` samples. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_storage_allocate(fmd_storage *s, size_t max_samples);
void fmd_storage_free(fmd_storage *s);

/* Local. The rows of the model's input. */
float *fmd_storage_input(const fmd_storage *s);

/* Local. The gradients that layer i and those fused with it have just made are added to those of other consumers. */
void fmd_storage_add_gradients(const fmd_storage *s, size_t i, size_t samples);

#endif
