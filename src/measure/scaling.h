/* Speed-up, efficiency, knee and models from measurements on several numbers of ranks. */
#ifndef FMD_MEASURE_SCALING_H
#define FMD_MEASURE_SCALING_H

#include <stdbool.h>
#include <stddef.h>

/* Measurements on one number of ranks; NAN where a value is unknown. */
typedef struct fmd_scaling_point {
    int ranks;
    double rate; /* work per second: same problem size, or a size proportional to the ranks */
    double slowest, fastest; /* ends of the interval of the rate */
    bool counts;             /* false: left out, since ranks shared cores */
    double speedup;          /* over the first point that counts, times the ranks of that point */
    double efficiency;       /* speed-up over ranks */
    double serial_fraction;  /* fmd_karp_flatt */
} fmd_scaling_point;

/* Local. Fills speed-up, efficiency and serial fraction of all points, which are in the order of
 * their ranks. The base of the comparison is a point that counts. */
void fmd_scaling_compare(fmd_scaling_point *points, size_t n);

/* Local. The serial fraction: (1/S - 1/p) / (1 - 1/p) for a speed-up S on p times the ranks. Overhead
 * counts as serial work (Karp and Flatt, "Measuring parallel
 * processor performance", CACM 33(5), 1990). NAN for p = 1. */
double fmd_karp_flatt(double speedup, double p);

/* Local. The knee: the point that counts with the most speed-up times efficiency (Eager, Zahorjan
 * and Lazowska, "Speedup versus efficiency in parallel systems", 1989). SIZE_MAX for none. */
size_t fmd_scaling_knee(const fmd_scaling_point *points, size_t n);

/* Local. Another point that counts and could be the knee: speed-up times efficiency at its fastest
 * exceeds the value of `knee` at its slowest. The one with the widest interval, compared with its
 * rate; SIZE_MAX for none. */
size_t fmd_scaling_rival(const fmd_scaling_point *points, size_t n, size_t knee);

/* Time of an allreduce of m bytes over p ranks: 2 ceil(log2 p) alpha + 2 (p - 1) / p m beta, for a
 * reduce-scatter and an allgather by recursive halving (Thakur, Rabenseifner and Gropp, "Optimization of
 * collective communication operations in MPICH", 2005). */
typedef struct fmd_allreduce_model {
    double alpha, beta; /* seconds a message, seconds a byte */
} fmd_allreduce_model;

typedef struct fmd_allreduce_sample {
    int ranks;
    double bytes, seconds;
} fmd_allreduce_sample;

/* Local. The alpha and beta of least squared relative error; neither is negative. False: there are
 * fewer than two sample sizes on more than one rank. */
bool fmd_allreduce_fit(const fmd_allreduce_sample *samples, size_t n, fmd_allreduce_model *out);

/* Local. Seconds by the model; 0 for one rank. */
double fmd_allreduce_seconds(const fmd_allreduce_model *m, int ranks, double bytes);

/* Local. The knee by the model for one problem, among powers of two up to `most`: a step takes
 * `divided` seconds on one rank, which the ranks share, and one allreduce of `bytes`. */
int fmd_scaling_model_knee(const fmd_allreduce_model *m, double divided, double bytes, int most);

#endif
