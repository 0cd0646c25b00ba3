#include "train/evaluation/prediction.h"

#include "base/mem.h"
#include "data/sampler.h"
#include "data/stream.h"
#include "nn/losses/loss.h"
#include "train/evaluation/evaluate.h"
#include "train/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The predictions of one round: FMD_EVALUATE_SAMPLES samples of one rank, or on rank 0 of all ranks,
 * one after another. */
typedef struct predictions {
    float *probabilities;
    uint8_t *predicted;
} predictions;

static fmd_status alloc_predictions(predictions *r, size_t samples, size_t classes)
{
    FMD_TRY(fmd_alloc(&r->probabilities, samples, classes * sizeof *r->probabilities,
                      "the probabilities"));
    return fmd_alloc(&r->predicted, samples, 1, "the predicted classes");
}

static void free_predictions(predictions *r)
{
    free(r->probabilities);
    free(r->predicted);
}

/* The images of a rank in round `i`; it may have none. */
static fmd_range images_of(size_t n, int rank, int size, size_t i)
{
    const fmd_range mine = fmd_evaluate_share(n, rank, size);
    const size_t done =
        i * FMD_EVALUATE_SAMPLES < mine.count ? i * FMD_EVALUATE_SAMPLES : mine.count;
    const size_t left = mine.count - done;
    return (fmd_range){.first = mine.first + done,
                       .count = left < FMD_EVALUATE_SAMPLES ? left : FMD_EVALUATE_SAMPLES};
}

/* A round under way. */
typedef struct work {
    const predictions *out;
    size_t first, classes; /* first: the image of the round's first row */
    int64_t failed;
} work;

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    (void)rows;
    (void)grads;
    work *w = self;
    float *probabilities = w->out->probabilities + (first - w->first) * w->classes;
    fmd_softmax_rows(n, w->classes, logits, probabilities);
    for (size_t i = 0; i < n; i++) {
        const size_t best = fmd_argmax(w->classes, logits + i * w->classes);
        w->out->predicted[first - w->first + i] = (uint8_t)best;
        w->failed += !isfinite(probabilities[i * w->classes + best]);
    }
}

/* Returns the number of images whose scores are not finite. */
static int64_t predict_samples(fmd_model *m, const fmd_split *split, float divisor,
                               fmd_range images, const predictions *out)
{
    work w = {.out = out, .first = images.first, .classes = (size_t)fmd_model_classes(m)};
    fmd_passes_run(&(fmd_passes){.model = m,
                                 .split = split,
                                 .divisor = divisor,
                                 .first = images.first,
                                 .count = images.count,
                                 .microbatch_size = FMD_EVALUATE_MICROBATCH,
                                 .score = score,
                                 .self = &w});
    return w.failed;
}

/* Rank 0. Copies the predictions of all ranks in round `i` to their places. */
static void put_predictions(fmd_prediction *p, const predictions *all, int size, size_t i)
{
    for (int rank = 0; rank < size; rank++) {
        const fmd_range run = images_of(p->n, rank, size, i);
        const size_t from = (size_t)rank * FMD_EVALUATE_SAMPLES;
        memcpy(p->probabilities + run.first * p->classes, all->probabilities + from * p->classes,
               run.count * p->classes * sizeof *p->probabilities);
        memcpy(p->predicted + run.first, all->predicted + from, run.count);
    }
}

static fmd_status allocate(const fmd_comm *c, predictions *mine, predictions *all,
                           fmd_prediction *p)
{
    FMD_TRY(alloc_predictions(mine, FMD_EVALUATE_SAMPLES, p->classes));
    if (fmd_comm_rank(c) != 0)
        return FMD_OK;
    FMD_TRY(alloc_predictions(all, FMD_EVALUATE_SAMPLES * (size_t)fmd_comm_size(c), p->classes));
    FMD_TRY(fmd_alloc(&p->probabilities, p->n, p->classes * sizeof *p->probabilities,
                      "the probabilities"));
    return fmd_alloc(&p->predicted, p->n, 1, "the predicted classes");
}

fmd_status fmd_predict(fmd_comm *c, fmd_model *m, const fmd_split *split, float divisor,
                       fmd_prediction *out)
{
    const int rank = fmd_comm_rank(c), size = fmd_comm_size(c);
    fmd_prediction p = {.n = split->n, .classes = (size_t)fmd_model_classes(m)};
    predictions mine = {.probabilities = NULL}, all = mine;
    int64_t failed = 0;
    fmd_status st = fmd_comm_agree(c, allocate(c, &mine, &all, &p));
    if (st != FMD_OK)
        goto out;
    /* No rank has more microbatches than rank 0. */
    for (size_t i = 0; images_of(p.n, 0, size, i).count > 0; i++) {
        failed += predict_samples(m, split, divisor, images_of(p.n, rank, size, i), &mine);
        fmd_comm_gather(c, mine.probabilities,
                        FMD_EVALUATE_SAMPLES * p.classes * sizeof *mine.probabilities,
                        all.probabilities);
        fmd_comm_gather(c, mine.predicted, FMD_EVALUATE_SAMPLES, all.predicted);
        if (p.probabilities != NULL) /* on rank 0 */
            put_predictions(&p, &all, size, i);
    }
    if (split->stream != NULL)
        st = fmd_comm_agree(c, fmd_stream_status(split->stream));
    if (st != FMD_OK)
        goto out;
    fmd_comm_sum_i64(c, &failed, 1);
    if (failed > 0) {
        st = FMD_FAIL(FMD_EDIVERGED, "the model's scores of %lld of %zu images are not finite",
                      (long long)failed, p.n);
        goto out;
    }
    *out = p;
    p = (fmd_prediction){.n = 0};
out:
    free_predictions(&mine);
    free_predictions(&all);
    fmd_prediction_free(&p);
    return st;
}

void fmd_prediction_free(fmd_prediction *p)
{
    free(p->probabilities);
    free(p->predicted);
    *p = (fmd_prediction){.n = 0};
}

float fmd_confidence(const fmd_prediction *p, size_t i)
{
    return p->probabilities[i * p->classes + p->predicted[i]];
}

size_t fmd_top_classes(const fmd_prediction *p, size_t i, size_t *classes, size_t most)
{
    const float *row = p->probabilities + i * p->classes;
    size_t n = 0;
    while (n < most && n < p->classes) {
        size_t best = p->predicted[i];
        for (size_t k = 0; n > 0 && k < p->classes; k++) {
            bool taken = false;
            for (size_t j = 0; j < n; j++)
                taken = taken || classes[j] == k;
            if (!taken && (best == classes[0] || row[k] > row[best]))
                best = k;
        }
        classes[n++] = best;
    }
    return n;
}

size_t fmd_mistakes(const fmd_prediction *p, const uint8_t *labels, uint32_t *index)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->predicted[i] != labels[i])
            index[n++] = (uint32_t)i;
    return n;
}

static int compare_surest_first(const void *left, const void *right, void *prediction)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const float p = fmd_confidence(prediction, a), q = fmd_confidence(prediction, b);
    return p != q ? (p < q) - (p > q) : (a > b) - (a < b);
}

static int compare_least_sure_first(const void *left, const void *right, void *prediction)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const float p = fmd_confidence(prediction, a), q = fmd_confidence(prediction, b);
    return p != q ? (p > q) - (p < q) : (a > b) - (a < b);
}

void fmd_sort_by_confidence(const fmd_prediction *p, uint32_t *index, size_t count,
                            bool surest_first)
{
    fmd_prediction view = *p; /* qsort_r takes no const */
    qsort_r(index, count, sizeof *index,
            surest_first ? compare_surest_first : compare_least_sure_first, &view);
}
