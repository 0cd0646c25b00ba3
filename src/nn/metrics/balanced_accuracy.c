/* scikit-learn's balanced_accuracy_score: the mean recall of the classes that occur. */
#include "nn/metrics/metric.h"

enum { HITS, LABELS, COUNTERS };

static void add(int64_t *counters, size_t classes, int k, const float *scores, uint8_t label)
{
    (void)k;
    counters[label * COUNTERS + HITS] += fmd_argmax(classes, scores) == label;
    counters[label * COUNTERS + LABELS]++;
}

static double value(const int64_t *counters, size_t classes)
{
    double sum = 0, n = 0;
    for (size_t j = 0; j < classes; j++) {
        const int64_t *c = counters + j * COUNTERS;
        if (c[LABELS] == 0)
            continue;
        sum += (double)c[HITS] / (double)c[LABELS];
        n++;
    }
    return n > 0 ? sum / n : 0;
}

const fmd_metric_ops fmd_metric_balanced_accuracy = {
    .name = "balanced_accuracy",
    .help = "mean recall of the classes that occur",
    .higher_is_better = true,
    .counters_per_class = COUNTERS,
    .add = add,
    .value = value,
};
