#include "run/follow.h"

#include "base/mem.h"
#include "io/run_lock.h"
#include "io/run_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = FMD_PATH_BYTES + 64 };

/* Seconds without a line before a remark; and, where the lock cannot be seen, before the run counts
 * as dead. There is a line every 10 seconds, unless steps are longer. */
static const double silence = 30, absence = 120;

static const char *file_of(const fmd_follow *r, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", r->folder, name);
    return path;
}

static double number(const fmd_json *line, const char *key)
{
    const double value = fmd_json_get_real(line, NULL, key);
    return isnan(value) ? 0 : value;
}

/* Removes the events from `step` on, which a resumed run repeats. */
static void cut(fmd_follow *r, double step)
{
    while (r->n_losses > 0 && r->losses[r->n_losses - 1].step > step)
        r->n_losses--;
    while (r->n_epochs > 0 && number(r->epochs[r->n_epochs - 1], FMD_KEY_GLOBAL_STEP) > step)
        fmd_json_destroy(r->epochs[--r->n_epochs]);
    r->epoch = r->n_epochs > 0 ? r->epochs[r->n_epochs - 1] : NULL;
}

/* Replaces the line in *place; the lines of epochs belong to `epochs`. */
static void keep(fmd_json **place, fmd_json *line)
{
    fmd_json_destroy(*place);
    *place = line;
}

static fmd_status add_loss(fmd_follow *r, const fmd_json *line)
{
    fmd_follow_loss *more = realloc(r->losses, (r->n_losses + 1) * sizeof *more);
    if (more == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the losses of '%s'", r->folder);
    r->losses = more;
    more[r->n_losses++] = (fmd_follow_loss){number(line, FMD_KEY_GLOBAL_STEP),
                                            fmd_json_get_real(line, NULL, FMD_KEY_LOSS)};
    return FMD_OK;
}

static fmd_status add_epoch(fmd_follow *r, fmd_json *line)
{
    fmd_json **more = realloc(r->epochs, (r->n_epochs + 1) * sizeof(fmd_json *));
    if (more == NULL) {
        fmd_json_destroy(line);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the epochs of '%s'", r->folder);
    }
    r->epochs = more;
    more[r->n_epochs++] = line;
    r->epoch = line;
    return FMD_OK;
}

/* Adds one line; skips lines that are not events. */
static fmd_status take(fmd_follow *r, const char *text, size_t bytes)
{
    fmd_json *line = NULL, *again = NULL;
    if (fmd_json_parse(&line, text, bytes, FMD_FILE_EVENTS) != FMD_OK)
        return FMD_OK;
    const char *type = fmd_json_get_text(line, NULL, FMD_KEY_TYPE);
    type = type != NULL ? type : "";
    keep(&r->end, NULL);
    if (strcmp(type, FMD_EVENT_START) == 0 || strcmp(type, FMD_EVENT_RESUME) == 0) {
        cut(r, number(line, FMD_KEY_GLOBAL_STEP));
        keep(&r->place, NULL);
        keep(&r->head, line);
        return FMD_OK;
    }
    if (strcmp(type, FMD_EVENT_END) == 0) {
        keep(&r->end, line);
        return FMD_OK;
    }
    const bool epoch = strcmp(type, FMD_EVENT_EPOCH) == 0;
    fmd_status st = FMD_OK;
    if (epoch || strcmp(type, FMD_EVENT_STEP) == 0)
        st = add_loss(r, line);
    if (st == FMD_OK && epoch && fmd_json_parse(&again, text, bytes, FMD_FILE_EVENTS) == FMD_OK)
        st = add_epoch(r, again);
    if (epoch || strcmp(type, FMD_EVENT_STEP) == 0)
        keep(&r->place, line);
    else
        fmd_json_destroy(line);
    return st;
}

static void forget(fmd_follow *r)
{
    cut(r, -(double)INFINITY);
    keep(&r->head, NULL);
    keep(&r->place, NULL);
    keep(&r->end, NULL);
    r->read = 0;
}

/* Reads the complete lines that are new. */
static fmd_status read_lines(fmd_follow *r, int fd, const char *path, off_t size)
{
    const size_t bytes = (size_t)(size - r->read);
    char *text = NULL;
    fmd_status st = FMD_OK;
    FMD_TRY(fmd_alloc(&text, bytes + 1, 1, path));
    const ssize_t n = pread(fd, text, bytes, r->read);
    if (n < 0)
        st = FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
    char *at = text, *end;
    const char *behind = text + (n > 0 ? n : 0);
    while (st == FMD_OK && (end = memchr(at, '\n', (size_t)(behind - at))) != NULL) {
        st = take(r, at, (size_t)(end - at));
        at = end + 1;
    }
    r->read += at - text;
    free(text);
    return st;
}

/* Reads on in events.jsonl; *age: seconds since it was written. */
static fmd_status read_log(fmd_follow *r, double *age)
{
    char path[PATH_BYTES];
    struct stat s;
    *age = 0;
    const int fd = open(file_of(r, FMD_FILE_EVENTS, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && stat(file_of(r, FMD_FILE_GENERATION, path), &s) == 0)
        return FMD_OK; /* a run that has not started to train */
    if (fd < 0)
        return FMD_FAIL(FMD_ENOINPUT, "no run in '%s': cannot open events.jsonl: %s", r->folder,
                        strerror(errno));
    fmd_status st = FMD_OK;
    if (fstat(fd, &s) != 0)
        st = FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
    if (st == FMD_OK && s.st_size < r->read)
        forget(r); /* another file */
    if (st == FMD_OK && s.st_size > r->read)
        st = read_lines(r, fd, path, s.st_size);
    if (st == FMD_OK)
        *age = fmax(difftime(time(NULL), s.st_mtime), 0);
    close(fd);
    return st;
}

/* Finds the newest checkpoint. The log does not have those of ranks whose job died. */
static void find_saved(fmd_follow *r)
{
    static const char prefix[] = "step-", suffix[] = ".weights.h5";
    char path[PATH_BYTES + sizeof r->saved];
    struct stat s;
    DIR *folder = opendir(file_of(r, FMD_FILE_CHECKPOINTS, path));
    const struct dirent *entry;
    r->saved[0] = '\0';
    r->saved_step = 0;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const char *digits = entry->d_name + sizeof prefix - 1;
        char *end;
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) != 0 ||
            strlen(entry->d_name) >= sizeof r->saved)
            continue;
        const double step = (double)strtoull(digits, &end, 10);
        if (end == digits || strcmp(end, suffix) != 0 || step < r->saved_step ||
            fstatat(dirfd(folder), entry->d_name, &s, 0) != 0)
            continue;
        memcpy(r->saved, entry->d_name, strlen(entry->d_name) + 1);
        r->saved_step = step;
        r->saved_time = s.st_mtime;
    }
    if (folder != NULL)
        closedir(folder);
}

/* How the run ended: by its last line, or by STATUS.json if the disk was too full for the line. */
static bool judge_end(fmd_follow *r)
{
    char path[PATH_BYTES];
    fmd_json *status = NULL;
    const fmd_json *last = r->end;
    if (last == NULL && fmd_json_read(&status, file_of(r, FMD_FILE_STATUS, path)) == FMD_OK)
        last = status;
    const char *state = last != NULL ? fmd_json_get_text(last, NULL, FMD_KEY_STATE) : NULL;
    const char *message = last != NULL ? fmd_json_get_text(last, NULL, FMD_KEY_MESSAGE) : NULL;
    const bool ended = state != NULL && strcmp(state, FMD_RUN_RUNNING) != 0;
    if (ended) {
        int n = snprintf(r->verdict, sizeof r->verdict, "%s, exit code %.0f", state,
                         number(last, FMD_KEY_EXIT_CODE));
        if (message != NULL && *message != '\0')
            n += snprintf(r->verdict + n, sizeof r->verdict - (size_t)n, ": %.1000s", message);
        const double accuracy = fmd_json_get_real(last, NULL, FMD_KEY_TEST_ACCURACY);
        if (!isnan(accuracy))
            snprintf(r->verdict + n, sizeof r->verdict - (size_t)n,
                     " · test loss %.4f · accuracy %.4f",
                     fmd_json_get_real(last, NULL, FMD_KEY_TEST_LOSS), accuracy);
        r->state = FMD_FOLLOW_ENDED;
    }
    fmd_json_destroy(status);
    return ended;
}

/* Whether `owner` runs on this host, where its lock is visible. */
static bool is_here(const char *owner)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const char *at = strstr(owner, " on ");
    const size_t n = strlen(host);
    return at != NULL && strncmp(at + 4, host, n) == 0 && (at[4 + n] == '\0' || at[4 + n] == ',');
}

static void judge(fmd_follow *r, bool held, const char *owner, double age)
{
    const bool quiet = age >= silence;
    if (!held && judge_end(r))
        return;
    if (!held && (*owner == '\0' || is_here(owner) || age >= absence)) {
        r->state = FMD_FOLLOW_DIED;
        snprintf(r->verdict, sizeof r->verdict, "died: %s is gone and wrote no final event",
                 *owner != '\0' ? owner : "its process");
    } else if (quiet) {
        r->state = FMD_FOLLOW_IS_SILENT;
        snprintf(r->verdict, sizeof r->verdict, "nothing written for %.0f s, but %s %s", age, owner,
                 held ? "holds the run" : "may still be at it: its lock is not seen from here");
    } else {
        r->state = FMD_FOLLOW_RUNS;
        snprintf(r->verdict, sizeof r->verdict, "running, %s", owner);
    }
}

fmd_status fmd_follow_read(fmd_follow *r)
{
    char owner[FMD_RUN_LOCK_OWNER];
    double age;
    /* The order matters: a process that ends writes its last line before it releases the lock. */
    const bool held = fmd_run_lock_is_held(r->folder);
    fmd_run_lock_owner(r->folder, owner);
    FMD_TRY(read_log(r, &age));
    find_saved(r);
    judge(r, held, owner, age);
    return FMD_OK;
}

void fmd_follow_free(fmd_follow *r)
{
    forget(r);
    free(r->epochs);
    free(r->losses);
}

fmd_status fmd_follow_newest(char folder[FMD_PATH_BYTES])
{
    char path[PATH_BYTES + 256];
    struct timespec newest = {0};
    DIR *runs = opendir("runs");
    const struct dirent *entry;
    *folder = '\0';
    while (runs != NULL && (entry = readdir(runs)) != NULL) {
        struct stat s;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "runs/%s/" FMD_FILE_EVENTS, entry->d_name);
        if (stat(path, &s) != 0) {
            snprintf(path, sizeof path, "runs/%s/" FMD_FILE_GENERATION, entry->d_name);
            if (stat(path, &s) != 0)
                continue;
        }
        const bool newer = s.st_mtim.tv_sec != newest.tv_sec ? s.st_mtim.tv_sec > newest.tv_sec
                                                             : s.st_mtim.tv_nsec > newest.tv_nsec;
        if (!newer)
            continue;
        newest = s.st_mtim;
        snprintf(folder, FMD_PATH_BYTES, "runs/%s", entry->d_name);
    }
    if (runs != NULL)
        closedir(runs);
    if (*folder == '\0')
        return FMD_FAIL(FMD_ENOINPUT, "no run in runs/: name the folder of a run");
    return FMD_OK;
}

const char *fmd_follow_example(char folder[FMD_PATH_BYTES])
{
    if (fmd_follow_newest(folder) != FMD_OK)
        snprintf(folder, FMD_PATH_BYTES, "runs/20260131-120000");
    return folder;
}
