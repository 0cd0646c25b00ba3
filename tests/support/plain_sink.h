/* Adds gradient sums to one array in the order of the parameters, and checks the contract of the
 * layers: one range at a time, filled completely, every value once for each microbatch. */
#ifndef FMD_TEST_PLAIN_SINK_H
#define FMD_TEST_PLAIN_SINK_H

#include "nn/model.h"

typedef struct plain_sink {
    fmd_gradient_sink sink;
    const fmd_model *model;
    float *sums;     /* n_params values */
    unsigned *times; /* number of additions to each value */
    float *scratch;
    size_t tensor, offset, n; /* of the range that is begun; n 0: none */
} plain_sink;

void plain_sink_open(plain_sink *s, const fmd_model *m);
void plain_sink_close(plain_sink *s);

/* All sums become zero. */
void plain_sink_reset(plain_sink *s);

/* Each value of the tensors `first` to `first` + `n` - 1 was added exactly `microbatches` times. */
void plain_sink_assert_complete(const plain_sink *s, size_t first, size_t n, int microbatches);

#endif
