#include "train/step.h"

#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "nn/losses/loss.h"
#include "train/batch_plan.h"

#include <stdlib.h>
#include <string.h>

/* The counters that travel with the gradient. */
enum { LOSS, CORRECT, SAMPLES, FAILED, STOP, SAVE, COUNTERS };

struct fmd_stepper {
    fmd_comm *comm;
    fmd_model *model;
    fmd_optimizer *optimizer;
    fmd_reduction *reduction;
    const fmd_fit_args *args;
    fmd_gradient_sink sink;
    uint8_t *labels; /* of this rank's rows */
    int32_t *scales; /* the reduction's after the last whole step */
    size_t n_tensors;
    fmd_phase_seconds seconds;
    bool split;
    fmd_reduction_seconds collective;
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

/* Local. */
static fmd_status create(fmd_stepper **out, const fmd_model *m, const fmd_fit_args *args, int size,
                         size_t **counts)
{
    fmd_stepper *s;
    FMD_TRY(fmd_alloc(out, 1, sizeof *s, "training"));
    s = *out;
    s->n_tensors = fmd_model_n_tensors(m);
    FMD_TRY(fmd_alloc(&s->labels, fmd_fit_samples(args, size), 1, "the labels of a batch"));
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
    size_t *counts = NULL; /* a tensor of the reduction for each parameter tensor */
    fmd_status st = fmd_comm_agree(c, create(&s, m, args, fmd_comm_size(c), &counts));
    if (st != FMD_OK)
        goto out;
    s->comm = c;
    s->model = m;
    s->optimizer = o;
    s->args = args;
    st = fmd_reduction_create(&s->reduction, args->reduce, args->allreduce, c, counts, s->n_tensors,
                              COUNTERS);
    if (st != FMD_OK)
        goto out;
    s->sink = (fmd_gradient_sink){
        .self = s->reduction, .begin = sink_begin, .commit = sink_commit, .fixed = sink_fixed};
    memcpy(s->scales, fmd_reduction_scales(s->reduction), s->n_tensors * sizeof *s->scales);
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
    fmd_reduction_destroy(s->reduction);
    free(s->labels);
    free(s->scales);
    free(s);
}

/* This rank's part of a batch. */
typedef struct part {
    fmd_pass pass;
    size_t first, count; /* samples of the batch; the rows behind them are padding */
    int microbatches;    /* of all ranks */
} part;

/* Cuts a batch into microbatches and takes this rank's run of them; a rank may have none. Without microbatches
 * (native) each rank's share of the samples is one microbatch. */
static part part_of(const fmd_stepper *s, size_t count, uint64_t step)
{
    const int rank = fmd_comm_rank(s->comm), size = fmd_comm_size(s->comm);
    part p = {.pass = {.training = true, .seed = s->args->seed, .step = (uint32_t)step}};
    if (fmd_reduction_by_microbatch(s->reduction)) {
        const size_t microbatch = s->args->microbatch_size;
        const size_t microbatches = (count + microbatch - 1) / microbatch;
        const fmd_range mine = fmd_share(microbatches, rank, size);
        const size_t end = (mine.first + mine.count) * microbatch;
        p.microbatches = (int)microbatches;
        p.pass.microbatches = (int)mine.count;
        p.pass.microbatch_size = (int)microbatch;
        p.first = mine.first * microbatch;
        p.count = mine.count == 0 ? 0 : (end < count ? end : count) - p.first;
    } else {
        const fmd_range mine = fmd_share(count, rank, size);
        p.microbatches = size;
        p.pass.microbatches = mine.count > 0;
        p.pass.microbatch_size = (int)mine.count;
        p.first = mine.first;
        p.count = mine.count;
    }
    p.pass.first_sample = p.first;
    return p;
}

/* Forward, loss and backward of this rank's rows; gradient sums go to the reduction. */
static void compute(fmd_stepper *s, const part *p, const uint32_t *order, fmd_loss_sums *sums)
{
    const fmd_split *train = &s->args->train;
    const size_t samples = fmd_pass_samples(&p->pass);
    const size_t image_bytes = fmd_shape_count(fmd_model_in(s->model));

    const double t0 = fmd_now();
    fmd_gather_images(train, image_bytes, order + p->first, p->count, samples, s->args->divisor,
                      fmd_model_input(s->model));
    fmd_gather_labels(train, order + p->first, p->count, s->labels);
    const double t1 = fmd_now();
    const float *logits = fmd_model_forward(s->model, &p->pass);
    fmd_loss_samples(logits, s->labels, p->count, samples, (size_t)fmd_model_classes(s->model),
                     fmd_model_logit_grads(s->model), sums);
    const double t2 = fmd_now();
    fmd_model_backward(s->model, &p->pass, &s->sink);
    const double t3 = fmd_now();
    s->seconds.assemble += t1 - t0;
    s->seconds.forward += t2 - t1;
    s->seconds.backward += t3 - t2;
}

static void update(void *self, size_t first, size_t n, const float *gradient)
{
    fmd_stepper *s = self;
    fmd_optimizer_part(s->optimizer, fmd_model_params(s->model), first, n, gradient);
}

fmd_status fmd_stepper_run(fmd_stepper *s, const uint32_t *order, size_t count, uint64_t step,
                           double learning_rate, fmd_step_requests requests, fmd_step_sums *sums)
{
    const part p = part_of(s, count, step);
    fmd_watchdog *watchdog = s->args->watchdog;
    int64_t counters[COUNTERS];
    fmd_reduced outcome;
    fmd_watchdog_unlock(watchdog);
    do {
        fmd_loss_sums mine = {.of = count};
        fmd_watchdog_phase(watchdog, "computing gradients");
        fmd_reduction_begin_step(s->reduction, p.microbatches, p.pass.microbatches);
        if (p.count > 0)
            compute(s, &p, order, &mine);
        counters[LOSS] = mine.loss;
        counters[CORRECT] = mine.correct;
        counters[SAMPLES] = (int64_t)p.count;
        counters[FAILED] = mine.failed;
        counters[STOP] = requests.stop;
        counters[SAVE] = requests.save;
        fmd_watchdog_phase(watchdog, "the sum of the gradients");
        const double start = fmd_now();
        outcome = fmd_reduction_finish(s->reduction, counters);
        s->seconds.reduce += fmd_now() - start;
    } while (outcome == FMD_REDUCED_REPEAT);
    fmd_watchdog_lock(watchdog);

    if (outcome == FMD_REDUCED_NOT_FINITE || counters[FAILED] > 0)
        return FMD_FAIL(FMD_EDIVERGED,
                        "training diverged: %s is not finite; a smaller --learning-rate may help",
                        counters[FAILED] > 0 ? "the loss" : "a gradient");
    if (counters[SAMPLES] != (int64_t)count)
        return FMD_FAIL(FMD_EDESYNC, "the ranks trained on %lld samples of a batch of %zu",
                        (long long)counters[SAMPLES], count);
    const double start = fmd_now();
    fmd_optimizer_begin(s->optimizer, learning_rate);
    fmd_reduction_apply(s->reduction, 1.0 / (double)count, update, s);
    memcpy(s->scales, fmd_reduction_scales(s->reduction), s->n_tensors * sizeof *s->scales);
    s->seconds.update += fmd_now() - start;
    *sums = (fmd_step_sums){.loss = (double)counters[LOSS] * FMD_LOSS_UNIT,
                            .correct = counters[CORRECT],
                            .samples = counters[SAMPLES],
                            .stop = counters[STOP],
                            .save = counters[SAVE]};
    return FMD_OK;
}

fmd_phase_seconds fmd_stepper_seconds(const fmd_stepper *s)
{
    fmd_phase_seconds p = s->seconds;
    if (!s->split)
        return p;
    p.convert = p.reduce - s->collective.wait - s->collective.allreduce;
    p.wait = s->collective.wait;
    p.reduce = s->collective.allreduce;
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
    const part p = part_of(s, count, 0);
    *samples = p.count;
    *product_rows = (size_t)p.pass.microbatch_size;
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
