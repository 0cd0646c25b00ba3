/* Whether two models differ by more than chance, from their predictions for the same images. */
#ifndef FMD_MEASURE_MCNEMAR_H
#define FMD_MEASURE_MCNEMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Images that both models get right or wrong say nothing about their difference. Without one, each
 * model is right on half of the others. */
typedef struct fmd_mcnemar {
    size_t both, neither, only_first, only_second; /* images that are predicted correctly */
    bool exact;
    double p; /* of a difference at least as large by chance; two-sided */
} fmd_mcnemar;

/* Local. Counts the images of which the models predict the label. */
fmd_mcnemar fmd_mcnemar_count(const uint8_t *first, const uint8_t *second, const uint8_t *labels,
                              size_t n);

/* Local. The test (McNemar, "Note on the sampling error of the difference between correlated
 * proportions or percentages", 1947): below 25 images on which one model alone is right, b and c, the
 * exact binomial one, p = min(1, 2 P(X <= min(b, c))) for X of Binomial(b + c, 1/2); from there on
 * chi-squared = (|b - c| - 1)^2 / (b + c) with one degree of freedom, with the continuity correction
 * of Edwards (1948), p = erfc(sqrt(chi-squared / 2)). */
void fmd_mcnemar_test(fmd_mcnemar *m);

/* Local. Adjusts n p-values for n tests, in place (Holm, "A simple sequentially rejective multiple
 * test procedure", 1979). */
void fmd_holm(double *p, size_t n);

#endif
