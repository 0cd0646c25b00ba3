#include "train/evaluation/evaluate.h"

#include "base/timer.h"
#include "data/sampler.h"
#include "data/stream.h"
#include "nn/regularizer.h"
#include "train/passes.h"

#include <math.h>

/* An evaluation under way. */
typedef struct work {
    const fmd_split *split;
    const fmd_objective *objective;
    size_t classes;
    fmd_watchdog *watchdog;
    fmd_loss_sums sums;
    int64_t *counters; /* of the metrics */
} work;

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    (void)rows;
    (void)grads;
    work *w = self;
    const fmd_split *split = w->split;
    fmd_watchdog_phase(w->watchdog, "evaluating");
    for (size_t i = 0; i < n; i += FMD_EVALUATE_SAMPLES) {
        uint8_t labels[FMD_EVALUATE_SAMPLES];
        const size_t left = n - i, now = left < FMD_EVALUATE_SAMPLES ? left : FMD_EVALUATE_SAMPLES;
        const fmd_split part = fmd_split_part(split, first + i, now, 0);
        const fmd_targets targets = {.labels = labels};
        fmd_gather_labels(&part, NULL, now, labels);
        const float *scores = logits + i * w->classes;
        fmd_metric_list_count(&w->objective->metrics, scores, &targets, now, w->counters);
        fmd_loss_samples(&w->objective->loss, scores, &targets, now, now, w->classes, NULL,
                         &w->sums);
    }
}

fmd_range fmd_evaluate_share(size_t n, int rank, int size)
{
    const size_t microbatch = FMD_EVALUATE_MICROBATCH;
    const fmd_range mine = fmd_share((n + microbatch - 1) / microbatch, rank, size);
    const size_t first = mine.first * microbatch, end = first + mine.count * microbatch;
    return (fmd_range){.first = first, .count = (mine.count == 0 || end < n ? end : n) - first};
}

/* What the ranks add. */
enum { LOSS, CORRECT, FAILED, UNREAD, SUMS };

fmd_status fmd_evaluate(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                        const fmd_objective *objective, fmd_watchdog *watchdog, fmd_evaluation *out)
{
    static const fmd_objective plain;
    const double start = fmd_now();
    const fmd_range mine = fmd_evaluate_share(split->n, fmd_comm_rank(c), fmd_comm_size(c));
    const fmd_objective *o = objective != NULL ? objective : &plain;
    int64_t total[SUMS + FMD_METRICS_MAX * FMD_METRIC_COUNTERS] = {0};
    work w = {.split = split,
              .objective = o,
              .classes = (size_t)fmd_model_classes(m),
              .watchdog = watchdog,
              .sums = {.of = split->n},
              .counters = total + SUMS};
    fmd_watchdog_phase(watchdog, "evaluating");
    fmd_passes_run(&(fmd_passes){.model = m,
                                 .split = split,
                                 .divisor = divisor,
                                 .first = mine.first,
                                 .count = mine.count,
                                 .microbatch_size = FMD_EVALUATE_MICROBATCH,
                                 .score = score,
                                 .self = &w});
    fmd_watchdog_phase(watchdog, "the sum of the evaluation");
    const fmd_status read = split->stream != NULL ? fmd_stream_status(split->stream) : FMD_OK;
    total[LOSS] = w.sums.loss;
    total[CORRECT] = w.sums.correct;
    total[FAILED] = w.sums.failed;
    total[UNREAD] = read != FMD_OK;
    fmd_comm_sum_i64(c, total, SUMS + (int)o->metrics.n_counters);
    if (total[UNREAD] > 0) /* only the rank that failed knows why */
        return fmd_comm_agree(c, read);
    if (total[FAILED] > 0)
        return FMD_FAIL(FMD_EDIVERGED, "the loss of %lld of %zu images is not finite",
                        (long long)total[FAILED], split->n);
    const double n = (double)split->n, penalty = fmd_regularizer_loss(m), none = (double)NAN;
    *out = (fmd_evaluation){.loss = split->n > 0 ? (double)total[LOSS] * FMD_LOSS_UNIT / n + penalty
                                                 : none,
                            .accuracy = split->n > 0 ? (double)total[CORRECT] / n : none};
    for (size_t i = 0; i < FMD_METRICS_MAX; i++)
        out->extra[i] = none;
    if (split->n > 0)
        fmd_metric_list_values(&o->metrics, total + SUMS, out->extra);
    out->seconds = fmd_now() - start;
    return FMD_OK;
}
