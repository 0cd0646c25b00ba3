/* Combines many comparisons into one verdict; records the worst and its place. */
#ifndef FMD_TEST_CLOSENESS_H
#define FMD_TEST_CLOSENESS_H

#include <stddef.h>

enum { CLOSENESS_TEXT = 192 };

/* The worst of many comparisons with a limit. */
typedef struct closeness {
    const char *what;
    double parts;             /* difference / limit of the worst */
    double difference, limit; /* of the worst */
    char where[CLOSENESS_TEXT];
    long n;
} closeness;

/* Adds a comparison; a NaN is infinitely far away. */
void closeness_add(closeness *c, double difference, double limit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints the worst; fails if it passes its limit, or if nothing was compared. */
void closeness_check(const closeness *c);

/* The largest |a - b| and |a| of n values; infinite if any is NaN. */
double largest_difference(size_t n, const float *a, const float *b);
double largest_difference64(size_t n, const float *a, const double *b);
double largest(size_t n, const float *a);

#endif
