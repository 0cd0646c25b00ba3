/* Arrays of floats for tests of kernels. */
#ifndef FMD_TESTS_SUPPORT_VALUES_H
#define FMD_TESTS_SUPPORT_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* n zeros of four bytes, floats or integers, and one behind them, which shows writes past the end. */
void *values_zero(size_t n);

/* n values from -1 to 1, the same for the same stream, and a zero behind them. */
float *values_random(size_t n, uint32_t stream);

#endif
