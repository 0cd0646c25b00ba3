#include "measure/stats.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double fmd_percentile(const double *sorted, size_t n, double p)
{
    if (n == 0)
        return (double)NAN;
    const double at = p * (double)(n - 1);
    const size_t below = (size_t)at;
    const size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

/* How many of the values at either end lie outside the median's interval. The k-th smallest of n is
 * above the median when fewer than k fall below it, which are Binomial(n, 1/2) many. 0: too few
 * values for an interval. */
static size_t interval_rank(size_t n)
{
    const double tail = 0.025, ln2 = log(2);
    double fewer = 0; /* P(fewer than k + 1 below the median) */
    for (size_t k = 0; k < n; k++) {
        const double x = (double)n, y = (double)k;
        fewer += exp(lgamma(x + 1) - lgamma(y + 1) - lgamma(x - y + 1) - x * ln2);
        if (fewer > tail)
            return k;
    }
    return 0;
}

fmd_stats fmd_stats_of(double *values, size_t n)
{
    const double none = (double)NAN;
    if (n == 0)
        return (fmd_stats){none, none, none, none, none, none, none, none, none};
    qsort(values, n, sizeof *values, ascending);
    fmd_stats s = {.min = values[0],
                   .max = values[n - 1],
                   .median = fmd_percentile(values, n, 0.5),
                   .q1 = fmd_percentile(values, n, 0.25),
                   .q3 = fmd_percentile(values, n, 0.75),
                   .low = none,
                   .high = none};
    for (size_t i = 0; i < n; i++)
        s.mean += values[i] / (double)n;
    for (size_t i = 0; i < n && n > 1; i++)
        s.stddev += (values[i] - s.mean) * (values[i] - s.mean) / (double)(n - 1);
    s.stddev = sqrt(s.stddev);
    const size_t k = interval_rank(n);
    if (k > 0) {
        s.low = values[k - 1];
        s.high = values[n - k];
    }
    return s;
}
