#include "train/step.h"

#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "data/stream.h"
#include "nn/losses/loss.h"
#include "nn/regularizer.h"
#include "train/passes.h"
#include "train/shard.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>

/* The counters that travel with the gradient; those of metrics follow. */
enum { LOSS, CORRECT, SAMPLES, FAILED, UNREAD, STOP, SAVE, COUNTERS };

struct fmd_stepper {
    fmd_comm *comm;
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_reduction *reduction;
    fmd_shard *shard;      /* NULL: this rank has all parameters for itself */
    fenv_t arithmetic;     /* of the training thread */
    double gradient_scale; /* of the step under way */
    int pass;
    const fmd_fit_args *args;
    fmd_gradient_sink sink;
    uint8_t *labels;   /* of a group */
    uint8_t *others;   /* labels of the images that those are mixed with */
    float *shares;     /* of the labels in a mix */
    int64_t *counters; /* COUNTERS, then those of the metrics */
    int n_counters;
    int32_t *scales; /* of the reduction after the last complete step */
    size_t n_tensors;
    fmd_phase_seconds seconds;
    bool split;
    fmd_reduction_seconds collective;
    bool regularized;
};

static float *sink_begin(void *self, size_t tensor, size_t offset, size_t n)
{
    return fmd_reduction_begin_range(self, tensor, offset, n);
}

static void sink_commit(void *self, size_t tensor, size_t offset, size_t n)
{
    fmd_reduction_commit_range(self, tensor, offset, n);
}

static fmd_fixed *sink_fixed(void *self, size_t tensor)
{
    return fmd_reduction_fixed(self, tensor);
}

static void sink_complete(void *self, size_t tensor)
{
    fmd_reduction_complete(self, tensor);
}

/* Local. */
static fmd_status create(fmd_stepper **out, const fmd_model *m, const fmd_fit_args *args,
                         size_t **counts)
{
    fmd_stepper *s;
    FMD_TRY(fmd_alloc(out, 1, sizeof *s, "training"));
    s = *out;
    s->n_tensors = fmd_model_n_tensors(m);
    FMD_TRY(fmd_alloc(&s->labels, fmd_model_max_samples(m), 1, "the labels of a batch"));
    FMD_TRY(fmd_alloc(&s->others, fmd_model_max_samples(m), 1, "the labels of a batch"));
    FMD_TRY(fmd_alloc(&s->shares, fmd_model_max_samples(m), sizeof *s->shares,
                      "the labels of a batch"));
    s->n_counters = COUNTERS + (int)args->objective.metrics.n_counters;
    FMD_TRY(fmd_alloc(&s->counters, (size_t)s->n_counters, sizeof *s->counters, "the metrics"));
    FMD_TRY(fmd_alloc(&s->scales, s->n_tensors, sizeof *s->scales, "the reduction"));
    FMD_TRY(fmd_alloc(counts, s->n_tensors, sizeof **counts, "the reduction"));
    for (size_t i = 0; i < s->n_tensors; i++)
        (*counts)[i] = fmd_model_tensor(m, i)->count;
    return FMD_OK;
}

fmd_status fmd_stepper_create(fmd_stepper **out, fmd_comm *c, fmd_model *m, fmd_optimizer *o,
                              const fmd_fit_args *args)
{
    fmd_stepper *s = NULL;
    size_t *counts = NULL; /* values of each tensor */
    bool shares = false;
    fmd_status st = fmd_comm_agree(c, create(&s, m, args, &counts));
    if (st != FMD_OK)
        goto out;
    if ((st = fmd_comm_agree(c, fmd_optimizer_set_model(o, m))) != FMD_OK)
        goto out;
    s->comm = c;
    s->model = m;
    s->optimizer = o;
    s->args = args;
    s->regularized = fmd_regularizer_exists(m);
    if ((st = fmd_shard_decide(&shares, c, m, args->sharding)) != FMD_OK)
        goto out;
    st = fmd_reduction_create(&s->reduction, args->reduce, args->allreduce, shares,
                              args->bucket_bytes, c, counts, s->n_tensors, s->n_counters);
    if (st != FMD_OK)
        goto out;
    s->sink = (fmd_gradient_sink){.self = s->reduction,
                                  .begin = sink_begin,
                                  .commit = sink_commit,
                                  .fixed = sink_fixed,
                                  .complete = sink_complete};
    memcpy(s->scales, fmd_reduction_scales(s->reduction), s->n_tensors * sizeof *s->scales);
    fegetenv(&s->arithmetic);
    if (shares)
        st = fmd_shard_create(&s->shard, c, m, o, args, fmd_reduction_n_pieces(s->reduction),
                              s->n_tensors);
    if (st != FMD_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    fmd_stepper_destroy(s);
    free(counts);
    return st;
}

void fmd_stepper_destroy(fmd_stepper *s)
{
    if (s == NULL)
        return;
    fmd_reduction_destroy(s->reduction); /* first: the parameters need its memory */
    fmd_shard_destroy(s->shard);
    free(s->labels);
    free(s->others);
    free(s->shares);
    free(s->counters);
    free(s->scales);
    free(s);
}

/* This rank's part of a batch. */
typedef struct part {
    size_t first, count; /* samples of the batch */
    size_t microbatch_size;
    int microbatches, all_microbatches; /* of this rank, of all ranks */
} part;

/* Cuts a batch into microbatches and takes this rank's range of them; a rank may have none. A native
 * sum needs no microbatches: unless the model does, each rank's samples are one. */
static part part_of(const fmd_stepper *s, size_t count)
{
    const int rank = fmd_comm_rank(s->comm), size = fmd_comm_size(s->comm);
    if (!fmd_reduction_by_microbatch(s->reduction) && !fmd_model_batch_statistics(s->model)) {
        const fmd_range mine = fmd_share(count, rank, size);
        return (part){.first = mine.first,
                      .count = mine.count,
                      .microbatch_size = mine.count,
                      .microbatches = mine.count > 0,
                      .all_microbatches = size};
    }
    const size_t microbatch = s->args->microbatch_size;
    const size_t microbatches = (count + microbatch - 1) / microbatch;
    const fmd_range mine = fmd_share(microbatches, rank, size);
    const size_t first = mine.first * microbatch, end = first + mine.count * microbatch;
    return (part){.first = first,
                  .count = mine.count == 0 ? 0 : (end < count ? end : count) - first,
                  .microbatch_size = microbatch,
                  .microbatches = (int)mine.count,
                  .all_microbatches = (int)microbatches};
}

/* A step under way. */
typedef struct work {
    fmd_stepper *stepper;
    const uint32_t *order;
    size_t count; /* of the global batch */
    uint32_t step;
    fmd_loss_sums sums;
} work;

/* Mixes the images of a group with others of the global batch. */
static void mix(void *self, size_t first, size_t n, float *x)
{
    work *w = self;
    fmd_stepper *s = w->stepper;
    const fmd_fit_args *a = s->args;
    const size_t pixels = fmd_shape_count(a->mixing.image);
    for (size_t i = 0; i < n; i++) {
        const fmd_mix m = fmd_mixing_at(&a->mixing, a->seed, w->step, first + i, w->count);
        const uint32_t partner = w->order[m.partner];
        const uint8_t *image = a->train.stream != NULL
                                   ? fmd_stream_read(a->train.stream, a->train.first + partner)
                                   : a->train.images + partner * pixels;
        fmd_mixing_apply(&a->mixing, &m, image, a->divisor, x + i * pixels);
        s->others[i] = a->train.labels[partner];
        s->shares[i] = m.share;
    }
}

static void score(void *self, size_t first, size_t n, size_t rows, const float *logits,
                  float *grads)
{
    work *w = self;
    fmd_stepper *s = w->stepper;
    fmd_watchdog_phase(s->args->watchdog, "computing gradients");
    fmd_gather_labels(&s->args->train, w->order + first, n, s->labels);
    const fmd_objective *o = &s->args->objective;
    const bool mixed = s->args->mixing.kind != FMD_MIX_NONE;
    const fmd_targets targets = {.labels = s->labels,
                                 .others = mixed ? s->others : NULL,
                                 .shares = s->shares,
                                 .class_weight = s->args->class_weight};
    /* The gradient may overwrite the logits. */
    fmd_metric_list_count(&o->metrics, logits, &targets, n, s->counters + COUNTERS);
    fmd_loss_samples(&o->loss, logits, &targets, n, rows, (size_t)fmd_model_classes(s->model),
                     grads, &w->sums);
}

/* Forward, loss and backward of this rank's samples; gradient sums go to the reduction. */
static fmd_loss_sums compute(fmd_stepper *s, const part *p, const uint32_t *order, size_t count,
                             uint64_t step)
{
    work w = {.stepper = s,
              .order = order,
              .count = count,
              .step = (uint32_t)step,
              .sums = {.of = count}};
    const bool mixed = s->args->mixing.kind != FMD_MIX_NONE;
    fmd_passes_run(&(fmd_passes){.model = s->model,
                                 .split = &s->args->train,
                                 .divisor = s->args->divisor,
                                 .order = order,
                                 .first = p->first,
                                 .count = p->count,
                                 .microbatch_size = p->microbatch_size,
                                 .training = true,
                                 .seed = s->args->seed,
                                 .step = (uint32_t)step,
                                 .sink = &s->sink,
                                 .prepare = mixed ? mix : NULL,
                                 .score = score,
                                 .self = &w,
                                 .seconds = &s->seconds});
    return w.sums;
}

_Static_assert((int)FMD_REDUCTION_PIECE <= (int)FMD_OPTIMIZER_BLOCK, "pieces are blocks");

/* One pass of the optimizer over some parameters. */
static void update_params(fmd_stepper *s, size_t first, size_t n, const float *gradient)
{
    float sum[FMD_REDUCTION_PIECE];
    if (s->regularized) {
        fmd_regularizer_gradient(s->model, first, n, gradient, sum);
        gradient = sum;
    }
    fmd_optimizer_part(s->optimizer, fmd_model_params(s->model), first, n, gradient);
}

/* States come behind the parameters. */
static void update(void *self, size_t first, size_t n, const float *gradient)
{
    fmd_stepper *s = self;
    if (first < fmd_model_n_trainable_params(s->model))
        update_params(s, first, n, gradient);
    else if (fmd_optimizer_updates(s->optimizer))
        fmd_model_update_state(s->model, first, n, gradient);
}

void fmd_stepper_read_ahead(const fmd_stepper *s, const uint32_t *order, size_t count)
{
    const part p = part_of(s, count);
    fmd_stream_read_ahead(s->args->train.stream, s->args->train.first, order + p.first, p.count);
}

static bool is_readable(const fmd_stepper *s)
{
    return s->args->train.stream == NULL || fmd_stream_status(s->args->train.stream) == FMD_OK;
}

fmd_status fmd_stepper_sum(fmd_stepper *s, const uint32_t *order, size_t count, uint64_t step,
                           fmd_step_requests requests, fmd_step_sums *sums)
{
    const part p = part_of(s, count);
    fmd_watchdog *watchdog = s->args->watchdog;
    int64_t *counters = s->counters;
    fmd_reduced outcome;
    /* Before some rank of the node begins the update. */
    const double penalty = s->regularized ? fmd_regularizer_loss(s->model) : 0;
    fmd_watchdog_unlock(watchdog);
    do {
        fmd_watchdog_phase(watchdog, "computing gradients");
        fmd_reduction_begin_step(s->reduction, p.all_microbatches, p.microbatches);
        memset(counters, 0, (size_t)s->n_counters * sizeof *counters);
        const fmd_loss_sums mine = compute(s, &p, order, count, step);
        counters[LOSS] = mine.loss;
        counters[CORRECT] = mine.correct;
        counters[SAMPLES] = (int64_t)p.count;
        counters[FAILED] = mine.failed;
        counters[UNREAD] = !is_readable(s);
        counters[STOP] = requests.stop;
        counters[SAVE] = requests.save;
        fmd_watchdog_phase(watchdog, "the sum of the gradients");
        const double start = fmd_now();
        fmd_comm_mark(FMD_COMM_SUM_BEGINS);
        outcome = fmd_reduction_finish(s->reduction, counters);
        fmd_comm_mark(FMD_COMM_SUM_ENDS);
        s->seconds.reduce += fmd_now() - start;
    } while (outcome == FMD_REDUCED_REPEAT);
    fmd_watchdog_lock(watchdog);

    if (counters[UNREAD] > 0) /* only the rank that failed knows why */
        return fmd_comm_agree(s->comm,
                              is_readable(s) ? FMD_OK : fmd_stream_status(s->args->train.stream));
    if (outcome == FMD_REDUCED_NOT_FINITE || counters[FAILED] > 0)
        return FMD_FAIL(FMD_EDIVERGED,
                        "training diverged: %s is not finite; a smaller --learning-rate may help",
                        counters[FAILED] > 0 ? "the loss" : "a gradient");
    if (counters[SAMPLES] != (int64_t)count)
        return FMD_FAIL(FMD_EDESYNC, "the ranks trained on %lld samples of a batch of %zu",
                        (long long)counters[SAMPLES], count);
    s->gradient_scale = 1.0 / (double)count;
    *sums =
        (fmd_step_sums){.loss = (double)counters[LOSS] * FMD_LOSS_UNIT + (double)count * penalty,
                        .correct = counters[CORRECT],
                        .samples = counters[SAMPLES],
                        .metrics = counters + COUNTERS,
                        .stop = counters[STOP],
                        .save = counters[SAVE]};
    return FMD_OK;
}

static void update_piece(void *self, size_t first, size_t n, const float *gradient)
{
    fmd_stepper *s = self;
    fmd_shard_begin_piece(s->shard, first, n);
    update(s, first, n, gradient);
    fmd_shard_end_piece(s->shard);
}

/* The reduction sees all totals. */
static void look(void *self, size_t first, size_t n, const float *gradient)
{
    (void)self;
    (void)first;
    (void)n;
    (void)gradient;
}

static void update_slice(void *self, size_t first, size_t end, bool only_look)
{
    fmd_stepper *s = self;
    fmd_reduction_apply(s->reduction, s->gradient_scale, first, end,
                        only_look ? look : update_piece, s);
}

static void merge_largest(fmd_stepper *s)
{
    for (int i = 0; i < fmd_comm_node_size(s->comm); i++)
        fmd_reduction_merge_largest(s->reduction, fmd_shard_largest_of(s->shard, i));
}

/* Collective over the node. Each rank updates its slice. While a rank waits for the others, the
 * watchdog may complete the step. */
static void update_shared(fmd_stepper *s)
{
    const int passes = fmd_optimizer_passes(s->optimizer);
    fmd_shard_begin(s->shard);
    for (s->pass = 0; s->pass < passes; s->pass++) {
        fmd_shard_pass(s->shard, s->pass, update_slice, s, fmd_reduction_largest(s->reduction));
        fmd_watchdog_phase(s->args->watchdog, "the update of the parameters");
        FMD_WHILE_UNLOCKED (s->args->watchdog)
            fmd_comm_node_barrier(s->comm);
        fmd_shard_end_pass(s->shard, s->pass);
        (void)fmd_optimizer_again(s->optimizer);
    }
    merge_largest(s);
    fmd_shard_end(s->shard);
}

static void update_own(fmd_stepper *s)
{
    do
        fmd_reduction_apply(s->reduction, s->gradient_scale, 0,
                            fmd_reduction_n_pieces(s->reduction), update, s);
    while (fmd_optimizer_again(s->optimizer));
    if (s->regularized)
        fmd_regularizer_constrain(s->model);
}

void fmd_stepper_update(fmd_stepper *s, double learning_rate)
{
    const double start = fmd_now();
    fmd_optimizer_begin(s->optimizer, learning_rate);
    if (s->shard != NULL)
        update_shared(s);
    else
        update_own(s);
    fmd_reduction_rescale(s->reduction);
    memcpy(s->scales, fmd_reduction_scales(s->reduction), s->n_tensors * sizeof *s->scales);
    s->seconds.update += fmd_now() - start;
}

/* Completes the step for all ranks of the node. */
static void complete_update(fmd_stepper *s)
{
    const int passes = fmd_optimizer_passes(s->optimizer);
    fenv_t before;
    fegetenv(&before);
    fesetenv(&s->arithmetic);
    for (int pass = s->pass; pass < passes; pass++) {
        fmd_shard_pass(s->shard, pass, update_slice, s, fmd_reduction_largest(s->reduction));
        fmd_shard_end_pass(s->shard, pass);
        (void)fmd_optimizer_again(s->optimizer);
    }
    merge_largest(s);
    fmd_reduction_next_scales(s->reduction, s->scales);
    fesetenv(&before);
}

bool fmd_stepper_freeze(fmd_stepper *s)
{
    bool unfinished = false;
    if (s->shard == NULL)
        return true;
    if (!fmd_shard_freeze(s->shard, &unfinished))
        return false;
    if (unfinished)
        complete_update(s);
    return true;
}

void fmd_stepper_thaw(fmd_stepper *s)
{
    if (s->shard != NULL)
        fmd_shard_thaw(s->shard);
}

bool fmd_stepper_shares(const fmd_stepper *s)
{
    return s->shard != NULL;
}

bool fmd_stepper_end(fmd_stepper *s)
{
    const bool writes = s->shard == NULL || fmd_comm_node_rank(s->comm) == 0;
    return writes && fmd_optimizer_finish(s->optimizer, fmd_model_params(s->model));
}

fmd_phase_seconds fmd_stepper_seconds(const fmd_stepper *s)
{
    fmd_phase_seconds p = s->seconds;
    if (!s->split)
        return p;
    p.progress = s->collective.progress;
    p.backward -= p.progress;
    p.convert = p.reduce - s->collective.sum;
    p.reduce = s->collective.sum;
    return p;
}

void fmd_stepper_breakdown(fmd_stepper *s)
{
    s->split = true;
    s->seconds = (fmd_phase_seconds){0};
    s->collective = (fmd_reduction_seconds){0};
    fmd_reduction_time(s->reduction, &s->collective);
}

size_t fmd_stepper_message_bytes(const fmd_stepper *s)
{
    return fmd_reduction_bytes(s->reduction);
}

void fmd_stepper_share(const fmd_stepper *s, size_t count, size_t *samples, size_t *product_rows)
{
    const part p = part_of(s, count);
    *samples = p.count;
    *product_rows = p.microbatch_size;
}

int32_t *fmd_stepper_scales(fmd_stepper *s)
{
    return s->scales;
}

void fmd_stepper_set_scales(fmd_stepper *s)
{
    memcpy(fmd_reduction_scales(s->reduction), s->scales, s->n_tensors * sizeof *s->scales);
}

int64_t fmd_stepper_repeats(const fmd_stepper *s)
{
    return fmd_reduction_repeats(s->reduction);
}
