/* Keras' F1Score(average="macro") without a threshold: all equal maxima are predicted, and a class
 * that never occurs counts with 0. */
#include "nn/metrics/metric.h"

enum { HITS, PREDICTED, LABELS, COUNTERS };

static void add(int64_t *counters, size_t classes, int k, const float *scores, uint8_t label)
{
    (void)k;
    const float most = scores[fmd_argmax(classes, scores)];
    for (size_t j = 0; j < classes; j++)
        counters[j * COUNTERS + PREDICTED] += scores[j] == most;
    counters[label * COUNTERS + HITS] += scores[label] == most;
    counters[label * COUNTERS + LABELS]++;
}

static double value(const int64_t *counters, size_t classes)
{
    const double epsilon = 1e-7; /* Keras' */
    double sum = 0;
    for (size_t j = 0; j < classes; j++) {
        const int64_t *c = counters + j * COUNTERS;
        const double precision = (double)c[HITS] / ((double)c[PREDICTED] + epsilon);
        const double recall = (double)c[HITS] / ((double)c[LABELS] + epsilon);
        sum += 2 * precision * recall / (precision + recall + epsilon);
    }
    return sum / (double)classes;
}

const fmd_metric_ops fmd_metric_f1 = {
    .name = "f1",
    .help = "mean F1 score of all classes",
    .higher_is_better = true,
    .counters_per_class = COUNTERS,
    .add = add,
    .value = value,
};
