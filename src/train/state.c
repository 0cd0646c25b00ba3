#include "train/state.h"

#include "base/log.h"
#include "base/mem.h"

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Present with and without a checkpointer, so that a run can be resumed with either setting. */
static fmd_state_entry best_entry(fmd_training_state *s)
{
    if (s->args->checkpointer != NULL)
        return fmd_checkpointer_entry(s->args->checkpointer);
    return (fmd_state_entry){"best", FMD_STATE_F64, 1, &s->no_best, -DBL_MAX, DBL_MAX, true};
}

/* The entries of a callback; none where it has no state. */
static size_t callback_entries(fmd_callback *c, fmd_state_entry *out)
{
    return c->ops->entries != NULL ? c->ops->entries(c, out) : 0;
}

/* Names everything that a checkpoint holds besides weights and slots. */
static void collect_entries(fmd_training_state *s, const fmd_model *m, int32_t *scales)
{
    const fmd_fit_args *a = s->args;
    fmd_position *at = &s->at;
    const double steps = (double)s->epoch_steps, images = (double)a->train.n, max = DBL_MAX;
    const size_t tensors = fmd_model_n_tensors(m), values = (size_t)a->epochs * s->n_columns;
    const fmd_state_entry own[] = {
        {"epoch", FMD_STATE_I64, 1, &at->epoch, 0, a->epochs, false},
        {"step", FMD_STATE_I64, 1, &at->step, 0, steps, false},
        {"loss", FMD_STATE_F64, 1, &at->loss, -max, max, false},
        {"correct", FMD_STATE_I64, 1, &at->correct, 0, images, false},
        {"stop", FMD_STATE_I64, 1, &at->stop, 0, 1, false},
        {"reason", FMD_STATE_U8, sizeof at->reason, at->reason, 0, UINT8_MAX, false},
        {"learning_rate", FMD_STATE_F64, 1, &s->rate, 0, (double)FLT_MAX, false},
        {"base_rate", FMD_STATE_F64, 1, &s->schedule.base, 0, (double)FLT_MAX, true},
        {"scale", FMD_STATE_I32, tensors, scales, FMD_SCALE_MIN, FMD_SCALE_MAX, false},
        {"history", FMD_STATE_F64, values, s->rows, -max, max, true},
    };
    fmd_state_entry *out = s->entries;
    size_t n = sizeof own / sizeof *own;
    memcpy(out, own, sizeof own);
    if (a->objective.metrics.n > 0) { /* otherwise the five columns of Keras */
        out[n++] = (fmd_state_entry){
            "history_columns", FMD_STATE_U8, strlen(s->columns) + 1, s->columns, 0,
            UINT8_MAX,         false};
        out[n++] = (fmd_state_entry){"metric_counters",
                                     FMD_STATE_I64,
                                     a->objective.metrics.n_counters,
                                     s->counters,
                                     0,
                                     FMD_METRIC_COUNTERS * images,
                                     false};
    }
    s->n_own = n;
    out[n++] = best_entry(s);
    for (int i = 0; i < a->n_callbacks; i++)
        n += callback_entries(a->callbacks[i], out + n);
    s->file.entries = s->entries;
    s->file.n_entries = n;
}

/* Copies of the weights are made by each rank itself. */
static bool is_sent(const fmd_state_entry *e)
{
    return e->kind != FMD_STATE_F32;
}

static fmd_status allocate(fmd_training_state *s)
{
    const fmd_metric_list *list = &s->args->objective.metrics;
    const size_t epochs = (size_t)s->args->epochs;
    const char *column;
    for (size_t used = 0; (column = fmd_metrics_column(list, s->n_columns)) != NULL; s->n_columns++)
        used += (size_t)snprintf(s->columns + used, sizeof s->columns - used, "%s%s",
                                 used > 0 ? "," : "", column);
    FMD_TRY(fmd_alloc(&s->history, epochs, sizeof *s->history, "the history"));
    FMD_TRY(fmd_alloc(&s->rows, epochs * s->n_columns, sizeof *s->rows, "the history"));
    FMD_TRY(fmd_alloc(&s->counters, list->n_counters + 1, sizeof *s->counters, "the metrics"));
    for (size_t i = 0; i < epochs * s->n_columns; i++)
        s->rows[i] = (double)NAN;
    for (size_t i = 0; i < epochs; i++)
        s->history[i] = fmd_metrics_none(list);
    return FMD_OK;
}

/* The row of an epoch in the checkpoint. */
static double *stored(const fmd_training_state *s, int64_t epoch)
{
    return s->rows + (size_t)epoch * s->n_columns;
}

fmd_status fmd_training_state_create(fmd_training_state *s, fmd_comm *c, fmd_model *m,
                                     fmd_optimizer *o, const fmd_fit_args *args, int32_t *scales,
                                     bool once_a_node)
{
    *s = (fmd_training_state){
        .comm = c, .args = args, .once_a_node = once_a_node, .schedule = args->schedule};
    s->no_best = (double)NAN;
    s->epoch_steps = (args->train.n + args->batch_size - 1) / args->batch_size;
    s->file = (fmd_state){.model = m,
                          .optimizer = o,
                          .normalize = args->divisor != 1,
                          .fingerprint = args->fingerprint,
                          .n_fingerprint = args->n_fingerprint};
    FMD_TRY(fmd_comm_agree(c, allocate(s)));
    collect_entries(s, m, scales);
    for (size_t i = s->n_own; i < s->file.n_entries; i++)
        s->message_bytes += is_sent(&s->entries[i]) ? fmd_state_entry_bytes(&s->entries[i]) : 0;
    return fmd_comm_agree(c, fmd_alloc(&s->message, s->message_bytes, 1, "the state"));
}

void fmd_training_state_destroy(fmd_training_state *s)
{
    free(s->history);
    free(s->rows);
    free(s->counters);
    free(s->message);
}

const fmd_state *fmd_training_state_now(fmd_training_state *s)
{
    s->file.step = (uint64_t)s->at.epoch * s->epoch_steps + (uint64_t)s->at.step;
    s->file.learning_rate = s->rate;
    return &s->file;
}

void fmd_training_state_advance(fmd_training_state *s, const fmd_metrics *metrics,
                                const fmd_control *control)
{
    fmd_metrics *row = &s->history[s->at.epoch];
    *row = *metrics;
    for (size_t i = 0; i < s->n_columns; i++)
        stored(s, s->at.epoch)[i] = *fmd_metrics_at(row, i);
    memset(s->counters, 0, s->args->objective.metrics.n_counters * sizeof *s->counters);
    s->at = (fmd_position){.epoch = s->at.epoch + 1, .stop = control->stop};
    memcpy(s->at.reason, control->reason, sizeof s->at.reason);
    if (control->base_rate > 0)
        s->schedule.base = control->base_rate;
}

void fmd_training_state_share(fmd_training_state *s, const fmd_event *e)
{
    const bool root = fmd_comm_rank(s->comm) == 0;
    char *at = s->message;
    for (size_t i = s->n_own; root && i < s->file.n_entries; i++) {
        if (!is_sent(&s->entries[i]))
            continue;
        memcpy(at, s->entries[i].data, fmd_state_entry_bytes(&s->entries[i]));
        at += fmd_state_entry_bytes(&s->entries[i]);
    }
    FMD_WHILE_UNLOCKED (s->args->watchdog)
        fmd_comm_bcast(s->comm, s->message, s->message_bytes);
    at = s->message;
    for (size_t i = s->n_own; !root && i < s->file.n_entries; i++) {
        if (!is_sent(&s->entries[i]))
            continue;
        memcpy(s->entries[i].data, at, fmd_state_entry_bytes(&s->entries[i]));
        at += fmd_state_entry_bytes(&s->entries[i]);
    }
    for (int i = 0; !root && i < s->args->n_callbacks; i++) {
        fmd_callback *c = s->args->callbacks[i];
        if (c->ops->shared != NULL)
            c->ops->shared(c, e);
    }
}

/* Reading. A file is judged as a whole before the state changes. */
typedef struct reading {
    fmd_training_state *state;
    const char *path;
    fmd_checkpoint_contents contents;
    bool changed;                       /* an option that may change has changed */
    char epochs[FMD_OPTION_TEXT_BYTES]; /* "" unless changed: --epochs of the file */
} reading;

static fmd_status is_damaged(const reading *r, const char *name)
{
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: '%s' is missing or has impossible values", r->path,
                    name);
}

/* Fails with the list of all differences. */
static fmd_status compare_fingerprints(reading *r)
{
    const fmd_fit_args *a = r->state->args;
    char list[FMD_ERROR_BYTES];
    for (size_t i = 0; i < a->n_fingerprint; i++) {
        const fmd_fingerprint_entry *here = &a->fingerprint[i];
        const char *there = fmd_fingerprint_text(&r->contents, here->name);
        if (!here->may_change || (there != NULL && strcmp(there, here->text) == 0))
            continue;
        r->changed = true;
        if (there != NULL && strcmp(here->name, "epochs") == 0)
            snprintf(r->epochs, sizeof r->epochs, "%s", there);
    }
    if (fmd_fingerprint_compare(&r->contents, a->fingerprint, a->n_fingerprint, list) > 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s' is of another run: %.600s: give the options of that run (its "
                        "config.json has them), or another --run-dir",
                        r->path, list);
    return FMD_OK;
}

static const fmd_state_entry *find_entry(const reading *r, const char *name)
{
    for (size_t i = 0; i < r->contents.n_entries; i++)
        if (strcmp(r->contents.entries[i].name, name) == 0)
            return &r->contents.entries[i];
    return NULL;
}

/* The entry in the file that matches an entry of this program in name and form; NULL: none. */
static const fmd_state_entry *find_like(const reading *r, const fmd_state_entry *ours)
{
    const fmd_state_entry *e = find_entry(r, ours->name);
    return e != NULL && e->kind == ours->kind && e->count == ours->count ? e : NULL;
}

/* Whether a training like this one passes through the position of the file. */
static fmd_status check_position(const reading *r, fmd_position *p)
{
    const fmd_training_state *s = r->state;
    const int epochs = s->args->epochs;
    p->epoch = *(const int64_t *)find_entry(r, "epoch")->data;
    p->step = *(const int64_t *)find_entry(r, "step")->data;
    if (p->epoch > epochs && *r->epochs != '\0' && p->epoch <= atoi(r->epochs))
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s' has %" PRId64 " epochs done already: give --epochs %" PRId64
                        " or more, or another --run-dir",
                        r->path, p->epoch, p->epoch);
    if (p->epoch < 0 || p->epoch > epochs || p->step < 0 || (uint64_t)p->step > s->epoch_steps)
        return FMD_FAIL(FMD_EDATA,
                        "the checkpoint is of step %" PRId64 " in epoch %" PRId64
                        ", but there are %d epochs of %" PRIu64 " steps",
                        p->step, p->epoch, epochs, s->epoch_steps);
    const uint64_t steps = (uint64_t)p->epoch * s->epoch_steps + (uint64_t)p->step;
    if (r->contents.step != steps)
        return is_damaged(r, "step");
    return FMD_OK;
}

/* The entries of the loop: all must be present and valid. The history may cover another number of
 * epochs, but must include the completed ones. */
static fmd_status check_own_entries(const reading *r, fmd_position *p)
{
    const fmd_training_state *s = r->state;
    for (size_t i = 0; i < s->n_own; i++) {
        const fmd_state_entry *ours = &s->entries[i];
        const bool history = ours->data == s->rows;
        const fmd_state_entry *e = find_entry(r, ours->name);
        if (e == NULL || e->kind != ours->kind || (!history && e->count != ours->count))
            return is_damaged(r, ours->name);
    }
    FMD_TRY(check_position(r, p));
    for (size_t i = 0; i < s->n_own; i++) {
        fmd_state_entry range = s->entries[i];
        const fmd_state_entry *e = find_entry(r, range.name);
        range.count = e->count;
        FMD_TRY(fmd_state_entry_check(&range, e->data, r->path));
    }
    if (find_entry(r, "history")->count < (size_t)p->epoch * s->n_columns)
        return is_damaged(r, "history");
    const fmd_state_entry *reason = find_entry(r, "reason");
    return memchr(reason->data, '\0', reason->count) != NULL ? FMD_OK : is_damaged(r, "reason");
}

/* Whether the file has the whole state of a callback. A state that can be rebuilt from the history
 * may be missing, since the options for its callback may change. */
static fmd_status check_callback(const reading *r, fmd_callback *c, bool *complete)
{
    fmd_state_entry ours[FMD_CALLBACK_ENTRIES];
    const size_t n = callback_entries(c, ours);
    *complete = true;
    for (size_t i = 0; i < n; i++) {
        const fmd_state_entry *e = find_like(r, &ours[i]);
        if (e != NULL)
            FMD_TRY(fmd_state_entry_check(&ours[i], e->data, r->path));
        *complete = *complete && e != NULL;
    }
    return *complete || c->ops->restored != NULL ? FMD_OK : is_damaged(r, c->ops->name);
}

static void take(const fmd_state_entry *ours, const fmd_state_entry *e)
{
    const size_t mine = fmd_state_entry_bytes(ours), there = fmd_state_entry_bytes(e);
    memcpy(ours->data, e->data, mine < there ? mine : there);
}

static void read_history(fmd_training_state *s)
{
    for (int64_t k = 0; k < s->at.epoch; k++)
        for (size_t i = 0; i < s->n_columns; i++)
            *fmd_metrics_at(&s->history[k], i) = stored(s, k)[i];
}

static fmd_status take_over(const reading *r)
{
    fmd_training_state *s = r->state;
    const int n_callbacks = s->args->n_callbacks;
    fmd_position p;
    bool complete;
    FMD_TRY(check_own_entries(r, &p));
    for (int i = 0; i < n_callbacks; i++)
        FMD_TRY(check_callback(r, s->args->callbacks[i], &complete));
    const fmd_state file = {.model = s->file.model,
                            .optimizer = s->file.optimizer,
                            .entries = r->contents.entries,
                            .n_entries = r->contents.n_entries};
    FMD_TRY(fmd_checkpoint_read(r->path, &file));
    for (size_t i = 0; i < s->n_own; i++)
        take(&s->entries[i], find_entry(r, s->entries[i].name));
    read_history(s);
    for (char *c = s->at.reason; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    for (int i = 0; i < n_callbacks; i++) {
        fmd_state_entry ours[FMD_CALLBACK_ENTRIES];
        const size_t n = callback_entries(s->args->callbacks[i], ours);
        FMD_TRY(check_callback(r, s->args->callbacks[i], &complete));
        for (size_t k = 0; complete && k < n; k++)
            take(&ours[k], find_like(r, &ours[k]));
    }
    return FMD_OK;
}

/* A schedule over all epochs is another one when their number has changed. */
static void report_rate(const reading *r)
{
    const fmd_training_state *s = r->state;
    const uint64_t step = r->contents.step;
    if (*r->epochs == '\0' || step == 0 || fmd_schedule_plateau(&s->schedule) != NULL ||
        fmd_schedule_rate(&s->schedule, step - 1) == s->rate)
        return;
    fmd_warn("the schedule '%s' spans all epochs: with --epochs %d in place of %s the learning "
             "rate, %g in the last step, continues at %g; the result is not that of one run",
             s->schedule.spec, s->args->epochs, r->epochs, s->rate,
             fmd_schedule_rate(&s->schedule, step));
}

/* Callbacks with changed options evaluate the completed epochs again. */
static fmd_status rebuild(const reading *r)
{
    fmd_training_state *s = r->state;
    fmd_control control = {.stop = false};
    const fmd_event e = {.epoch = (int)s->at.epoch,
                         .epochs = s->args->epochs,
                         .step = (uint64_t)s->at.step,
                         .steps = s->epoch_steps,
                         .model = s->file.model,
                         .history = s->history};
    for (int i = 0; i < s->args->n_callbacks; i++) {
        fmd_callback *c = s->args->callbacks[i];
        if (c->ops->restored != NULL)
            FMD_TRY(c->ops->restored(c, &e, &control));
    }
    if (!r->changed)
        return FMD_OK;
    s->at.stop = control.stop;
    memcpy(s->at.reason, control.reason, sizeof s->at.reason);
    return FMD_OK;
}

static fmd_status read_file(void *self, const char *path)
{
    reading r = {.state = self, .path = path};
    FMD_TRY(fmd_checkpoint_read_contents(path, &r.contents));
    fmd_status st = compare_fingerprints(&r);
    if (st == FMD_OK)
        st = take_over(&r);
    if (st == FMD_OK)
        st = rebuild(&r);
    if (st == FMD_OK)
        report_rate(&r);
    fmd_checkpoint_free_contents(&r.contents);
    return st;
}

/* Rank 0. Finds and reads a checkpoint. */
static fmd_status load(fmd_training_state *s, bool *found)
{
    const fmd_fit_args *a = s->args;
    *found = false;
    if (a->checkpointer != NULL && a->resume)
        FMD_TRY(fmd_checkpointer_load(a->checkpointer, read_file, s, found));
    const char *from = *found ? NULL : a->resume_from;
    if (from != NULL) {
        FMD_TRY(read_file(s, from));
        *found = true;
    }
    if (*found && a->checkpointer != NULL)
        fmd_checkpointer_recall(a->checkpointer, fmd_training_state_now(s), s->history,
                                (size_t)s->at.epoch, s->epoch_steps, from);
    return FMD_OK;
}

void fmd_training_state_send(const fmd_training_state *s, float *values, size_t n)
{
    if (s->once_a_node)
        fmd_comm_share(s->comm, values, n * sizeof *values);
    else
        fmd_comm_bcast(s->comm, values, n * sizeof *values);
}

fmd_status fmd_training_state_restore(fmd_training_state *s, bool *found)
{
    fmd_status st = fmd_comm_rank(s->comm) == 0 ? load(s, found) : FMD_OK;
    FMD_TRY(fmd_comm_agree(s->comm, st));
    fmd_comm_bcast(s->comm, found, sizeof *found);
    if (!*found)
        return FMD_OK;
    const fmd_model *m = s->file.model;
    fmd_training_state_send(s, fmd_model_params(m), fmd_model_n_params(m));
    for (size_t i = 0; i < fmd_optimizer_n_slots(s->file.optimizer); i++)
        fmd_training_state_send(s, fmd_optimizer_slot(s->file.optimizer, i),
                                fmd_model_n_trainable_params(m));
    for (size_t i = 0; i < s->file.n_entries; i++)
        if (is_sent(&s->entries[i]))
            fmd_comm_bcast(s->comm, s->entries[i].data, fmd_state_entry_bytes(&s->entries[i]));
        else
            fmd_training_state_send(s, s->entries[i].data, s->entries[i].count);
    read_history(s);
    fmd_optimizer_set_steps(s->file.optimizer, fmd_training_state_now(s)->step);
    return FMD_OK;
}
