#include "fmd/trainer.h"

#include "fmd/evaluate.h"
#include "fmd/sampler.h"
#include "fmd/timer.h"
#include "train/step.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_LEAF = 32, FEWEST_LEAVES = 8 };

size_t fmd_leaf_size(int64_t asked, size_t batch_size)
{
    if (asked != FMD_UNSET_INT)
        return (size_t)asked < batch_size ? (size_t)asked : batch_size;
    const size_t leaf = (batch_size + FEWEST_LEAVES - 1) / FEWEST_LEAVES;
    return leaf < LARGEST_LEAF ? leaf : LARGEST_LEAF;
}

size_t fmd_fit_rows(const fmd_fit_args *args, int size)
{
    const size_t batch = args->batch_size < args->train.n ? args->batch_size : args->train.n;
    const size_t leaves = (batch + args->leaf_size - 1) / args->leaf_size;
    const size_t rows = fmd_share(leaves, 0, size).count * args->leaf_size;
    return rows > FMD_EVALUATE_ROWS ? rows : FMD_EVALUATE_ROWS;
}

/* What rank 0 decides at the end of an epoch; broadcast as bytes. */
typedef struct decision {
    fmd_status status;
    char message[FMD_ERROR_BYTES];
    fmd_control control;
} decision;

typedef struct loop {
    fmd_comm *comm;
    fmd_model *model;
    const fmd_fit_args *args;
    fmd_stepper *stepper;
    fmd_sampler *sampler;
    fmd_fit_result *result;
    fmd_event event; /* what callbacks are told */
    fmd_control control;
    uint64_t step; /* done since the beginning */
} loop;

/* The hooks of all callbacks, in their order. Callbacks exist on rank 0 only. */

static fmd_status call_train_begin(loop *l)
{
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->train_begin != NULL)
            FMD_TRY(c->ops->train_begin(c, &l->event));
    }
    return FMD_OK;
}

static void call_epoch_begin(loop *l)
{
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->epoch_begin != NULL)
            c->ops->epoch_begin(c, &l->event);
    }
}

static void call_batch_end(loop *l)
{
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->batch_end != NULL)
            c->ops->batch_end(c, &l->event, &l->control);
    }
}

static fmd_status call_epoch_end(loop *l)
{
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->epoch_end != NULL)
            FMD_TRY(c->ops->epoch_end(c, &l->event, &l->control));
    }
    return FMD_OK;
}

static fmd_status call_train_end(loop *l)
{
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->train_end != NULL)
            FMD_TRY(c->ops->train_end(c, &l->event, fmd_model_params(l->model)));
    }
    return FMD_OK;
}

/* Collective. Rank 0's decision, and the status of its callbacks, become every rank's. */
static fmd_status share_decision(loop *l, fmd_status mine)
{
    decision d = {.status = mine, .control = l->control};
    if (mine != FMD_OK)
        snprintf(d.message, sizeof d.message, "%s", fmd_error_message());
    fmd_comm_bcast(l->comm, &d, sizeof d);
    l->control = d.control;
    return d.status == FMD_OK ? FMD_OK : FMD_FAIL(d.status, "%s", d.message);
}

/* Trains one epoch; ends early, with control.stop set, when some rank asks for it. */
static fmd_status train_epoch(loop *l)
{
    const fmd_fit_args *a = l->args;
    const uint64_t total = (uint64_t)a->epochs * l->event.steps;
    const double start = fmd_now();
    double loss = 0;
    int64_t correct = 0;
    bool stop = false;

    if (a->shuffle)
        fmd_sampler_shuffle(l->sampler, (uint32_t)l->event.epoch);
    const uint32_t *order = fmd_sampler_order(l->sampler);
    for (size_t first = 0; first < a->train.n && !stop; first += a->batch_size) {
        const size_t left = a->train.n - first;
        const size_t count = left < a->batch_size ? left : a->batch_size;
        const double rate = fmd_schedule_rate(a->schedule, a->learning_rate, l->step, total);
        fmd_step_sums sums;
        FMD_TRY(fmd_stepper_run(l->stepper, order + first, count, l->step, rate, l->control.stop,
                                &sums));
        l->step++;
        stop = sums.stop > 0;
        loss += sums.loss;
        correct += sums.correct;

        l->event.step++;
        l->event.samples += (uint64_t)sums.samples;
        l->event.seconds = fmd_now() - start;
        l->event.metrics.loss = loss / (double)l->event.samples;
        l->event.metrics.accuracy = (double)correct / (double)l->event.samples;
        l->event.metrics.learning_rate = rate;
        call_batch_end(l);
    }
    l->result->seconds += l->event.seconds;
    l->result->samples += l->event.samples;
    l->control.stop = l->control.stop || stop; /* rank 0 may have been asked in the last step */
    return FMD_OK;
}

/* Collective. What follows the steps of an epoch: replicas compared, validation, callbacks. */
static fmd_status end_epoch(loop *l)
{
    const fmd_fit_args *a = l->args;
    const fmd_hash hash = fmd_model_hash(l->model);
    char what[64];
    snprintf(what, sizeof what, "their weights after epoch %d", l->event.epoch + 1);
    FMD_TRY(fmd_comm_same(l->comm, &hash, sizeof hash, what));
    if (a->validation.n > 0) {
        fmd_evaluation e;
        FMD_TRY(fmd_evaluate(l->comm, l->model, &a->validation, a->divisor, &e));
        l->event.metrics.val_loss = e.loss;
        l->event.metrics.val_accuracy = e.accuracy;
        l->event.seconds += e.seconds;
    }
    l->result->epochs++;
    l->result->metrics = l->event.metrics;
    return share_decision(l, call_epoch_end(l));
}

/* Collective. The means over the ranks of where the time went. */
static void collect_phases(loop *l)
{
    const fmd_phase_seconds *mine = fmd_stepper_seconds(l->stepper);
    double mean[] = {mine->assemble, mine->forward, mine->backward, mine->reduce, mine->update};
    fmd_comm_mean(l->comm, mean, sizeof mean / sizeof *mean);
    l->result->phases = (fmd_phase_seconds){mean[0], mean[1], mean[2], mean[3], mean[4]};
}

static fmd_status run(loop *l)
{
    const fmd_fit_args *a = l->args;
    l->event = (fmd_event){.epochs = a->epochs, .model = l->model};
    FMD_TRY(share_decision(l, call_train_begin(l)));
    for (int epoch = 0; epoch < a->epochs && !l->control.stop; epoch++) {
        l->event = (fmd_event){.epoch = epoch,
                               .epochs = a->epochs,
                               .steps = (a->train.n + a->batch_size - 1) / a->batch_size,
                               .model = l->model,
                               .metrics = {.val_loss = (double)NAN, .val_accuracy = (double)NAN}};
        call_epoch_begin(l);
        FMD_TRY(train_epoch(l));
        /* An epoch that was cut short has no place in the history. */
        if (l->event.step == l->event.steps)
            FMD_TRY(end_epoch(l));
    }
    FMD_TRY(share_decision(l, call_train_end(l)));
    fmd_comm_bcast(l->comm, fmd_model_params(l->model),
                   fmd_model_n_params(l->model) * sizeof(float));
    l->result->steps = l->step;
    l->result->repeats = fmd_stepper_repeats(l->stepper);
    memcpy(l->result->reason, l->control.reason, sizeof l->result->reason);
    collect_phases(l);
    return FMD_OK;
}

fmd_status fmd_fit(fmd_comm *c, fmd_model *m, fmd_optimizer *o, const fmd_fit_args *args,
                   fmd_fit_result *result)
{
    *result = (fmd_fit_result){.epochs = 0};
    loop l = {.comm = c, .model = m, .args = args, .result = result};
    fmd_status st = fmd_stepper_create(&l.stepper, c, m, o, args);
    if (st == FMD_OK)
        st = fmd_sampler_create(&l.sampler, args->train.n, args->seed);
    st = fmd_comm_agree(c, st);
    if (st == FMD_OK)
        st = run(&l);
    fmd_sampler_destroy(l.sampler);
    fmd_stepper_destroy(l.stepper);
    return st;
}
