/* Memory benchmark, for the roofline bound of memory traffic. */
#ifndef FMD_MATH_MEMBENCH_H
#define FMD_MATH_MEMBENCH_H

#include <stddef.h>

/* Local. y = y + s x: reads two arrays and writes one of them, as the simplest optimizer does. */
void fmd_axpy(size_t n, float s, const float *x, float *y);

#endif
