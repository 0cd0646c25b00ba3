#include "train/loop.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "train/callbacks/hooks.h"
#include "train/evaluation/evaluate.h"
#include "train/state.h"
#include "train/step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The decision of rank 0 at the end of an epoch; broadcast as bytes. */
typedef struct decision {
    fmd_status status;
    char message[FMD_ERROR_BYTES];
    fmd_control control;
    bool save;
} decision;

typedef struct loop {
    fmd_comm *comm;
    fmd_model *model;
    fmd_optimizer *optimizer;
    const fmd_fit_args *args;
    fmd_stepper *stepper;
    fmd_sampler *sampler;
    fmd_fit_result *result;
    bool root;
    fmd_hooks hooks;
    fmd_training_state state;
    fmd_event event;           /* input of the hooks */
    fmd_control control;       /* requests of the hooks at the end of an epoch */
    fmd_control asked;         /* requests of the hooks during an epoch */
    fmd_phase_seconds *phases; /* rank 0: of each rank */
} loop;

/* Rank 0. Tells the callbacks of a checkpoint that has been completed. */
static void tell_saved(loop *l)
{
    char file[FMD_CHECKPOINTER_FILE_BYTES];
    uint64_t step;
    double seconds;
    if (l->root && l->args->checkpointer != NULL &&
        fmd_checkpointer_saved(l->args->checkpointer, &step, &seconds, file))
        fmd_hooks_saved(&l->hooks, file, step, seconds);
}

static const fmd_state *now(loop *l)
{
    return fmd_training_state_now(&l->state);
}

static bool emergency(void *self)
{
    loop *l = self;
    if (!fmd_stepper_freeze(l->stepper))
        return false;
    fmd_checkpointer_emergency(l->args->checkpointer, now(l));
    fmd_stepper_thaw(l->stepper);
    return true;
}

/* Collective. Gives every rank the decision and the status of rank 0. */
static fmd_status share_decision(loop *l, fmd_status mine, bool *save)
{
    decision d = {.status = mine, .control = l->control, .save = save != NULL && *save};
    if (mine != FMD_OK)
        snprintf(d.message, sizeof d.message, "%s", fmd_error_message());
    fmd_watchdog_files(l->args->watchdog, "the decision of rank 0");
    FMD_WHILE_UNLOCKED (l->args->watchdog)
        fmd_comm_bcast(l->comm, &d, sizeof d);
    l->control = d.control;
    if (save != NULL)
        *save = d.save;
    return d.status == FMD_OK ? FMD_OK : FMD_FAIL(d.status, "%s", d.message);
}

/* The epoch is over. */
static void advance(loop *l)
{
    l->result->epochs++;
    l->result->metrics = l->event.metrics;
    fmd_training_state_advance(&l->state, &l->event.metrics, &l->control);
}

/* Collective. FMD_EDESYNC unless all ranks hold the same weights. The state is unlocked meanwhile,
 * since a dead rank never arrives. */
static fmd_status compare_replicas(loop *l)
{
    fmd_status st = FMD_OK;
    const fmd_hash hash = fmd_model_hash(l->model);
    char what[64];
    snprintf(what, sizeof what, "their weights after step %" PRIu64, now(l)->step);
    fmd_watchdog_phase(l->args->watchdog, "comparing weights");
    FMD_WHILE_UNLOCKED (l->args->watchdog)
        st = fmd_comm_same(l->comm, &hash, sizeof hash, what);
    return st;
}

/* Collective. Begins to write a checkpoint, after a check that all replicas are equal. */
static fmd_status save(loop *l)
{
    FMD_TRY(compare_replicas(l));
    fmd_watchdog_files(l->args->watchdog, "writing a checkpoint");
    const fmd_status st = l->root ? fmd_checkpointer_write(l->args->checkpointer, now(l)) : FMD_OK;
    tell_saved(l);
    return share_decision(l, st, NULL);
}

/* Collective. Waits until the last checkpoint is written. */
static fmd_status settle(loop *l)
{
    fmd_watchdog_files(l->args->watchdog, "writing a checkpoint");
    const fmd_status st = l->root ? fmd_checkpointer_settle(l->args->checkpointer) : FMD_OK;
    tell_saved(l);
    return share_decision(l, st, NULL);
}

/* Rank 0. The same after a failure, which stays the message. */
static fmd_status settle_after(loop *l, fmd_status failure)
{
    char message[FMD_ERROR_BYTES];
    snprintf(message, sizeof message, "%s", fmd_error_message());
    fmd_watchdog_files(l->args->watchdog, "writing a checkpoint");
    if (fmd_checkpointer_settle(l->args->checkpointer) != FMD_OK)
        fmd_warn("%s", fmd_error_message());
    tell_saved(l);
    return *message != '\0' ? FMD_FAIL(failure, "%s", message) : FMD_FAIL_SILENTLY(failure);
}

/* Collective. Continues where an earlier process stopped, if there is a checkpoint. */
static fmd_status resume(loop *l)
{
    const fmd_position *at = &l->state.at;
    bool found = false;
    fmd_status st = FMD_OK;
    fmd_watchdog_files(l->args->watchdog, "reading a checkpoint");
    FMD_WHILE_UNLOCKED (l->args->watchdog) {
        if (l->args->checkpointer != NULL && l->args->resume)
            st = fmd_checkpointer_recover(l->args->checkpointer, l->comm);
        if (st == FMD_OK)
            st = fmd_training_state_restore(&l->state, &found);
    }
    if (st != FMD_OK || !found)
        return st;
    fmd_stepper_set_scales(l->stepper);
    l->control.stop = at->stop != 0;
    memcpy(l->control.reason, at->reason, sizeof l->control.reason);
    l->result->resumed_step = now(l)->step;
    l->result->epochs = (int)at->epoch;
    l->result->weights_epoch = l->result->epochs - 1;
    if (at->epoch > 0)
        l->result->metrics = l->state.history[at->epoch - 1];
    return FMD_OK;
}

/* Means over the samples of this epoch so far. */
static void set_running_metrics(loop *l)
{
    const double n = (double)l->event.samples;
    l->event.metrics.loss = n > 0 ? l->state.at.loss / n : 0;
    l->event.metrics.accuracy = n > 0 ? (double)l->state.at.correct / n : 0;
    l->event.metrics.learning_rate = l->state.rate;
    fmd_metric_list_values(&l->args->objective.metrics, l->state.counters, l->event.metrics.extra);
}

/* The event of an epoch that begins or continues. */
static void begin_event(loop *l)
{
    const fmd_fit_args *a = l->args;
    l->event = (fmd_event){.epoch = (int)l->state.at.epoch,
                           .epochs = a->epochs,
                           .step = (uint64_t)l->state.at.step,
                           .steps = l->state.epoch_steps,
                           .samples = (uint64_t)l->state.at.step * a->batch_size,

                           .model = l->model,
                           .history = l->state.history,
                           .base_rate = l->state.schedule.base,
                           .ranks = fmd_comm_size(l->comm),
                           .phases = l->phases,
                           .metrics = fmd_metrics_none(&a->objective.metrics)};
    if (l->event.samples > a->train.n)
        l->event.samples = a->train.n;
    set_running_metrics(l);
}

/* Collective. Trains the rest of the epoch. *interrupted: some rank asked to stop. */
static fmd_status train_epoch(loop *l, bool *interrupted)
{
    const fmd_fit_args *a = l->args;
    const double start = fmd_now();
    const uint64_t samples_before = l->event.samples;

    if (a->shuffle)
        fmd_sampler_shuffle(l->sampler, (uint32_t)l->state.at.epoch);
    const uint32_t *order = fmd_sampler_order(l->sampler);
    for (size_t first = (size_t)l->state.at.step * a->batch_size;
         first < a->train.n && !*interrupted; first += a->batch_size) {
        const size_t left = a->train.n - first;
        const size_t count = left < a->batch_size ? left : a->batch_size;
        const uint64_t step = now(l)->step;
        const double rate = fmd_schedule_rate(&l->state.schedule, step);
        const fmd_step_requests requests = {.stop = l->asked.stop ||
                                                    fmd_watchdog_signal(a->watchdog) != 0,
                                            .save = l->root && a->checkpointer != NULL &&
                                                    fmd_checkpointer_due_by_time(a->checkpointer)};
        fmd_step_sums sums;
        if (a->train.stream != NULL)
            fmd_stepper_read_ahead(l->stepper, order + first + count,
                                   left - count < a->batch_size ? left - count : a->batch_size);
        FMD_TRY(fmd_stepper_sum(l->stepper, order + first, count, step, requests, &sums));
        l->state.rate = rate;
        l->state.at.step++;
        l->state.at.loss += sums.loss;
        l->state.at.correct += sums.correct;
        l->result->steps = now(l)->step;
        for (size_t i = 0; i < a->objective.metrics.n_counters; i++)
            l->state.counters[i] += sums.metrics[i];
        fmd_stepper_update(l->stepper, rate);
        *interrupted = sums.stop > 0;

        l->event.step++;
        l->event.samples += (uint64_t)sums.samples;
        l->event.seconds = fmd_now() - start;
        set_running_metrics(l);
        fmd_hooks_batch_end(&l->hooks, &l->event, &l->asked);
        if (l->root && a->checkpointer != NULL)
            fmd_checkpointer_poll(a->checkpointer);
        tell_saved(l);
        if (!*interrupted && a->checkpointer != NULL &&
            (sums.save > 0 || fmd_checkpointer_due_by_step(a->checkpointer, step + 1)))
            FMD_TRY(save(l));
    }
    l->result->seconds += l->event.seconds;
    l->result->samples += l->event.samples - samples_before;
    return FMD_OK;
}

/* Collective. After the steps of an epoch: compares replicas, validates, calls the callbacks,
 * saves. The best weights are written before the state advances, since a run that resumes from the
 * next state never sees them again. */
static fmd_status end_epoch(loop *l)
{
    const fmd_fit_args *a = l->args;
    FMD_TRY(compare_replicas(l));
    fmd_status st = FMD_OK;
    fmd_evaluation e = {.loss = (double)NAN, .accuracy = (double)NAN};
    fmd_watchdog_phase(a->watchdog, "gathering times");
    FMD_WHILE_UNLOCKED (a->watchdog) {
        const fmd_phase_seconds mine = fmd_stepper_seconds(l->stepper);
        fmd_comm_gather(l->comm, &mine, sizeof mine, l->phases);
        if (a->validation.n > 0)
            st = fmd_evaluate(l->comm, l->model, &a->validation, a->divisor, &a->objective,
                              a->watchdog, &e);
    }
    fmd_watchdog_files(a->watchdog, "the end of the epoch");
    FMD_TRY(st);
    if (a->validation.n > 0) {
        l->event.metrics.val_loss = e.loss;
        l->event.metrics.val_accuracy = e.accuracy;
        memcpy(l->event.metrics.val_extra, e.extra, sizeof e.extra);
        l->event.seconds += e.seconds;
    }

    l->control = (fmd_control){.stop = false};
    if (l->root && a->checkpointer != NULL)
        st = fmd_checkpointer_write_best(a->checkpointer, now(l), &l->event.metrics);
    if (st == FMD_OK)
        st = fmd_hooks_epoch_end(&l->hooks, &l->event, &l->control);
    /* The end always has a checkpoint, so that a finished run is not trained again. */
    const bool last = l->control.stop || l->state.at.epoch + 1 == a->epochs;
    bool due = l->root && a->checkpointer != NULL &&
               (last || fmd_checkpointer_due_by_epoch(a->checkpointer));
    /* Rank 0 advances before any rank waits, so that its state is consistent meanwhile. */
    if (l->root && st == FMD_OK)
        advance(l);
    FMD_TRY(share_decision(l, st, &due));
    fmd_training_state_share(&l->state, &l->event);
    if (!l->root)
        advance(l);
    return due ? save(l) : FMD_OK;
}

/* Collective. Compares the seconds of the phases over the ranks. */
static void collect_phases(loop *l)
{
    const fmd_phase_seconds mine = fmd_stepper_seconds(l->stepper);
    fmd_comm_gather(l->comm, &mine, sizeof mine, l->phases);
    if (l->root)
        l->result->phases = fmd_phases_compare(l->phases, NULL, fmd_comm_size(l->comm));
    fmd_comm_bcast(l->comm, &l->result->phases, sizeof l->result->phases);
}

/* Collective. Stops early, with a checkpoint to resume from. */
static fmd_status interrupt(loop *l)
{
    const int signal = fmd_watchdog_signal(l->args->watchdog);
    if (signal != 0)
        fmd_control_stop(&l->asked, "Stopped by signal %d", signal);
    fmd_control_stop(&l->asked, "Stopped from outside");
    l->control = l->asked;
    l->result->interrupted = true;
    if (l->args->checkpointer == NULL)
        return share_decision(l, FMD_OK, NULL);
    FMD_TRY(save(l));
    return settle(l);
}

/* Collective. Calls the callbacks for the last time: they may replace the weights. */
static fmd_status end_training(loop *l)
{
    if (l->args->checkpointer != NULL)
        FMD_TRY(settle(l));
    const bool averaged = fmd_stepper_end(l->stepper);
    fmd_final_weights weights = {.params = fmd_model_params(l->model),
                                 .epoch = l->result->epochs - 1};
    fmd_status st = fmd_hooks_train_end(&l->hooks, &l->event, &weights);
    FMD_TRY(share_decision(l, st, NULL));
    fmd_training_state_send(&l->state, fmd_model_params(l->model), fmd_model_n_params(l->model));
    fmd_comm_bcast(l->comm, &weights.epoch, sizeof weights.epoch);
    l->result->weights_epoch = weights.epoch;
    if (weights.epoch >= 0)
        l->result->kept = l->state.history[weights.epoch];
    st = FMD_OK;
    if (l->root && l->args->checkpointer != NULL)
        st = fmd_checkpointer_write_final(l->args->checkpointer, now(l),
                                          averaged || weights.epoch != l->result->epochs - 1);
    return share_decision(l, st, NULL);
}

static fmd_status run(loop *l)
{
    const fmd_fit_args *a = l->args;
    bool interrupted = false;
    FMD_TRY(resume(l));
    begin_event(l);
    FMD_TRY(share_decision(l, fmd_hooks_train_begin(&l->hooks, &l->event), NULL));
    if (a->checkpointer != NULL)
        fmd_watchdog_on_emergency(a->watchdog, emergency, l);
    while (l->state.at.epoch < a->epochs && !l->control.stop && !interrupted) {
        begin_event(l);
        fmd_hooks_epoch_begin(&l->hooks, &l->event);
        FMD_TRY(train_epoch(l, &interrupted));
        if (!interrupted)
            FMD_TRY(end_epoch(l));
    }
    FMD_TRY(interrupted ? interrupt(l) : end_training(l));
    l->result->repeats = fmd_stepper_repeats(l->stepper);
    memcpy(l->result->reason, l->control.reason, sizeof l->result->reason);
    if (a->checkpointer != NULL) {
        l->result->best_epoch =
            (int)(fmd_checkpointer_best_step(a->checkpointer) / l->state.epoch_steps);
        l->result->saves = fmd_checkpointer_count(a->checkpointer);
        l->result->save_seconds = fmd_checkpointer_seconds(a->checkpointer);
    }
    collect_phases(l);
    return FMD_OK;
}

/* Local. */
static fmd_status allocate(loop *l)
{
    FMD_TRY(fmd_sampler_create(&l->sampler, &l->args->train, l->args->seed));
    if (l->args->shuffle_window > 0)
        FMD_TRY(fmd_sampler_set_window(l->sampler, l->args->shuffle_window));
    if (!l->root)
        return FMD_OK;
    return fmd_alloc(&l->phases, (size_t)fmd_comm_size(l->comm), sizeof *l->phases, "the times");
}

fmd_status fmd_fit(fmd_comm *c, fmd_model *m, fmd_optimizer *o, const fmd_fit_args *args,
                   fmd_fit_result *result)
{
    *result = (fmd_fit_result){.weights_epoch = -1};
    loop l = {.comm = c, .model = m, .optimizer = o, .args = args, .result = result};
    l.root = fmd_comm_rank(c) == 0;
    l.hooks = (fmd_hooks){args->callbacks, l.root ? args->n_callbacks : 0};
    fmd_status st = fmd_stepper_create(&l.stepper, c, m, o, args);
    if (st == FMD_OK)
        st = fmd_training_state_create(&l.state, c, m, o, args, fmd_stepper_scales(l.stepper),
                                       fmd_stepper_shares(l.stepper));
    if (st == FMD_OK)
        st = fmd_comm_agree(c, allocate(&l));
    if (st == FMD_OK)
        st = run(&l);
    if (st != FMD_OK && l.root && args->checkpointer != NULL)
        st = settle_after(&l, st);
    result->steps = now(&l)->step;
    if (l.state.history != NULL)
        result->first = l.state.history[0];
    fmd_watchdog_on_emergency(args->watchdog, NULL, NULL);
    fmd_hooks_fit_end(&l.hooks);
    fmd_sampler_destroy(l.sampler);
    fmd_stepper_destroy(l.stepper);
    fmd_training_state_destroy(&l.state);
    free(l.phases);
    return st;
}
