/* The gradient sum of a batch on one process, in 64-bit integers. An exact reduction must give the
 * same bits on any number of ranks. Shares no code with src/dist. */
#ifndef FMD_TEST_SERIAL_SUM_H
#define FMD_TEST_SERIAL_SUM_H

#include "dist/reduce/reduction.h"

#include <stdbool.h>

enum { SERIAL_SUM_TENSORS = 8 };

typedef struct serial_sum {
    size_t n_tensors, n_values;
    size_t offset[SERIAL_SUM_TENSORS], count[SERIAL_SUM_TENSORS];
    int exponent[SERIAL_SUM_TENSORS]; /* values are multiples of 2^exponent */
    bool outside[SERIAL_SUM_TENSORS];
    bool not_finite;
    int microbatches;
    int64_t *total;
    int64_t repeats;
} serial_sum;

void serial_sum_open(serial_sum *s, const size_t *counts, size_t n_tensors);
void serial_sum_close(serial_sum *s);

/* The steps of fmd_reduction. */
void serial_sum_begin(serial_sum *s, int microbatches);
void serial_sum_add(serial_sum *s, size_t tensor, size_t offset, size_t n, const float *g);
fmd_reduced serial_sum_finish(serial_sum *s, double scale, float *sums);

#endif
