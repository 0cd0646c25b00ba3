#include "support/serial_sum.h"

#include "support/fmd_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void serial_sum_open(serial_sum *s, const size_t *counts, size_t n_tensors)
{
    *s = (serial_sum){.n_tensors = n_tensors};
    assert_true(n_tensors <= SERIAL_SUM_TENSORS);
    for (size_t i = 0; i < n_tensors; i++) {
        s->offset[i] = s->n_values;
        s->count[i] = counts[i];
        s->exponent[i] = 10 - 31;
        s->n_values += counts[i];
    }
    s->total = calloc(s->n_values, sizeof *s->total);
    assert_non_null(s->total);
}

void serial_sum_close(serial_sum *s)
{
    free(s->total);
}

void serial_sum_begin(serial_sum *s, int microbatches)
{
    s->microbatches = microbatches;
    s->not_finite = false;
    memset(s->outside, 0, sizeof s->outside);
    memset(s->total, 0, s->n_values * sizeof *s->total);
}

void serial_sum_add(serial_sum *s, size_t tensor, size_t offset, size_t n, const float *g)
{
    int64_t *total = s->total + s->offset[tensor] + offset;
    for (size_t i = 0; i < n; i++) {
        double z = ldexp((double)g[i], -s->exponent[tensor]);
        if (!isfinite(g[i]))
            s->not_finite = true;
        else if (fabs(z) * s->microbatches >= 0x1p31 - 128)
            s->outside[tensor] = true;
        else
            total[i] += llrint(z);
    }
}

fmd_reduced serial_sum_finish(serial_sum *s, double scale, float *sums)
{
    bool repeat = false;
    for (size_t i = 0; i < s->n_tensors; i++) {
        repeat = repeat || s->outside[i];
        s->not_finite = s->not_finite || (s->outside[i] && s->exponent[i] + 4 > 100);
    }
    if (s->not_finite)
        return FMD_REDUCED_NOT_FINITE;
    s->repeats += repeat;
    for (size_t i = 0; i < s->n_tensors; i++)
        s->exponent[i] += s->outside[i] ? 4 : 0;
    if (repeat)
        return FMD_REDUCED_REPEAT;

    for (size_t i = 0; i < s->n_tensors; i++) {
        const float unit = (float)ldexp(scale, s->exponent[i]);
        int64_t most = 0;
        for (size_t j = s->offset[i]; j < s->offset[i] + s->count[i]; j++) {
            sums[j] = (float)s->total[j] * unit;
            most = llabs(s->total[j]) > most ? llabs(s->total[j]) : most;
        }
        /* The next scale: 2^31 units span 64 times the largest total, rounded up to a power of 2. */
        int exponent = s->exponent[i] - 31;
        for (int64_t span = 1; most > 0 && span < 64 * most; span *= 2)
            exponent++;
        /* The total is zero: a finer scale, down to 2^-60. */
        if (most == 0 && s->exponent[i] > -60)
            s->exponent[i] = s->exponent[i] < -44 ? -60 : s->exponent[i] - 16;
        else if (most > 0)
            s->exponent[i] = exponent < -100 ? -100 : exponent > 100 ? 100 : exponent;
    }
    return FMD_REDUCED;
}
