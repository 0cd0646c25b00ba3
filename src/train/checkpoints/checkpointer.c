#include "train/checkpoints/checkpointer_private.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "io/run_names.h"
#include "train/checkpoints/node_copy.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = FMD_STEP_FILES_PATH, NAME_BYTES = FMD_STEP_FILES_NAME, MAX_FAILURES = 3 };
static const char best_name[] = FMD_FILE_BEST;

/* The share of a run's time that automatic checkpoints may cost; the assumed seconds of the
 * first. */
static const double auto_share = 0.01, first_cost = 0.01;

fmd_status fmd_save_freq_parse(const char *freq, fmd_save_kind *kind, double *every)
{
    static const fmd_option
        steps = {.name = "save-freq", .kind = FMD_OPTION_FLOAT, .min = 1, .max = 1e9},
        seconds = {.name = "save-freq", .kind = FMD_OPTION_DURATION, .min = 0.001, .max = 1e9};
    const size_t length = strlen(freq);
    *every = 0;
    if (strcmp(freq, "auto") == 0) {
        *kind = FMD_SAVE_AUTO;
        return FMD_OK;
    }
    if (strcmp(freq, "epoch") == 0) {
        *kind = FMD_SAVE_EPOCH;
        return FMD_OK;
    }
    if (length > 0 && strspn(freq, "0123456789") == length) {
        *kind = FMD_SAVE_STEPS;
        return fmd_option_set(&steps, every, "--save-freq", freq);
    }
    *kind = FMD_SAVE_SECONDS;
    if (length == 0 || !isdigit((unsigned char)*freq) ||
        fmd_option_set(&seconds, every, "--save-freq", freq) != FMD_OK)
        return FMD_FAIL(FMD_EUSAGE,
                        "--save-freq: '%s' is not auto, epoch, a number of steps or a time such as "
                        "30s",
                        freq);
    return FMD_OK;
}

fmd_status fmd_checkpointer_create(fmd_checkpointer **out, const fmd_checkpointer_args *args)
{
    fmd_checkpointer *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "the checkpoints"));
    *s = (fmd_checkpointer){.args = *args, .best = (double)NAN, .last_cost = first_cost};
    s->files = (fmd_step_files){.run_folder = args->run_folder, .lock = args->lock};
    s->last_time = fmd_now();
    const fmd_status st = fmd_background_create(&s->thread);
    if (st == FMD_OK)
        *out = s;
    else
        free(s);
    return st;
}

void fmd_checkpointer_destroy(fmd_checkpointer *s)
{
    if (s != NULL)
        fmd_background_destroy(s->thread);
    free(s);
}

bool fmd_checkpointer_due_by_step(const fmd_checkpointer *s, uint64_t step)
{
    return s->args.kind == FMD_SAVE_STEPS && step % (uint64_t)s->args.every == 0;
}

/* The thread has failed for good: what is next is not another try. */
static bool has_failed(const fmd_checkpointer *s)
{
    const fmd_status st = s->pending && fmd_background_is_idle(s->thread) ? s->job.status : FMD_OK;
    return st == FMD_EBUSY || (st != FMD_OK && s->job.keep > 0 && s->failures + 1 >= MAX_FAILURES);
}

bool fmd_checkpointer_due_by_time(const fmd_checkpointer *s)
{
    return has_failed(s) ||
           (s->args.kind == FMD_SAVE_SECONDS && fmd_now() - s->last_time >= s->args.every &&
            fmd_background_is_idle(s->thread));
}

bool fmd_checkpointer_due_by_epoch(const fmd_checkpointer *s)
{
    return s->args.kind == FMD_SAVE_EPOCH ||
           (s->args.kind == FMD_SAVE_AUTO && fmd_background_is_idle(s->thread) &&
            (fmd_now() - s->last_time) * auto_share >= s->last_cost);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Until a slow write has ended, the copy is the newest state of the run that is sure to outlive it. */
static void copy_to_node(fmd_checkpoint_job *j)
{
    const int fd = j->slow ? fmd_node_copy_claim(&j->files.lock, j->image.step) : -1;
    if (fd < 0)
        return;
    fmd_checkpoint_seal(&j->image);
    fmd_node_copy_fill(fd, &j->files.lock, &j->image);
}

/* In the writing thread. No HDF5, no MPI, no output. */
static void write_job(void *self)
{
    fmd_checkpoint_job *j = self;
    const double begun = fmd_now(), cpu = cpu_seconds();
    j->linked = FMD_OK;
    if (j->keep == 0) {
        j->status = fmd_step_files_store(&j->files, j->name, &j->image);
    } else {
        copy_to_node(j);
        j->status = fmd_step_files_store_or_prune(&j->files, j->name, &j->image);
        if (j->status == FMD_OK) {
            fmd_node_copy_remove(&j->files.lock, j->image.step);
            j->linked = fmd_step_files_link_latest(&j->files, j->name);
            fmd_step_files_prune(&j->files, j->keep);
        }
    }
    if (j->status != FMD_OK || j->linked != FMD_OK)
        snprintf(j->message, sizeof j->message, "%s", fmd_error_message());
    free(j->image.data);
    j->seconds = fmd_now() - begun;
    j->cpu = cpu_seconds() - cpu;
}

/* A file of a step: only the third failure in a row ends the training. */
static fmd_status judge_step(fmd_checkpointer *s, const fmd_checkpoint_job *j)
{
    if (j->status == FMD_EBUSY)
        return FMD_FAIL(j->status, "%s", j->message);
    if (j->status != FMD_OK) {
        if (++s->failures >= MAX_FAILURES)
            return FMD_FAIL(FMD_EIO, "%d checkpoints in a row failed: %.800s", s->failures,
                            j->message);
        fmd_warn("%s; training continues, and the next checkpoint is another try", j->message);
        return FMD_OK;
    }
    if (j->linked != FMD_OK)
        fmd_warn("%s", j->message);
    s->failures = 0;
    s->written++;
    s->last_step = j->image.step;
    s->last_seconds = j->waited + j->seconds;
    s->untold = true;
    fmd_checkpointer_foresee(s);
    return FMD_OK;
}

static fmd_status judge_best(fmd_checkpointer *s, const fmd_checkpoint_job *j)
{
    if (j->status == FMD_EBUSY)
        return FMD_FAIL(j->status, "%s", j->message);
    if (j->status != FMD_OK) {
        fmd_warn("%s; training continues", j->message);
        return FMD_OK;
    }
    s->best_step = j->image.step;
    return FMD_OK;
}

fmd_status fmd_checkpointer_settle(fmd_checkpointer *s)
{
    if (!s->pending)
        return FMD_OK;
    const double begun = fmd_now();
    fmd_background_wait(s->thread);
    const double waited = fmd_now() - begun;
    s->pending = false;
    s->seconds += waited;
    if (s->job.keep == 0)
        return judge_best(s, &s->job);
    s->last_cost = s->job.waited + waited + s->job.cpu;
    return judge_step(s, &s->job);
}

void fmd_checkpointer_poll(fmd_checkpointer *s)
{
    if (!s->pending || !fmd_background_is_idle(s->thread) || has_failed(s))
        return;
    const fmd_status st = fmd_checkpointer_settle(s);
    (void)st; /* a failure that is not for good is a warning */
}

/* Copies the state and hands it to the thread. A failure is judged as one of the thread. */
static fmd_status hand_over(fmd_checkpointer *s, const char *name, int64_t keep,
                            const fmd_state *state)
{
    char path[PATH_BYTES];
    FMD_TRY(fmd_checkpointer_settle(s));
    const double begun = fmd_now();
    fmd_checkpoint_job *j = &s->job;
    *j = (fmd_checkpoint_job){.files = s->files, .keep = keep, .slow = s->slow};
    snprintf(j->name, sizeof j->name, "%s", name);
    j->status = fmd_checkpoint_build(&j->image, fmd_step_files_path(&s->files, name, path), state);
    s->pending = true;
    j->waited = fmd_now() - begun;
    s->seconds += j->waited;
    if (j->status == FMD_OK) {
        const fmd_status started = fmd_background_run(s->thread, write_job, j);
        if (started == FMD_OK)
            return FMD_OK;
        free(j->image.data);
        j->status = started;
    }
    snprintf(j->message, sizeof j->message, "%s", fmd_error_message());
    return fmd_checkpointer_settle(s);
}

fmd_status fmd_checkpointer_write(fmd_checkpointer *s, const fmd_state *state)
{
    char name[NAME_BYTES];
    const fmd_status st = hand_over(s, fmd_step_files_name(state->step, name), s->args.keep, state);
    s->last_time = fmd_now();
    return st;
}

fmd_status fmd_checkpointer_write_best(fmd_checkpointer *s, const fmd_state *state,
                                       const fmd_metrics *metrics)
{
    if (!s->args.best)
        return FMD_OK;
    const double value = *fmd_metric_find(metrics, s->args.monitor);
    if (!fmd_metric_is_best(s->args.monitor, s->args.mode, value, s->best))
        return FMD_OK;
    s->best = value;
    return hand_over(s, best_name, 0, state);
}

fmd_status fmd_checkpointer_write_now(const fmd_checkpointer *s, const char *name,
                                      const fmd_state *state,
                                      fmd_status (*store)(const fmd_step_files *, const char *,
                                                          fmd_checkpoint_image *))
{
    char path[PATH_BYTES];
    fmd_checkpoint_image image;
    FMD_TRY(fmd_checkpoint_build(&image, fmd_step_files_path(&s->files, name, path), state));
    const fmd_status st = store(&s->files, name, &image);
    free(image.data);
    return st;
}

/* Gives the newest step file a second name, which takes no space. false: some file systems have no
 * hard links. */
static bool link_final(const fmd_checkpointer *s, uint64_t step)
{
    char name[NAME_BYTES], source[PATH_BYTES], temp[PATH_BYTES], path[PATH_BYTES];
    fmd_step_files_path(&s->files, fmd_step_files_name(step, name), source);
    fmd_step_files_path(&s->files, FMD_FILE_FINAL ".tmp-link", temp);
    fmd_step_files_path(&s->files, FMD_FILE_FINAL, path);
    unlink(temp);
    if (link(source, temp) != 0)
        return false;
    /* rename() keeps both names if they are links to the same file already. */
    const bool done = rename(temp, path) == 0;
    unlink(temp);
    return done;
}

fmd_status fmd_checkpointer_write_final(fmd_checkpointer *s, const fmd_state *state, bool replaced)
{
    FMD_TRY(fmd_checkpointer_settle(s));
    FMD_TRY(fmd_step_files_check(&s->files));
    if (!replaced && s->written > 0 && s->last_step == state->step && link_final(s, state->step))
        return FMD_OK;
    return fmd_checkpointer_write_now(s, FMD_FILE_FINAL, state, fmd_step_files_store_or_prune);
}

fmd_state_entry fmd_checkpointer_entry(fmd_checkpointer *s)
{
    return (fmd_state_entry){"best", FMD_STATE_F64, 1, &s->best, -DBL_MAX, DBL_MAX, true};
}

int fmd_checkpointer_count(const fmd_checkpointer *s)
{
    return s->written;
}

double fmd_checkpointer_seconds(const fmd_checkpointer *s)
{
    return s->seconds;
}

uint64_t fmd_checkpointer_best_step(const fmd_checkpointer *s)
{
    return s->best_step;
}

bool fmd_checkpointer_saved(fmd_checkpointer *s, uint64_t *step, double *seconds,
                            char file[FMD_CHECKPOINTER_FILE_BYTES])
{
    char name[NAME_BYTES];
    if (!s->untold)
        return false;
    s->untold = false;
    *step = s->last_step;
    *seconds = s->last_seconds;
    snprintf(file, FMD_CHECKPOINTER_FILE_BYTES, FMD_FILE_CHECKPOINTS "/%s",
             fmd_step_files_name(s->last_step, name));
    return true;
}
