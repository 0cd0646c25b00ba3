#include "fmd/trainer.h"

#include "base/mem.h"
#include "base/timer.h"
#include "data/sampler.h"
#include "train/callbacks/hooks.h"
#include "train/evaluate.h"
#include "train/step.h"

#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HISTORY_COLUMNS = sizeof(fmd_metrics) / sizeof(double),
    REASON_BYTES = sizeof((fmd_control *)0)->reason
};
enum { MAX_ENTRIES = 16 + 4 * FMD_CALLBACK_ENTRIES };

/* Where a training is; with weights, slots, scale, history and callbacks, its whole state. */
typedef struct position {
    int64_t epoch, step; /* the epoch under way, and steps done in it */
    double loss;         /* sums over the samples of this epoch */
    int64_t correct;
    int64_t stop; /* training has ended, for this reason */
    char reason[REASON_BYTES];
} position;

/* What rank 0 decides at the end of an epoch; broadcast as bytes. */
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
    uint64_t steps; /* in an epoch */
    position at;
    fmd_metrics *history;  /* of every epoch; NAN where there is nothing */
    fmd_schedule schedule; /* its base is what callbacks have made of it */
    double rate;           /* of the last step */
    double no_best;        /* NAN: what a checkpoint holds where there is no checkpointer */
    fmd_event event;       /* what callbacks are told */
    fmd_control control;   /* what callbacks decided at the end of an epoch */
    fmd_control asked;     /* what they asked for in the middle of one */
    fmd_state state;       /* for checkpoints */
    fmd_state_entry entries[MAX_ENTRIES];
    char *message; /* room for the state entries that only rank 0 works on */
    size_t message_bytes;
    fmd_phase_seconds *phases; /* rank 0: of each rank */
} loop;

static void tell_saved(loop *l, uint64_t step)
{
    char file[FMD_CHECKPOINTER_FILE_BYTES];
    const double seconds = fmd_checkpointer_last(l->args->checkpointer, step, file);
    fmd_hooks_saved(&l->hooks, file, step, seconds);
}

/* There with and without a checkpointer, so that one may go on with what the other wrote. */
static fmd_state_entry checkpointer_entry(loop *l)
{
    if (l->args->checkpointer != NULL)
        return fmd_checkpointer_entry(l->args->checkpointer);
    return (fmd_state_entry){"best", FMD_STATE_F64, 1, &l->no_best, -DBL_MAX, DBL_MAX, true};
}

/* The state entries that only rank 0 works on: what callbacks and checkpointer know. Returns how many. */
static size_t root_entries(loop *l, fmd_state_entry *out)
{
    size_t n = 0;
    out[n++] = checkpointer_entry(l);
    for (int i = 0; i < l->args->n_callbacks; i++) {
        fmd_callback *c = l->args->callbacks[i];
        if (c->ops->entries != NULL)
            n += c->ops->entries(c, out + n);
    }
    return n;
}

/* Names everything that a checkpoint holds besides weights and slots. */
static void collect_entries(loop *l)
{
    const fmd_fit_args *a = l->args;
    size_t n = 0;
    fmd_state_entry *out = l->entries;
    out[n++] = (fmd_state_entry){"epoch", FMD_STATE_I64, 1, &l->at.epoch, 0, a->epochs, false};
    out[n++] = (fmd_state_entry){"step", FMD_STATE_I64, 1, &l->at.step, 0, (double)l->steps, false};
    out[n++] = (fmd_state_entry){"loss", FMD_STATE_F64, 1, &l->at.loss, -DBL_MAX, DBL_MAX, false};
    out[n++] = (fmd_state_entry){"correct", FMD_STATE_I64,      1,    &l->at.correct,
                                 0,         (double)a->train.n, false};
    out[n++] = (fmd_state_entry){"stop", FMD_STATE_I64, 1, &l->at.stop, 0, 1, false};
    out[n++] =
        (fmd_state_entry){"reason", FMD_STATE_U8, REASON_BYTES, l->at.reason, 0, UINT8_MAX, false};
    out[n++] = (fmd_state_entry){"learning_rate", FMD_STATE_F64, 1, &l->rate, 0, FLT_MAX, false};
    out[n++] =
        (fmd_state_entry){"base_rate", FMD_STATE_F64, 1, &l->schedule.base, 0, FLT_MAX, true};
    out[n++] = (fmd_state_entry){"scale",
                                 FMD_STATE_I32,
                                 fmd_model_n_tensors(l->model),
                                 fmd_stepper_scales(l->stepper),
                                 FMD_SCALE_MIN,
                                 FMD_SCALE_MAX,
                                 false};
    out[n++] = (fmd_state_entry){"history",  FMD_STATE_F64, (size_t)a->epochs * HISTORY_COLUMNS,
                                 l->history, -DBL_MAX,      DBL_MAX,
                                 true};
    const size_t own = n;
    n += root_entries(l, out + n);
    for (size_t i = own; i < n; i++)
        l->message_bytes += fmd_state_entry_bytes(&out[i]);
    l->state = (fmd_state){.model = l->model,
                           .optimizer = l->optimizer,
                           .normalize = a->divisor != 1,
                           .fingerprint = a->fingerprint,
                           .n_fingerprint = a->n_fingerprint,
                           .entries = l->entries,
                           .n_entries = n};
}

static const fmd_state *state_now(loop *l)
{
    l->state.step = (uint64_t)l->at.epoch * l->steps + (uint64_t)l->at.step;
    l->state.learning_rate = l->rate;
    return &l->state;
}

static void emergency(void *self)
{
    loop *l = self;
    fmd_checkpointer_emergency(l->args->checkpointer, state_now(l));
}

/* Collective. Rank 0's decision, and the status of what it did, become every rank's. */
static fmd_status share_decision(loop *l, fmd_status mine, bool *save)
{
    decision d = {.status = mine, .control = l->control, .save = save != NULL && *save};
    if (mine != FMD_OK)
        snprintf(d.message, sizeof d.message, "%s", fmd_error_message());
    fmd_watchdog_files(l->args->watchdog, "the decision of rank 0");
    fmd_watchdog_unlock(l->args->watchdog);
    fmd_comm_bcast(l->comm, &d, sizeof d);
    fmd_watchdog_lock(l->args->watchdog);
    l->control = d.control;
    if (save != NULL)
        *save = d.save;
    return d.status == FMD_OK ? FMD_OK : FMD_FAIL(d.status, "%s", d.message);
}

/* Collective. Every rank's copy of them becomes rank 0's, in one message; until it has come, the
 * state of the other ranks is the one before. */
static void share_entries(loop *l)
{
    fmd_state_entry entries[MAX_ENTRIES];
    const size_t n = root_entries(l, entries);
    char *at = l->message;
    for (size_t i = 0; l->root && i < n; at += fmd_state_entry_bytes(&entries[i]), i++)
        memcpy(at, entries[i].data, fmd_state_entry_bytes(&entries[i]));
    fmd_watchdog_unlock(l->args->watchdog);
    fmd_comm_bcast(l->comm, l->message, l->message_bytes);
    fmd_watchdog_lock(l->args->watchdog);
    at = l->message;
    for (size_t i = 0; !l->root && i < n; at += fmd_state_entry_bytes(&entries[i]), i++)
        memcpy(entries[i].data, at, fmd_state_entry_bytes(&entries[i]));
}

/* The epoch is over: the state moves on to the next one. */
static void advance(loop *l)
{
    l->history[l->at.epoch] = l->event.metrics;
    l->result->epochs++;
    l->result->metrics = l->event.metrics;
    l->at = (position){.epoch = l->at.epoch + 1, .stop = l->control.stop};
    memcpy(l->at.reason, l->control.reason, REASON_BYTES);
    if (l->control.base_rate > 0)
        l->schedule.base = l->control.base_rate;
}

/* Collective. FMD_EDESYNC unless all ranks hold the same weights. The state is free meanwhile: a
 * rank that has died never comes. */
static fmd_status compare_replicas(loop *l)
{
    const fmd_hash hash = fmd_model_hash(l->model);
    char what[64];
    snprintf(what, sizeof what, "their weights after step %" PRIu64, state_now(l)->step);
    fmd_watchdog_phase(l->args->watchdog, "comparing weights");
    fmd_watchdog_unlock(l->args->watchdog);
    const fmd_status st = fmd_comm_same(l->comm, &hash, sizeof hash, what);
    fmd_watchdog_lock(l->args->watchdog);
    return st;
}

/* Collective. A checkpoint of this moment, once the replicas are known to be equal. */
static fmd_status save(loop *l)
{
    FMD_TRY(compare_replicas(l));
    fmd_watchdog_files(l->args->watchdog, "writing a checkpoint");
    const int before = fmd_checkpointer_count(l->args->checkpointer);
    const fmd_status st =
        l->root ? fmd_checkpointer_write(l->args->checkpointer, state_now(l)) : FMD_OK;
    if (fmd_checkpointer_count(l->args->checkpointer) > before)
        tell_saved(l, state_now(l)->step);
    return share_decision(l, st, NULL);
}

/* Whether a training like this one comes to where the checkpoint says that it was. */
static fmd_status check_position(loop *l)
{
    const position p = l->at;
    if (memchr(p.reason, '\0', REASON_BYTES) != NULL &&
        fmd_optimizer_steps(l->optimizer) == state_now(l)->step)
        return FMD_OK;
    l->at = (position){.epoch = 0};
    return FMD_FAIL(FMD_EDATA,
                    "the checkpoint is of step %" PRId64 " in epoch %" PRId64
                    ", but there are %d epochs of %" PRIu64 " steps",
                    p.step, p.epoch, l->args->epochs, l->steps);
}

/* Rank 0. Finds and reads what to go on from. */
static fmd_status load(loop *l, bool *found)
{
    const fmd_fit_args *a = l->args;
    *found = false;
    if (a->checkpointer != NULL && a->resume)
        FMD_TRY(fmd_checkpointer_load(a->checkpointer, &l->state, found));
    if (!*found && a->resume_from != NULL) {
        FMD_TRY(fmd_checkpoint_read(a->resume_from, &l->state));
        *found = true;
    }
    return *found ? check_position(l) : FMD_OK;
}

/* Collective. Goes on where an earlier process was, if there is a checkpoint. */
static fmd_status resume(loop *l)
{
    bool found = false;
    const fmd_status st = l->root ? load(l, &found) : FMD_OK;
    FMD_TRY(share_decision(l, st, &found));
    if (!found)
        return FMD_OK;
    fmd_comm_bcast(l->comm, fmd_model_params(l->model),
                   fmd_model_n_params(l->model) * sizeof(float));
    for (size_t i = 0; i < fmd_optimizer_n_slots(l->optimizer); i++)
        fmd_comm_bcast(l->comm, fmd_optimizer_slot(l->optimizer, i),
                       fmd_model_n_trainable_params(l->model) * sizeof(float));
    for (size_t i = 0; i < l->state.n_entries; i++)
        fmd_comm_bcast(l->comm, l->entries[i].data, fmd_state_entry_bytes(&l->entries[i]));
    fmd_optimizer_set_steps(l->optimizer, state_now(l)->step);
    fmd_stepper_set_scales(l->stepper);
    l->control.stop = l->at.stop != 0;
    memcpy(l->control.reason, l->at.reason, REASON_BYTES);
    l->result->resumed_step = l->state.step;
    l->result->epochs = (int)l->at.epoch;
    if (l->at.epoch > 0)
        l->result->metrics = l->history[l->at.epoch - 1];
    return FMD_OK;
}

/* Means over the samples of this epoch so far. */
static void set_running_metrics(loop *l)
{
    const double n = (double)l->event.samples;
    l->event.metrics.loss = n > 0 ? l->at.loss / n : 0;
    l->event.metrics.accuracy = n > 0 ? (double)l->at.correct / n : 0;
    l->event.metrics.learning_rate = l->rate;
}

/* What callbacks are told of an epoch that begins, or goes on. */
static void begin_event(loop *l)
{
    const fmd_fit_args *a = l->args;
    l->event = (fmd_event){.epoch = (int)l->at.epoch,
                           .epochs = a->epochs,
                           .step = (uint64_t)l->at.step,
                           .steps = l->steps,
                           .samples = (uint64_t)l->at.step * a->batch_size,

                           .model = l->model,
                           .history = l->history,
                           .base_rate = l->schedule.base,
                           .ranks = fmd_comm_size(l->comm),
                           .phases = l->phases,
                           .metrics = {.val_loss = (double)NAN, .val_accuracy = (double)NAN}};
    if (l->event.samples > a->train.n)
        l->event.samples = a->train.n;
    set_running_metrics(l);
}

/* Trains the rest of the epoch; *interrupted: some rank asked to stop before its end or after its
 * last step. */
static fmd_status train_epoch(loop *l, bool *interrupted)
{
    const fmd_fit_args *a = l->args;
    const double start = fmd_now();
    const uint64_t samples_before = l->event.samples;

    if (a->shuffle)
        fmd_sampler_shuffle(l->sampler, (uint32_t)l->at.epoch);
    const uint32_t *order = fmd_sampler_order(l->sampler);
    for (size_t first = (size_t)l->at.step * a->batch_size; first < a->train.n && !*interrupted;
         first += a->batch_size) {
        const size_t left = a->train.n - first;
        const size_t count = left < a->batch_size ? left : a->batch_size;
        const uint64_t step = state_now(l)->step;
        const double rate = fmd_schedule_rate(&l->schedule, step);
        const fmd_step_requests requests = {.stop = l->asked.stop ||
                                                    fmd_watchdog_signal(a->watchdog) != 0,
                                            .save = l->root && a->checkpointer != NULL &&
                                                    fmd_checkpointer_due_by_time(a->checkpointer)};
        fmd_step_sums sums;
        FMD_TRY(fmd_stepper_run(l->stepper, order + first, count, step, rate, requests, &sums));
        l->rate = rate;
        l->at.step++;
        l->at.loss += sums.loss;
        l->at.correct += sums.correct;
        *interrupted = sums.stop > 0;

        l->event.step++;
        l->event.samples += (uint64_t)sums.samples;
        l->event.seconds = fmd_now() - start;
        set_running_metrics(l);
        fmd_hooks_batch_end(&l->hooks, &l->event, &l->asked);
        if (!*interrupted && a->checkpointer != NULL &&
            (sums.save > 0 || fmd_checkpointer_due_by_step(a->checkpointer, step + 1)))
            FMD_TRY(save(l));
    }
    l->result->seconds += l->event.seconds;
    l->result->samples += l->event.samples - samples_before;
    return FMD_OK;
}

/* Collective. What follows the steps of an epoch: replicas compared, validation, callbacks,
 * checkpoint. The best weights are written before the state moves on: who resumes from it does not
 * come back for them. */
static fmd_status end_epoch(loop *l)
{
    const fmd_fit_args *a = l->args;
    FMD_TRY(compare_replicas(l));
    fmd_status st = FMD_OK;
    fmd_evaluation e = {.loss = (double)NAN, .accuracy = (double)NAN};
    fmd_watchdog_phase(a->watchdog, "gathering times");
    fmd_watchdog_unlock(a->watchdog);
    const fmd_phase_seconds mine = fmd_stepper_seconds(l->stepper);
    fmd_comm_gather(l->comm, &mine, sizeof mine, l->phases);
    if (a->validation.n > 0)
        st = fmd_evaluate(l->comm, l->model, &a->validation, a->divisor, a->watchdog, &e);
    fmd_watchdog_lock(a->watchdog);
    fmd_watchdog_files(a->watchdog, "the end of the epoch");
    FMD_TRY(st);
    if (a->validation.n > 0) {
        l->event.metrics.val_loss = e.loss;
        l->event.metrics.val_accuracy = e.accuracy;
        l->event.seconds += e.seconds;
    }

    l->control = (fmd_control){.stop = false};
    if (l->root && a->checkpointer != NULL)
        st = fmd_checkpointer_write_best(a->checkpointer, state_now(l), &l->event.metrics);
    if (st == FMD_OK)
        st = fmd_hooks_epoch_end(&l->hooks, &l->event, &l->control);
    /* The end has a checkpoint whatever it costs: a finished run is not begun again. */
    const bool last = l->control.stop || l->at.epoch + 1 == a->epochs;
    bool due = l->root && a->checkpointer != NULL &&
               (last || fmd_checkpointer_due_by_epoch(a->checkpointer));
    /* Rank 0 has moved on before anybody waits for anybody: its state is whole again. */
    if (l->root && st == FMD_OK)
        advance(l);
    FMD_TRY(share_decision(l, st, &due));
    share_entries(l);
    if (!l->root)
        advance(l);
    return due ? save(l) : FMD_OK;
}

/* Collective. Where the time of this process went. */
static void collect_phases(loop *l)
{
    const fmd_phase_seconds mine = fmd_stepper_seconds(l->stepper);
    fmd_comm_gather(l->comm, &mine, sizeof mine, l->phases);
    if (l->root)
        l->result->phases = fmd_phases_compare(l->phases, NULL, fmd_comm_size(l->comm));
    fmd_comm_bcast(l->comm, &l->result->phases, sizeof l->result->phases);
}

/* Collective. Ends early, to go on another time. */
static fmd_status interrupt(loop *l)
{
    const int signal = fmd_watchdog_signal(l->args->watchdog);
    if (signal != 0)
        fmd_control_stop(&l->asked, "Stopped by signal %d", signal);
    fmd_control_stop(&l->asked, "Stopped from outside");
    l->control = l->asked;
    l->result->interrupted = true;
    return l->args->checkpointer != NULL ? save(l) : share_decision(l, FMD_OK, NULL);
}

/* Collective. Callbacks have the last word: they may replace the weights. */
static fmd_status end_training(loop *l)
{
    fmd_status st = fmd_hooks_train_end(&l->hooks, &l->event, fmd_model_params(l->model));
    FMD_TRY(share_decision(l, st, NULL));
    fmd_comm_bcast(l->comm, fmd_model_params(l->model),
                   fmd_model_n_params(l->model) * sizeof(float));
    st = FMD_OK;
    if (l->root && l->args->checkpointer != NULL)
        st = fmd_checkpointer_write_final(l->args->checkpointer, state_now(l));
    return share_decision(l, st, NULL);
}

static fmd_status run(loop *l)
{
    const fmd_fit_args *a = l->args;
    bool interrupted = false;
    collect_entries(l);
    FMD_TRY(fmd_comm_agree(l->comm, fmd_alloc(&l->message, l->message_bytes, 1, "the state")));
    FMD_TRY(resume(l));
    begin_event(l);
    FMD_TRY(share_decision(l, fmd_hooks_train_begin(&l->hooks, &l->event), NULL));
    if (a->checkpointer != NULL)
        fmd_watchdog_on_emergency(a->watchdog, emergency, l);
    while (l->at.epoch < a->epochs && !l->control.stop && !interrupted) {
        begin_event(l);
        fmd_hooks_epoch_begin(&l->hooks, &l->event);
        FMD_TRY(train_epoch(l, &interrupted));
        if (!interrupted)
            FMD_TRY(end_epoch(l));
    }
    FMD_TRY(interrupted ? interrupt(l) : end_training(l));
    l->result->repeats = fmd_stepper_repeats(l->stepper);
    memcpy(l->result->reason, l->control.reason, REASON_BYTES);
    if (a->checkpointer != NULL) {
        l->result->saves = fmd_checkpointer_count(a->checkpointer);
        l->result->save_seconds = fmd_checkpointer_seconds(a->checkpointer);
    }
    collect_phases(l);
    return FMD_OK;
}

fmd_status fmd_fit(fmd_comm *c, fmd_model *m, fmd_optimizer *o, const fmd_fit_args *args,
                   fmd_fit_result *result)
{
    *result = (fmd_fit_result){.epochs = 0};
    const double none = (double)NAN;
    loop l = {.comm = c, .model = m, .optimizer = o, .args = args, .result = result};
    l.schedule = args->schedule;
    l.no_best = none;
    l.root = fmd_comm_rank(c) == 0;
    l.hooks = (fmd_hooks){args->callbacks, l.root ? args->n_callbacks : 0};
    l.steps = (args->train.n + args->batch_size - 1) / args->batch_size;
    fmd_status st = fmd_stepper_create(&l.stepper, c, m, o, args);
    if (st == FMD_OK)
        st = fmd_sampler_create(&l.sampler, args->train.n, args->seed);
    if (st == FMD_OK)
        st = fmd_alloc(&l.history, (size_t)args->epochs, sizeof *l.history, "the history");
    if (st == FMD_OK && l.root)
        st = fmd_alloc(&l.phases, (size_t)fmd_comm_size(c), sizeof *l.phases, "the times");
    st = fmd_comm_agree(c, st);
    for (int i = 0; st == FMD_OK && i < args->epochs; i++)
        l.history[i] = (fmd_metrics){none, none, none, none, none};
    if (st == FMD_OK)
        st = run(&l);
    result->steps = state_now(&l)->step;
    if (l.history != NULL)
        result->first = l.history[0];
    fmd_watchdog_on_emergency(args->watchdog, NULL, NULL);
    fmd_sampler_destroy(l.sampler);
    fmd_stepper_destroy(l.stepper);
    free(l.history);
    free(l.message);
    free(l.phases);
    return st;
}
