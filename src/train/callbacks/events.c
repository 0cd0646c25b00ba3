/* events.jsonl, described in docs/logs.md. The interval between lines of steps is a time, not a
 * number of steps, and grows with the age of the run: the log of a day is about 2 MB. */
#include "base/mem.h"
#include "base/timer.h"
#include "io/json/event_log.h"
#include "io/run_names.h"
#include "train/callbacks/callbacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds for the seconds between lines of steps, and their share of the age of the run. */
static const double shortest = 1, longest = 10, share_of_age = 1e-3;

typedef struct events {
    fmd_callback base;
    fmd_json *head;
    fmd_event_log *log;
    fmd_status failed; /* the failure of a hook that returns no status */
    char message[FMD_ERROR_BYTES];
    double began, wrote;        /* by fmd_now: this process, and the last line of a step */
    double seconds;             /* of the epoch: at that line, or at its last step */
    uint64_t samples;           /* then */
    uint64_t first_samples;     /* of the epoch, by an earlier process */
    double training_seconds;    /* of this epoch, without validation */
    fmd_phase_seconds *earlier; /* of each rank, before this epoch */
    char path[];
} events;

/* Rounded to what is meaningful: microseconds, and tenths of a sample. */
static void add_seconds(fmd_json *j, const char *group, const char *key, double seconds)
{
    fmd_json_real(j, group, key, rint(seconds * 1e6) / 1e6);
}

static void add_rate(fmd_json *j, uint64_t samples, double seconds)
{
    const double rate = seconds > 0 ? (double)samples / seconds : 0;
    fmd_json_real(j, NULL, FMD_KEY_SAMPLES_PER_S, rint(rate * 10) / 10);
}

static void add_metrics(fmd_json *j, const fmd_metrics *m)
{
    fmd_json_real(j, NULL, FMD_KEY_ACCURACY, m->accuracy);
    fmd_json_real(j, NULL, FMD_KEY_LOSS, m->loss);
    if (!isnan(m->val_loss)) {
        fmd_json_real(j, NULL, FMD_KEY_VAL_ACCURACY, m->val_accuracy);
        fmd_json_real(j, NULL, FMD_KEY_VAL_LOSS, m->val_loss);
    }
    fmd_json_real(j, NULL, FMD_KEY_LEARNING_RATE, m->learning_rate);
    for (size_t i = 0; m->list != NULL && i < m->list->n; i++) {
        fmd_json_real(j, NULL, fmd_metric_column(&m->list->of[i]), m->extra[i]);
        if (!isnan(m->val_loss))
            fmd_json_real(j, NULL, m->list->of[i].val_name, m->val_extra[i]);
    }
}

/* The position: the epoch, from 0 as in history.csv, and the steps done. */
static void add_position(fmd_json *j, const fmd_event *e)
{
    fmd_json_int(j, NULL, FMD_KEY_EPOCH, e->epoch);
    fmd_json_int(j, NULL, FMD_KEY_STEP, (long long)e->step);
    const uint64_t steps = (uint64_t)e->epoch * e->steps + e->step;
    fmd_json_int(j, NULL, FMD_KEY_GLOBAL_STEP, (long long)steps);
}

static fmd_status write_line(events *s, fmd_json *line)
{
    const fmd_status st = fmd_event_log_write(s->log, line);
    fmd_json_destroy(line);
    return st;
}

/* Keeps the failure of a hook that returns no status for the next one that does. */
static void note(events *s, fmd_status st)
{
    if (st == FMD_OK || s->failed != FMD_OK)
        return;
    s->failed = st;
    snprintf(s->message, sizeof s->message, "%s", fmd_error_message());
}

static fmd_status noted(const events *s)
{
    return s->failed == FMD_OK ? FMD_OK : FMD_FAIL(s->failed, "%s", s->message);
}

/* The first line of this process. */
static fmd_status train_begin(fmd_callback *c, const fmd_event *e)
{
    events *s = (events *)c;
    fmd_json *now;
    FMD_TRY(fmd_alloc(&s->earlier, (size_t)e->ranks, sizeof *s->earlier, "the event log"));
    FMD_TRY(fmd_event_log_open(&s->log, s->path));
    FMD_TRY(fmd_event_log_begin(&now, ""));
    fmd_json_text(s->head, NULL, FMD_KEY_TYPE,
                  e->epoch > 0 || e->step > 0 ? FMD_EVENT_RESUME : FMD_EVENT_START);
    fmd_json_real(s->head, NULL, FMD_KEY_TIME, fmd_json_get_real(now, NULL, FMD_KEY_TIME));
    fmd_json_destroy(now);
    add_position(s->head, e);
    s->began = s->wrote = fmd_now();
    return fmd_event_log_write(s->log, s->head);
}

static void epoch_begin(fmd_callback *c, const fmd_event *e)
{
    events *s = (events *)c;
    s->seconds = s->training_seconds = 0;
    s->samples = s->first_samples = e->samples;
}

static fmd_status write_step(events *s, const fmd_event *e)
{
    fmd_json *line;
    FMD_TRY(fmd_event_log_begin(&line, FMD_EVENT_STEP));
    add_position(line, e);
    add_metrics(line, &e->metrics);
    add_rate(line, e->samples - s->samples, e->seconds - s->seconds);
    return write_line(s, line);
}

static void batch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    events *s = (events *)c;
    const double now = fmd_now();
    s->training_seconds = e->seconds;
    if (now - s->wrote < fmin(fmax(shortest, (now - s->began) * share_of_age), longest))
        return;
    note(s, write_step(s, e));
    s->wrote = now;
    s->seconds = e->seconds;
    s->samples = e->samples;
}

/* Seconds of this epoch in each phase, over the ranks, and the slowest rank. */
static void add_phases(const events *s, fmd_json *j, const fmd_event *e)
{
    const fmd_phase_spread t = fmd_phases_compare(e->phases, s->earlier, e->ranks);
    for (size_t p = 0; p < FMD_PHASES; p++) {
        add_seconds(j, fmd_phase_names[p], "min", t.min[p]);
        add_seconds(j, fmd_phase_names[p], FMD_KEY_MEAN, t.mean[p]);
        add_seconds(j, fmd_phase_names[p], "max", t.max[p]);
    }
    const char *host = fmd_json_get_item(s->head, NULL, FMD_KEY_HOSTS, (size_t)t.slowest);
    fmd_json_int(j, FMD_KEY_SLOWEST, FMD_KEY_RANK, t.slowest);
    fmd_json_text(j, FMD_KEY_SLOWEST, FMD_KEY_HOST, host != NULL ? host : "");
    add_seconds(j, FMD_KEY_SLOWEST, FMD_KEY_COMPUTE_SECONDS, t.slowest_seconds);
    fmd_json_real(j, FMD_KEY_SLOWEST, FMD_KEY_ABOVE_MEAN, rint(t.above_mean * 1e4) / 1e4);
}

static fmd_status epoch_end(fmd_callback *c, const fmd_event *e, fmd_control *control)
{
    (void)control;
    events *s = (events *)c;
    fmd_json *line;
    FMD_TRY(noted(s));
    FMD_TRY(fmd_event_log_begin(&line, FMD_EVENT_EPOCH));
    add_position(line, e);
    add_metrics(line, &e->metrics);
    add_seconds(line, NULL, FMD_KEY_SECONDS, e->seconds);
    add_rate(line, e->samples - s->first_samples, s->training_seconds);
    add_phases(s, line, e);
    memcpy(s->earlier, e->phases, (size_t)e->ranks * sizeof *s->earlier);
    return write_line(s, line);
}

static fmd_status write_saved(events *s, const char *file, uint64_t step, double seconds)
{
    fmd_json *line;
    FMD_TRY(fmd_event_log_begin(&line, FMD_EVENT_CHECKPOINT));
    fmd_json_int(line, NULL, FMD_KEY_GLOBAL_STEP, (long long)step);
    fmd_json_text(line, NULL, FMD_KEY_FILE, file);
    add_seconds(line, NULL, FMD_KEY_SECONDS, seconds);
    return write_line(s, line);
}

static void saved(fmd_callback *c, const char *file, uint64_t step, double seconds)
{
    events *s = (events *)c;
    note(s, write_saved(s, file, step, seconds));
}

static fmd_status train_end(fmd_callback *c, const fmd_event *e, fmd_final_weights *weights)
{
    (void)e;
    (void)weights;
    return noted((const events *)c);
}

static void destroy(fmd_callback *c)
{
    events *s = (events *)c;
    fmd_event_log_close(s->log);
    fmd_json_destroy(s->head);
    free(s->earlier);
    free(s);
}

static const fmd_callback_ops ops = {
    .name = "events",
    .train_begin = train_begin,
    .epoch_begin = epoch_begin,
    .batch_end = batch_end,
    .epoch_end = epoch_end,
    .saved = saved,
    .train_end = train_end,
    .destroy = destroy,
};

fmd_status fmd_cb_events_create(fmd_callback **out, const char *path, fmd_json *head)
{
    events *s;
    const fmd_status st = fmd_alloc(&s, 1, sizeof *s + strlen(path) + 1, "the event log");
    if (st != FMD_OK) {
        fmd_json_destroy(head);
        return st;
    }
    s->base.ops = &ops;
    s->head = head;
    memcpy(s->path, path, strlen(path) + 1);
    *out = &s->base;
    return FMD_OK;
}
