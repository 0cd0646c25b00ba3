/* Keras' TopKCategoricalAccuracy and TensorFlow's in_top_k: of equal scores all are in. */
#include "nn/metrics/metric.h"

enum { HITS, SAMPLES, COUNTERS };

static void add(int64_t *counters, size_t classes, int k, const float *scores, uint8_t label)
{
    int above = 0;
    for (size_t j = 0; j < classes; j++)
        above += scores[j] > scores[label];
    counters[HITS] += above < k;
    counters[SAMPLES]++;
}

static double value(const int64_t *counters, size_t classes)
{
    (void)classes;
    return counters[SAMPLES] > 0 ? (double)counters[HITS] / (double)counters[SAMPLES] : 0;
}

const fmd_metric_ops fmd_metric_top_k = {
    .name = "top_k",
    .help = "share of images whose label is among the K largest scores",
    .higher_is_better = true,
    .default_k = 5,
    .counters = COUNTERS,
    .add = add,
    .value = value,
};
