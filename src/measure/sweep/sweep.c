/* Trains the runs of a sweep, and compares their results. */
#include "measure/sweep/sweep.h"

#include "base/log.h"
#include "base/system/print.h"
#include "io/json/json_object.h"
#include "io/run_lock.h"
#include "io/run_names.h"
#include "run/history.h"
#include "train/callbacks/callback.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const fmd_sweep_state_names[] = {"not trained", "done",     "running",
                                             "stopped",     "diverged", "failed"};

const char *fmd_sweep_path(const fmd_sweep *s, char path[FMD_SWEEP_PATH], const char *format, ...)
{
    const int used = snprintf(path, FMD_SWEEP_PATH, "%s/", s->folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + used, (size_t)(FMD_SWEEP_PATH - used), format, args);
    va_end(args);
    return path;
}

/* Options that the axes replace: those of their own names, and others for the same thing. */
static void list_replaced(const fmd_sweep *s, char *names, size_t size)
{
    static const char *const alike[] = {"model|layers|hidden|model-name",
                                        "batch-size|batch-size-per-rank"};
    size_t n = (size_t)snprintf(names, size, "resume");
    for (size_t i = 0; i < s->n_axes; i++) {
        const char *name = s->axes[i].option->name, *all = name;
        for (size_t k = 0; k < sizeof alike / sizeof *alike; k++)
            if (fmd_word_is_among(alike[k], name))
                all = alike[k];
        if (n < size)
            n += (size_t)snprintf(names + n, size - n, "|%s", all);
    }
}

/* The values of a run as options; without the seed, if it is not wanted. */
static fmd_status add_values(const fmd_sweep *s, const fmd_sweep_run *r, bool with_seed,
                             fmd_command_line *c)
{
    for (size_t i = 0; i < s->n_axes; i++) {
        const fmd_option *o = s->axes[i].option;
        if (i == s->seed && !with_seed)
            continue;
        if (o->kind == FMD_OPTION_BOOL)
            FMD_TRY(fmd_command_line_add(c, "--%s%s", *r->values[i] == 't' ? "" : "no-", o->name));
        else
            FMD_TRY(fmd_command_line_add(c, "--%s=%s", o->name, r->values[i]));
    }
    return FMD_OK;
}

static fmd_status add_training(const fmd_sweep *s, const fmd_sweep_run *r, fmd_command_line *c)
{
    char path[FMD_SWEEP_PATH], replaced[512];
    list_replaced(s, replaced, sizeof replaced);
    FMD_TRY(fmd_command_line_add(c, "train"));
    FMD_TRY(fmd_command_line_add(c, "--run-dir=%s", fmd_sweep_path(s, path, "runs/%s", r->name)));
    FMD_TRY(fmd_engine_add_options(c, s->config, FMD_SWEEP_SHARED, replaced));
    return add_values(s, r, true, c);
}

/* Whether training stops, keeps weights or lowers its rate by a metric of validation. */
static bool needs_validation(const fmd_command_line *c)
{
    for (int i = 0; i < c->n; i++)
        if (strstr(c->argv[i], "val_") != NULL)
            return true;
    return false;
}

static fmd_status build_best(const fmd_sweep *s, const char *without, fmd_command_line *c)
{
    char replaced[512];
    list_replaced(s, replaced, sizeof replaced);
    snprintf(replaced + strlen(replaced), sizeof replaced - strlen(replaced), "|%s", without);
    *c = (fmd_command_line){.n = 0};
    FMD_TRY(fmd_command_line_add(c, "fmnist-dist"));
    FMD_TRY(fmd_engine_add_options(c, s->config, FMD_SWEEP_SHARED, replaced));
    return add_values(s, &s->runs[s->settings[s->best].first], false, c);
}

fmd_status fmd_sweep_best_command(const fmd_sweep *s, fmd_command_line *c, bool *all_images)
{
    FMD_TRY(build_best(s, "validation-split|validation-from", c));
    *all_images = !needs_validation(c);
    return *all_images ? FMD_OK : build_best(s, "resume", c);
}

/* The state by STATUS.json; without one, by the exit code that the engine has left. */
static fmd_status read_state(const fmd_sweep *s, fmd_sweep_run *r)
{
    char path[FMD_SWEEP_PATH], folder[FMD_SWEEP_PATH], failed[FMD_ENGINE_PATH];
    fmd_json *status;
    fmd_sweep_path(s, folder, "runs/%s", r->name);
    fmd_sweep_path(s, path, "runs/%s/" FMD_FILE_STATUS, r->name);
    r->state = FMD_SWEEP_NEW;
    r->why[0] = '\0';
    if (access(path, F_OK) != 0) {
        if (access(fmd_engine_path(&s->engine, r->name, "failed", failed), F_OK) == 0) {
            r->state = FMD_SWEEP_FAILED;
            fmd_engine_message(&s->engine, r->name, r->why);
        }
        return FMD_OK;
    }
    if (fmd_json_read(&status, path) != FMD_OK) { /* one damaged run does not end the sweep */
        snprintf(r->why, sizeof r->why, "%.250s", fmd_error_message());
        r->state = FMD_SWEEP_FAILED;
        return FMD_OK;
    }
    const char *state = fmd_json_get_text(status, NULL, FMD_KEY_STATE);
    const char *message = fmd_json_get_text(status, NULL, FMD_KEY_MESSAGE);
    const double code = fmd_json_get_real(status, NULL, FMD_KEY_EXIT_CODE);
    snprintf(r->why, sizeof r->why, "%.250s", message != NULL ? message : "");
    if (state != NULL && strcmp(state, FMD_RUN_RUNNING) == 0)
        r->state = fmd_run_lock_is_held(folder) ? FMD_SWEEP_RUNNING : FMD_SWEEP_STOPPED;
    else if (code == 0)
        r->state = FMD_SWEEP_DONE;
    else if (code == FMD_EDIVERGED)
        r->state = FMD_SWEEP_DIVERGED;
    else
        r->state = code == FMD_ESTOPPED ? FMD_SWEEP_STOPPED : FMD_SWEEP_FAILED;
    fmd_json_destroy(status);
    return FMD_OK;
}

/* A run that diverged would do so again. */
static bool has_ended(const fmd_sweep_run *r)
{
    return r->state == FMD_SWEEP_DONE || r->state == FMD_SWEEP_DIVERGED ||
           r->state == FMD_SWEEP_RUNNING;
}

static fmd_status train(fmd_sweep *s, fmd_sweep_run *r)
{
    fmd_engine_job *job;
    char log[FMD_ENGINE_PATH];
    fmd_job_state state;
    FMD_TRY(read_state(s, r));
    if (has_ended(r)) {
        if (s->config->study.launcher == FMD_LAUNCH_DRY) /* one line for each run */
            fmd_print("# %s: %s\n", r->name, fmd_sweep_state_names[r->state]);
        return FMD_OK;
    }
    unlink(fmd_engine_path(&s->engine, r->name, s->engine.ending, log)); /* of a lost run folder */
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: a run of the sweep");
    job->ranks = s->ranks;
    snprintf(job->name, sizeof job->name, "%s", r->name);
    fmd_status st = add_training(s, r, &job->words);
    if (st == FMD_OK)
        st = fmd_engine_run(&s->engine, job, &state);
    free(job);
    if (st == FMD_OK && state == FMD_JOB_FAILED)
        fmd_warn("%s", fmd_error_message());
    return st;
}

fmd_status fmd_sweep_train(fmd_sweep *s)
{
    for (size_t i = 0; i < s->n_runs; i++)
        FMD_TRY(train(s, &s->runs[i]));
    return FMD_OK;
}

/* The metrics of the epoch whose weights were kept, from history.csv. */
static fmd_status read_metrics(const fmd_sweep *s, fmd_sweep_run *r, double epoch)
{
    char path[FMD_SWEEP_PATH];
    fmd_history history;
    FMD_TRY(
        fmd_history_read(&history, fmd_sweep_path(s, path, "runs/%s/" FMD_FILE_HISTORY, r->name)));
    if (epoch >= 1 && epoch <= (double)history.n) {
        const fmd_metrics *m = &history.epochs[(size_t)epoch - 1].metrics;
        const double *metric = fmd_metric_find(m, s->metric);
        r->metric = metric != NULL ? *metric : (double)NAN;
        r->other = *fmd_metric_find(m, s->other);
    }
    fmd_history_free(&history);
    return FMD_OK;
}

static fmd_status read_run(const fmd_sweep *s, fmd_sweep_run *r)
{
    char path[FMD_SWEEP_PATH];
    fmd_json *record;
    r->metric = r->other = r->test_accuracy = r->seconds = (double)NAN;
    FMD_TRY(read_state(s, r));
    if (r->state != FMD_SWEEP_DONE)
        return FMD_OK;
    FMD_TRY(fmd_json_read(&record, fmd_sweep_path(s, path, "runs/%s/" FMD_FILE_RECORD, r->name)));
    r->test_accuracy = fmd_json_get_real(record, FMD_KEY_RESULT, FMD_KEY_TEST_ACCURACY);
    r->seconds = fmd_json_get_real(record, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS);
    const double epoch = fmd_json_get_real(record, FMD_KEY_RESULT, FMD_KEY_WEIGHTS_EPOCH);
    fmd_json_destroy(record);
    return read_metrics(s, r, epoch);
}

static fmd_stats stats_of(const fmd_sweep *s, const fmd_sweep_setting *g, size_t member,
                          double *values)
{
    size_t n = 0;
    for (size_t i = g->first; i < g->first + g->runs; i++) {
        const double value = *(const double *)((const char *)&s->runs[i] + member);
        if (s->runs[i].state == FMD_SWEEP_DONE && !isnan(value))
            values[n++] = value;
    }
    return fmd_stats_of(values, n);
}

/* Only settings whose runs are all done can be the best. The metric of others would be that of the
 * seeds that went well. */
static bool can_win(const fmd_sweep_setting *g)
{
    return g->done == g->runs && !isnan(g->metric.mean);
}

/* Whether two means over seeds differ by less than two standard errors of their difference. */
static bool is_close(const fmd_sweep_setting *a, const fmd_sweep_setting *b)
{
    const double error = sqrt(a->metric.stddev * a->metric.stddev / (double)a->done +
                              b->metric.stddev * b->metric.stddev / (double)b->done);
    return a->done > 1 && b->done > 1 && fabs(a->metric.mean - b->metric.mean) < 2 * error;
}

static void choose(fmd_sweep *s)
{
    s->best = SIZE_MAX;
    for (size_t i = 0; i < s->n_settings; i++)
        if (can_win(&s->settings[i]) &&
            (s->best == SIZE_MAX ||
             fmd_metric_better(s->metric, FMD_MODE_AUTO, 0, s->settings[i].metric.mean,
                               s->settings[s->best].metric.mean)))
            s->best = i;
    for (size_t i = 0; i < s->n_settings; i++)
        s->settings[i].close = s->best != SIZE_MAX && i != s->best && can_win(&s->settings[i]) &&
                               is_close(&s->settings[i], &s->settings[s->best]);
}

fmd_status fmd_sweep_collect(fmd_sweep *s, size_t *n_done)
{
    double *values = calloc(FMD_SWEEP_RUNS, sizeof *values);
    if (values == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the results of a sweep");
    fmd_status st = FMD_OK;
    *n_done = 0;
    for (size_t i = 0; i < s->n_runs && st == FMD_OK; i++) {
        st = read_run(s, &s->runs[i]);
        *n_done += s->runs[i].state == FMD_SWEEP_DONE;
    }
    for (size_t i = 0; i < s->n_settings && st == FMD_OK; i++) {
        fmd_sweep_setting *g = &s->settings[i];
        g->done = 0;
        for (size_t k = g->first; k < g->first + g->runs; k++)
            g->done += s->runs[k].state == FMD_SWEEP_DONE;
        g->metric = stats_of(s, g, offsetof(fmd_sweep_run, metric), values);
        g->other = stats_of(s, g, offsetof(fmd_sweep_run, other), values);
        g->test_accuracy = stats_of(s, g, offsetof(fmd_sweep_run, test_accuracy), values);
        g->seconds = stats_of(s, g, offsetof(fmd_sweep_run, seconds), values);
    }
    free(values);
    if (st == FMD_OK)
        choose(s);
    return st;
}
