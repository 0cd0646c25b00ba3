#include "train/checkpointer.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "io/atomic_file.h"
#include "io/run_names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/* How the file begins by which a rank claims an emergency checkpoint. */
#define FMD_EMERGENCY_CLAIM ".emergency-"

enum { PATH_BYTES = 1200, NAME_BYTES = 64, STEP_DIGITS = 10, MAX_FAILURES = 3, EMERGENCIES = 2 };
static const char prefix[] = "step-", suffix[] = ".weights.h5", best_name[] = FMD_FILE_BEST;

/* The share of a run's time that automatic checkpoints may cost; the assumed seconds of the
 * first. */
static const double auto_share = 0.01, first_cost = 0.01;

struct fmd_checkpointer {
    fmd_checkpointer_args args;
    double best;        /* of the monitored metric; NAN: none yet */
    uint64_t best_step; /* of best.weights.h5; 0: there is none */
    int written, failures;
    uint64_t last_step; /* of the newest file that this process wrote; valid if written > 0 */
    double seconds, last_cost, last_time;
};

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
    s->last_time = fmd_now();
    *out = s;
    return FMD_OK;
}

void fmd_checkpointer_destroy(fmd_checkpointer *s)
{
    free(s);
}

bool fmd_checkpointer_due_by_step(const fmd_checkpointer *s, uint64_t step)
{
    return s->args.kind == FMD_SAVE_STEPS && step % (uint64_t)s->args.every == 0;
}

bool fmd_checkpointer_due_by_time(const fmd_checkpointer *s)
{
    return s->args.kind == FMD_SAVE_SECONDS && fmd_now() - s->last_time >= s->args.every;
}

bool fmd_checkpointer_due_by_epoch(const fmd_checkpointer *s)
{
    return s->args.kind == FMD_SAVE_EPOCH ||
           (s->args.kind == FMD_SAVE_AUTO &&
            (fmd_now() - s->last_time) * auto_share >= s->last_cost);
}

static const char *file_path(const fmd_checkpointer *s, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/" FMD_FILE_CHECKPOINTS "/%s", s->args.run_folder, name);
    return path;
}

static const char *step_name(uint64_t step, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s%0*" PRIu64 "%s", prefix, STEP_DIGITS, step, suffix);
    return name;
}

static int is_step_file(const struct dirent *entry)
{
    const size_t digits =
        strspn(entry->d_name + strnlen(entry->d_name, sizeof prefix - 1), "0123456789");
    return strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 && digits >= STEP_DIGITS &&
           strcmp(entry->d_name + sizeof prefix - 1 + digits, suffix) == 0;
}

/* A damaged file that was set aside. */
static int is_bad_file(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);
    return strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0 && n > 4 &&
           strcmp(entry->d_name + n - 4, ".bad") == 0;
}

static int is_remains(const struct dirent *entry)
{
    static const char claim[] = FMD_EMERGENCY_CLAIM;
    return strstr(entry->d_name, ".tmp-") != NULL ||
           strncmp(entry->d_name, claim, sizeof claim - 1) == 0;
}

/* The names that `filter` accepts, newest step first; released by free_names. -1 and errno. */
static int list_names(const fmd_checkpointer *s, int (*filter)(const struct dirent *),
                      struct dirent ***names)
{
    char path[PATH_BYTES];
    const int n = scandir(file_path(s, "", path), names, filter, alphasort);
    for (int i = 0; i < n / 2; i++) {
        struct dirent *swap = (*names)[i];
        (*names)[i] = (*names)[n - 1 - i];
        (*names)[n - 1 - i] = swap;
    }
    return n;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n > 0)
        free(names);
}

/* The folder may be moved, and its name be another run's, at any moment: so this check precedes
 * each change. */
static fmd_status check_folder(const void *self)
{
    const fmd_checkpointer *s = self;
    return fmd_run_lock_check(&s->args.lock, s->args.run_folder);
}

/* Deletes all step files but the newest `keep`. */
static void prune(const fmd_checkpointer *s, int64_t keep)
{
    char path[PATH_BYTES];
    struct dirent **names = NULL;
    const int n = list_names(s, is_step_file, &names);
    for (int i = n - 1; i >= keep && i >= 1 && check_folder(s) == FMD_OK; i--)
        unlink(file_path(s, names[i]->d_name, path));
    free_names(names, n);
}

/* Replaces the link atomically, after the file has been synced. */
static void link_latest(const fmd_checkpointer *s, const char *name)
{
    char temp[PATH_BYTES], path[PATH_BYTES];
    file_path(s, FMD_FILE_LATEST ".tmp-link", temp);
    file_path(s, FMD_FILE_LATEST, path);
    if (check_folder(s) != FMD_OK)
        return; /* the next write reports it */
    unlink(temp);
    if (symlink(name, temp) != 0 || rename(temp, path) != 0)
        fmd_warn("cannot link '%s': %s", path, strerror(errno));
}

/* Whether the disk has less space than the newest checkpoint needs. */
static bool is_full(const fmd_checkpointer *s)
{
    char path[PATH_BYTES];
    struct stat newest;
    struct statvfs disk;
    return stat(file_path(s, FMD_FILE_LATEST, path), &newest) == 0 &&
           statvfs(file_path(s, "", path), &disk) == 0 &&
           (double)disk.f_bavail * (double)disk.f_frsize < (double)newest.st_size;
}

static fmd_status write_file(const fmd_checkpointer *s, const char *name, const fmd_state *state)
{
    char path[PATH_BYTES];
    fmd_state checked = *state;
    checked.check = check_folder;
    checked.check_self = s;
    return fmd_checkpoint_write(file_path(s, name, path), &checked);
}

fmd_status fmd_checkpointer_write(fmd_checkpointer *s, const fmd_state *state)
{
    char name[NAME_BYTES];
    const double start = fmd_now();
    step_name(state->step, name);
    fmd_status st = write_file(s, name, state);
    if (st == FMD_EIO && is_full(s)) {
        prune(s, 1);
        st = write_file(s, name, state);
    }
    s->last_time = fmd_now();
    s->last_cost = s->last_time - start;
    s->seconds += s->last_cost;
    if (st == FMD_EBUSY)
        return st;
    if (st != FMD_OK) {
        if (++s->failures >= MAX_FAILURES) {
            char last[FMD_ERROR_BYTES];
            snprintf(last, sizeof last, "%s", fmd_error_message());
            return FMD_FAIL(FMD_EIO, "%d checkpoints in a row failed: %.800s", s->failures, last);
        }
        fmd_warn("%s; training continues, and the next checkpoint is another try",
                 fmd_error_message());
        return FMD_OK;
    }
    s->failures = 0;
    s->written++;
    s->last_step = state->step;
    link_latest(s, name);
    prune(s, s->args.keep);
    return FMD_OK;
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
    const double start = fmd_now();
    fmd_status st = write_file(s, best_name, state);
    s->seconds += fmd_now() - start;
    if (st == FMD_EIO) {
        fmd_warn("%s; training continues", fmd_error_message());
        return FMD_OK;
    }
    s->best_step = state->step;
    return st;
}

/* Gives the newest step file a second name, which takes no space. false: some file systems have no
 * hard links. */
static bool link_final(const fmd_checkpointer *s, uint64_t step)
{
    char name[NAME_BYTES], source[PATH_BYTES], temp[PATH_BYTES], path[PATH_BYTES];
    file_path(s, step_name(step, name), source);
    file_path(s, FMD_FILE_FINAL ".tmp-link", temp);
    file_path(s, FMD_FILE_FINAL, path);
    unlink(temp);
    if (link(source, temp) != 0)
        return false;
    /* rename() keeps both names if they are links to the same file already. */
    const bool done = rename(temp, path) == 0;
    unlink(temp);
    return done;
}

fmd_status fmd_checkpointer_write_final(const fmd_checkpointer *s, const fmd_state *state,
                                        bool replaced)
{
    FMD_TRY(check_folder(s));
    if (!replaced && s->written > 0 && s->last_step == state->step && link_final(s, state->step))
        return FMD_OK;
    fmd_status st = write_file(s, FMD_FILE_FINAL, state);
    if (st == FMD_EIO && is_full(s)) {
        prune(s, 1);
        st = write_file(s, FMD_FILE_FINAL, state);
    }
    return st;
}

fmd_state_entry fmd_checkpointer_entry(fmd_checkpointer *s)
{
    return (fmd_state_entry){"best", FMD_STATE_F64, 1, &s->best, -DBL_MAX, DBL_MAX, true};
}

/* One surviving rank writes. If mpirun ends it too early, a second one has time to try. Several may
 * write at once: they write the same bytes and rename them. */
void fmd_checkpointer_emergency(fmd_checkpointer *s, const fmd_state *state)
{
    const struct timespec turn = {.tv_nsec = 250000000};
    char name[NAME_BYTES], path[PATH_BYTES], claim[NAME_BYTES];
    step_name(state->step, name);
    for (int i = 0; i < EMERGENCIES; i++) {
        if (i > 0)
            nanosleep(&turn, NULL);
        if (access(file_path(s, name, path), F_OK) == 0)
            return;
        snprintf(claim, sizeof claim, FMD_EMERGENCY_CLAIM "%" PRIu64 "-%d", state->step, i);
        const int fd =
            open(file_path(s, claim, path), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0)
            continue;
        close(fd);
        if (write_file(s, name, state) == FMD_OK)
            link_latest(s, name);
        unlink(file_path(s, claim, path));
        return;
    }
}

static void delete_remains(const fmd_checkpointer *s)
{
    char path[PATH_BYTES];
    struct dirent **names = NULL;
    const int n = list_names(s, is_remains, &names);
    for (int i = 0; i < n; i++)
        unlink(file_path(s, names[i]->d_name, path));
    free_names(names, n);
}

/* Keeps a damaged file for inspection, under a name that is never loaded. */
static void set_aside(const char *path)
{
    char bad[PATH_BYTES + 8];
    snprintf(bad, sizeof bad, "%s.bad", path);
    fmd_warn("%s; set aside as %s", fmd_error_message(), strrchr(bad, '/') + 1);
    if (rename(path, bad) != 0)
        fmd_warn("cannot rename '%s': %s", path, strerror(errno));
}

/* Whether the file holds the step in its name. */
static fmd_status check_name(const char *path, const char *name)
{
    uint64_t step;
    FMD_TRY(fmd_checkpoint_verify(path, &step));
    const uint64_t named = strtoull(name + sizeof prefix - 1, NULL, 10);
    if (step != named)
        return FMD_FAIL(FMD_EDATA, "'%s' was written after step %" PRIu64, path, step);
    return FMD_OK;
}

fmd_status fmd_checkpointer_load(fmd_checkpointer *s,
                                 fmd_status (*read)(void *self, const char *path), void *self,
                                 bool *found)
{
    char path[PATH_BYTES];
    struct dirent **names = NULL;
    fmd_status st = FMD_OK;
    *found = false;
    delete_remains(s);
    const int n = list_names(s, is_step_file, &names);
    if (n < 0)
        return FMD_FAIL(FMD_EIO, "cannot read the folder '%s/checkpoints': %s", s->args.run_folder,
                        strerror(errno));
    int bad = 0;
    for (int i = 0; i < n && !*found; i++) {
        file_path(s, names[i]->d_name, path);
        st = check_name(path, names[i]->d_name);
        if (st == FMD_OK)
            st = read(self, path);
        if (st == FMD_EDATA) {
            set_aside(path);
            bad++;
            continue;
        }
        if (st != FMD_OK)
            break;
        *found = true;
        link_latest(s, names[i]->d_name);
    }
    free_names(names, n);
    if (n == 0) { /* all files were set aside at an earlier start */
        bad = list_names(s, is_bad_file, &names);
        free_names(names, bad);
        st = bad > 0 ? FMD_EDATA : FMD_OK;
    }
    if (st == FMD_EDATA)
        return FMD_FAIL(FMD_EDATA,
                        "none of the %d checkpoints in '%s/checkpoints' is intact: to start anew, "
                        "name another --run-dir",
                        bad, s->args.run_folder);
    return st;
}

/* Whether the file was written by a run like that of `state`, after `step`. */
static bool is_of_step(const char *path, const fmd_state *state, uint64_t step)
{
    fmd_checkpoint_contents c;
    if (access(path, F_OK) != 0 || fmd_checkpoint_read_contents(path, &c) != FMD_OK)
        return false;
    char list[FMD_ERROR_BYTES];
    const bool is = c.step == step && fmd_fingerprint_compare(&c, state->fingerprint,
                                                              state->n_fingerprint, list) == 0;
    fmd_checkpoint_free_contents(&c);
    return is;
}

/* Copies the weights after `step` from best.weights.h5 or a step file in the folder of `from`. */
static bool copy_best(const fmd_checkpointer *s, const fmd_state *state, uint64_t step,
                      const char *from)
{
    char name[NAME_BYTES], source[PATH_BYTES], path[PATH_BYTES];
    const char *const names[] = {best_name, step_name(step, name)};
    const char *slash = strrchr(from, '/');
    const int folder = slash == NULL ? 0 : (int)(slash + 1 - from);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *data;
        size_t bytes;
        snprintf(source, sizeof source, "%.*s%s", folder, from, names[i]);
        if (!is_of_step(source, state, step) ||
            fmd_atomic_file_read(&data, &bytes, source) != FMD_OK)
            continue;
        const fmd_status st = fmd_atomic_file_write_checked(file_path(s, best_name, path), data,
                                                            bytes, check_folder, s);
        free(data);
        if (st == FMD_OK)
            return true;
        fmd_warn("%s", fmd_error_message());
    }
    return false;
}

void fmd_checkpointer_recall(fmd_checkpointer *s, const fmd_state *state,
                             const fmd_metrics *history, size_t n, uint64_t epoch_steps,
                             const char *from)
{
    char path[PATH_BYTES], own[PATH_BYTES];
    uint64_t found;
    int best = -1;
    s->best = (double)NAN;
    for (size_t i = 0; s->args.best && i < n; i++) {
        const double value = *fmd_metric_find(&history[i], s->args.monitor);
        if (!fmd_metric_is_best(s->args.monitor, s->args.mode, value, s->best))
            continue;
        best = (int)i;
        s->best = value;
    }
    if (best < 0)
        return;
    const uint64_t step = (uint64_t)(best + 1) * epoch_steps;
    if (is_of_step(file_path(s, best_name, path), state, step) ||
        copy_best(s, state, step, from != NULL ? from : file_path(s, "", own)) ||
        (state->step == step && write_file(s, best_name, state) == FMD_OK)) {
        s->best_step = step;
        return;
    }
    /* A file of a later step belongs to epochs that are trained again. */
    if (fmd_checkpoint_verify(path, &found) == FMD_OK && found <= state->step)
        unlink(path);
    fmd_warn("epoch %d is the best so far by %s, %.6g, but its weights were not kept: the next "
             "better epoch writes best.weights.h5",
             best + 1, s->args.monitor, s->best);
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

double fmd_checkpointer_last(const fmd_checkpointer *s, uint64_t step,
                             char file[FMD_CHECKPOINTER_FILE_BYTES])
{
    char name[NAME_BYTES];
    snprintf(file, FMD_CHECKPOINTER_FILE_BYTES, "checkpoints/%s", step_name(step, name));
    return s->last_cost;
}
