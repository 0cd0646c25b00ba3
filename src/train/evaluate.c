#include "train/evaluate.h"

#include "base/timer.h"
#include "data/sampler.h"
#include "nn/losses/loss.h"

#include <math.h>

/* Rows to a microbatch; a power of two that divides FMD_EVALUATE_SAMPLES. */
enum { MICROBATCH = 32 };

/* Adds the samples from `first` on, at most `rows` of them, to the sums. Microbatches have a fixed size,
 * so that no sample's loss depends on how many ranks there are. */
static void evaluate_samples(fmd_model *m, const fmd_split *split, float divisor, size_t first,
                             size_t samples, fmd_loss_sums *sums)
{
    const size_t image_bytes = fmd_shape_count(fmd_model_in(m));
    const size_t n = split->n - first < samples ? split->n - first : samples;
    const size_t microbatches = (n + MICROBATCH - 1) / MICROBATCH;
    const fmd_split part = {
        .n = n, .images = split->images + first * image_bytes, .labels = split->labels + first};
    const fmd_pass pass = {.microbatches = (int)microbatches, .microbatch_size = MICROBATCH};
    fmd_gather_images(&part, image_bytes, NULL, n, fmd_pass_samples(&pass), divisor,
                      fmd_model_input(m));
    const float *logits = fmd_model_forward(m, &pass);
    fmd_loss_samples(logits, part.labels, n, n, (size_t)fmd_model_classes(m), NULL, sums);
}

fmd_status fmd_evaluate(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                        fmd_watchdog *watchdog, fmd_evaluation *out)
{
    const double start = fmd_now();
    const size_t microbatches = (split->n + MICROBATCH - 1) / MICROBATCH;
    const fmd_range mine = fmd_share(microbatches, fmd_comm_rank(c), fmd_comm_size(c));
    const size_t at_once = FMD_EVALUATE_SAMPLES / MICROBATCH;
    fmd_loss_sums sums = {.of = split->n};
    for (size_t done = 0; done < mine.count; done += at_once) {
        const size_t now = mine.count - done < at_once ? mine.count - done : at_once;
        fmd_watchdog_phase(watchdog, "evaluating");
        evaluate_samples(m, split, divisor, (mine.first + done) * MICROBATCH, now * MICROBATCH,
                         &sums);
    }
    fmd_watchdog_phase(watchdog, "the sum of the evaluation");
    int64_t total[] = {sums.loss, sums.correct, sums.failed};
    fmd_comm_sum_i64(c, total, 3);
    if (total[2] > 0)
        return FMD_FAIL(FMD_EDIVERGED, "the loss of %lld of %zu images is not finite",
                        (long long)total[2], split->n);
    const double n = (double)split->n;
    *out =
        (fmd_evaluation){.loss = split->n > 0 ? (double)total[0] * FMD_LOSS_UNIT / n : (double)NAN,
                         .accuracy = split->n > 0 ? (double)total[1] / n : (double)NAN,
                         .seconds = fmd_now() - start};
    return FMD_OK;
}
