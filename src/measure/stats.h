/* Statistics of repeated measurements: order statistics, since times are not normally distributed. */
#ifndef FMD_MEASURE_STATS_H
#define FMD_MEASURE_STATS_H

#include <stddef.h>

/* NAN in every field where there are no values. */
typedef struct fmd_stats {
    double median, min, max, q1, q3, mean;
    double stddev;    /* of the sample, with n - 1; 0 for one value */
    double low, high; /* a 95 % confidence interval of the median; NAN for fewer than 6 values */
} fmd_stats;

/* Local. The quantile `p` (0 to 1) of sorted values, with linear interpolation: NumPy's percentile, type 7 of Hyndman and Fan. NAN for none. */
double fmd_percentile(const double *sorted, size_t n, double p);

/* Local. Sorts the values in place. The interval assumes nothing about their distribution: its ends are
 * the k-th values from either end, with the largest k that gives 95 % (David and
 * Nagaraja, "Order Statistics", 7.1). */
fmd_stats fmd_stats_of(double *values, size_t n);

#endif
