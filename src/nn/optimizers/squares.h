/* Sums of squares with the same bits on every CPU: the norms of clipping and of trust ratios. */
#ifndef FMD_NN_OPTIMIZERS_SQUARES_H
#define FMD_NN_OPTIMIZERS_SQUARES_H

#include <stddef.h>

/* Local. The sum of squares of n values, in double, in a fixed order. */
double fmd_squares(size_t n, const float *x);

#endif
