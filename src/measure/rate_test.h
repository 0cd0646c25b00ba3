/* The learning rate range test: the rate rises exponentially from step to step, and the loss tells
 * which rates train (Smith, "Cyclical learning rates for training neural networks", 2017, 3.3). */
#ifndef FMD_MEASURE_RATE_TEST_H
#define FMD_MEASURE_RATE_TEST_H

#include <stdbool.h>
#include <stddef.h>

/* The steps of a test, and the choice that follows. */
typedef struct fmd_rate_test {
    size_t n;       /* steps done */
    size_t planned; /* steps in all */
    double *rate, *loss, *smooth;
    double best; /* lowest smoothed loss so far */
    /* by fmd_rate_test_choose; rates */
    double lowest;   /* of the lowest smoothed loss */
    double steepest; /* where the smoothed loss falls fastest over the logarithm of the rate */
    double suggestion;
} fmd_rate_test;

/* Local. Adds a step to arrays of at least n + 1 values. The smoothed loss is an exponential moving
 * average over about a twentieth of the steps, corrected for its start as in Adam. Returns whether the
 * test is over: the smoothed loss is four times its lowest value. */
bool fmd_rate_test_add(fmd_rate_test *t, double rate, double loss);

/* Local. Fills in the rates; false: there are too few steps, or the loss never falls. The suggestion is
 * the geometric mean of the steepest and a tenth of the lowest, both common choices. */
bool fmd_rate_test_choose(fmd_rate_test *t);

#endif
