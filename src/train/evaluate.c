#include "train/evaluate.h"

#include "base/timer.h"
#include "data/sampler.h"
#include "data/stream.h"
#include "nn/losses/loss.h"
#include "nn/regularizer.h"
#include "train/passes.h"

#include <math.h>

/* An evaluation under way. */
typedef struct work {
    const fmd_split *split;
    size_t classes;
    fmd_watchdog *watchdog;
    fmd_loss_sums sums;
} work;

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    (void)rows;
    (void)grads;
    work *w = self;
    fmd_watchdog_phase(w->watchdog, "evaluating");
    fmd_loss_samples(logits, w->split->labels + first, n, n, w->classes, NULL, &w->sums);
}

fmd_range fmd_evaluate_share(size_t n, int rank, int size)
{
    const size_t microbatch = FMD_EVALUATE_MICROBATCH;
    const fmd_range mine = fmd_share((n + microbatch - 1) / microbatch, rank, size);
    const size_t first = mine.first * microbatch, end = first + mine.count * microbatch;
    return (fmd_range){.first = first, .count = (mine.count == 0 || end < n ? end : n) - first};
}

fmd_status fmd_evaluate(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                        fmd_watchdog *watchdog, fmd_evaluation *out)
{
    const double start = fmd_now();
    const fmd_range mine = fmd_evaluate_share(split->n, fmd_comm_rank(c), fmd_comm_size(c));
    work w = {.split = split,
              .classes = (size_t)fmd_model_classes(m),
              .watchdog = watchdog,
              .sums = {.of = split->n}};
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
    int64_t total[] = {w.sums.loss, w.sums.correct, w.sums.failed, read != FMD_OK};
    fmd_comm_sum_i64(c, total, 4);
    if (total[3] > 0) /* only the rank that failed knows why */
        return fmd_comm_agree(c, read);
    if (total[2] > 0)
        return FMD_FAIL(FMD_EDIVERGED, "the loss of %lld of %zu images is not finite",
                        (long long)total[2], split->n);
    const double n = (double)split->n, penalty = fmd_regularizer_loss(m);
    *out = (fmd_evaluation){.loss = split->n > 0 ? (double)total[0] * FMD_LOSS_UNIT / n + penalty
                                                 : (double)NAN,
                            .accuracy = split->n > 0 ? (double)total[1] / n : (double)NAN,
                            .seconds = fmd_now() - start};
    return FMD_OK;
}
