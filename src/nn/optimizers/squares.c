#include "nn/optimizers/squares.h"

#include "base/simd.h"

enum { LANES = 8 };

FMD_SIMD static void add_squares(size_t n, const float *x, double lane[LANES])
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k] * (double)x[i + k];
    for (size_t k = 0; i < n; i++, k++)
        lane[k] += (double)x[i] * (double)x[i];
}

double fmd_squares(size_t n, const float *x)
{
    double lane[LANES] = {0};
    add_squares(n, x, lane);
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
