#include "run/run_folder.h"

#include "base/system/print.h"

#include "base/mem.h"
#include "io/json/json_file.h"
#include "io/json/json_object.h"
#include "io/run_names.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

fmd_status fmd_make_folders(const char *path, const char *what)
{
    char part[FMD_RUN_PATH_BYTES];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1;; c++) {
        const char end = *c;
        if (end != '/' && end != '\0')
            continue;
        *c = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return FMD_FAIL(FMD_EBUSY, "cannot make the %s '%s': %s%s%s", what, path,
                            end == '\0' ? "" : part, end == '\0' ? "" : ": ", strerror(errno));
        if (end == '\0')
            return FMD_OK;
        *c = end;
    }
}

/* runs/20260131-235959, with a number appended if it exists. */
fmd_status fmd_run_folder_make_dated(char path[FMD_PATH_BYTES])
{
    char date[32];
    const time_t now = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", localtime_r(&now, &local));
    FMD_TRY(fmd_make_folders("runs", "run folder"));
    for (int i = 0; i < 1000; i++) {
        if (i == 0)
            snprintf(path, FMD_PATH_BYTES, "runs/%s", date);
        else
            snprintf(path, FMD_PATH_BYTES, "runs/%s-%d", date, i);
        if (mkdir(path, 0777) == 0)
            return FMD_OK;
        if (errno != EEXIST)
            break;
    }
    return FMD_FAIL(FMD_EBUSY, "cannot make the run folder '%s': %s", path, strerror(errno));
}

/* A folder named by the user may contain other files, unless the run would overwrite them. */
static fmd_status check_unused(const fmd_run_folder *f)
{
    static const char *const names[] = {
        FMD_FILE_STATUS, FMD_FILE_CONFIG, FMD_FILE_HISTORY,
        FMD_FILE_EVENTS, FMD_FILE_RECORD, (FMD_FILE_CHECKPOINTS "/" FMD_FILE_FINAL)};
    char path[FMD_RUN_PATH_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (access(fmd_run_folder_file(f, names[i], path), F_OK) == 0)
            return FMD_FAIL(FMD_EBUSY,
                            "the run folder '%s' holds a run already (%s): name another --run-dir, "
                            "or remove it",
                            f->path, names[i]);
    return FMD_OK;
}

/* With --resume none the folder must not hold a run. Otherwise a folder without a generation, e.g.
 * with only a config.json, was not written by this program. --resume FILE applies to the first
 * start only: a requeued job finds checkpoints in the folder and resumes from them. */
static fmd_status check_reuse(const fmd_run_folder *f, const fmd_config *config)
{
    char path[FMD_RUN_PATH_BYTES];
    const bool ours = access(fmd_run_folder_file(f, FMD_FILE_GENERATION, path), F_OK) == 0;
    return ours && strcmp(config->checkpoints.resume, "none") != 0 ? FMD_OK : check_unused(f);
}

/* The options of train, as --config takes them. */
static fmd_status write_config(const fmd_run_folder *f, const fmd_config *config)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_config stored = *config;
    fmd_option *table = NULL;
    size_t n = 0;
    snprintf(stored.run.dir, sizeof stored.run.dir, "auto"); /* another run, another folder */
    snprintf(stored.checkpoints.resume, sizeof stored.checkpoints.resume, "auto");
    fmd_run_folder_file(f, FMD_FILE_CONFIG, path);
    FMD_TRY(fmd_alloc(&table, fmd_config_table_length, sizeof *table, "the options"));
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (fmd_config_has(FMD_TRAIN_GROUPS, &fmd_config_table[i]))
            table[n++] = fmd_config_table[i];
    const fmd_status st = fmd_options_write_json(path, table, n, &stored);
    free(table);
    return st;
}

/* Deletes unfinished files of a killed process, and nothing else, since other files may be
 * there. */
static void delete_remains(const fmd_run_folder *f)
{
    static const char *const names[] = {FMD_FILE_STATUS ".tmp-", FMD_FILE_CONFIG ".tmp-",
                                        FMD_FILE_RECORD ".tmp-"};
    DIR *folder = opendir(f->path);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(entry->d_name, names[i], strlen(names[i])) == 0)
                unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder != NULL)
        closedir(folder);
}

void fmd_run_folder_discard(fmd_run_folder *f)
{
    static const char *const names[] = {FMD_FILE_EVENTS, FMD_FILE_CONFIG, FMD_FILE_GENERATION,
                                        FMD_FILE_LOCK};
    char path[FMD_RUN_PATH_BYTES];
    if (f->path[0] == '\0' || !f->fresh || fmd_run_folder_check(f) != FMD_OK)
        return;
    fmd_run_lock_release(&f->lock);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(fmd_run_folder_file(f, names[i], path));
    rmdir(fmd_run_folder_file(f, FMD_FILE_CHECKPOINTS, path)); /* removes only an empty folder */
    rmdir(f->path);
}

fmd_status fmd_run_folder_create(fmd_run_folder *f, const fmd_config *config)
{
    char path[FMD_RUN_PATH_BYTES];
    bool reused = false;
    struct stat s;
    f->path[0] = '\0';
    if (stat(config->run.dir, &s) == 0 && !S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_EBUSY, "--run-dir: '%s' is a file: name a folder", config->run.dir);
    if (*config->run.dir == '\0')
        return FMD_FAIL(FMD_EUSAGE,
                        "--run-dir: the name is empty: expected a folder, auto or none");
    if (strcmp(config->run.dir, "none") == 0)
        return FMD_OK;
    if (strcmp(config->run.dir, "auto") == 0) {
        FMD_TRY(fmd_run_folder_make_dated(f->path));
    } else {
        memcpy(f->path, config->run.dir, sizeof f->path);
        FMD_TRY(fmd_make_folders(f->path, "run folder"));
        FMD_TRY(check_reuse(f, config));
        reused = access(fmd_run_folder_file(f, FMD_FILE_GENERATION, path), F_OK) == 0;
    }
    fmd_status st =
        fmd_make_folders(fmd_run_folder_file(f, FMD_FILE_CHECKPOINTS, path), "run folder");
    if (st == FMD_OK)
        st = fmd_run_lock_take(&f->lock, f->path);
    if (st == FMD_OK)
        delete_remains(f);
    if (st == FMD_OK && access(fmd_run_folder_file(f, FMD_FILE_CONFIG, path), F_OK) != 0)
        st = write_config(f, config);
    f->fresh = !reused;
    if (st != FMD_OK && st != FMD_EBUSY)
        fmd_run_folder_discard(f);
    return st;
}

typedef struct status_callback {
    fmd_callback base;
    const fmd_run_folder *folder;
    fmd_config config;
} status_callback;

/* Called once a checkpoint, if any, has been read. */
static fmd_status note_running(fmd_callback *c, const fmd_event *e)
{
    const status_callback *s = (const status_callback *)c;
    const uint64_t step = (uint64_t)e->epoch * e->steps + e->step;
    if (step > 0) {
        fmd_print("resume from step %" PRIu64 ": ", step);
        if (e->step > 0)
            fmd_print("epoch %d, step %" PRIu64 " of %" PRIu64 "\n", e->epoch + 1, e->step,
                      e->steps);
        else
            fmd_print("%d of %d epochs done\n", e->epoch, e->epochs);
        fflush(stdout);
    } else if (s->folder->lock.generation > 1) {
        fmd_print("no checkpoint in '%s' yet: training starts anew\n", s->folder->path);
        fflush(stdout);
    }
    if (!s->folder->fresh) /* some options may have changed */
        FMD_TRY(write_config(s->folder, &s->config));
    return fmd_run_folder_status(s->folder, FMD_RUN_RUNNING, FMD_OK, "", step);
}

static void destroy(fmd_callback *c)
{
    free(c);
}

static const fmd_callback_ops ops = {
    .name = "status", .train_begin = note_running, .destroy = destroy};

fmd_status fmd_run_folder_callback(fmd_callback **out, const fmd_run_folder *f,
                                   const fmd_config *config)
{
    status_callback *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "the status"));
    *s = (status_callback){.base.ops = &ops, .folder = f, .config = *config};
    *out = &s->base;
    return FMD_OK;
}

fmd_status fmd_run_folder_check(const fmd_run_folder *f)
{
    return f->path[0] == '\0' ? FMD_OK : fmd_run_lock_check(&f->lock, f->path);
}

const char *fmd_run_folder_file(const fmd_run_folder *f, const char *name,
                                char path[FMD_RUN_PATH_BYTES])
{
    snprintf(path, FMD_RUN_PATH_BYTES, "%s/%s", f->path, name);
    return path;
}

fmd_status fmd_run_folder_status(const fmd_run_folder *f, const char *state, fmd_status code,
                                 const char *message, uint64_t step)
{
    char path[FMD_RUN_PATH_BYTES];
    if (f->path[0] == '\0')
        return FMD_OK;
    FMD_TRY(fmd_run_folder_check(f));
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, FMD_KEY_STATE, state);
    fmd_json_int(j, NULL, FMD_KEY_EXIT_CODE, code);
    fmd_json_text(j, NULL, FMD_KEY_MESSAGE, message);
    fmd_json_int(j, NULL, FMD_KEY_STEP, (long long)step);
    fmd_status st = fmd_json_write(j, fmd_run_folder_file(f, FMD_FILE_STATUS, path));
    fmd_json_destroy(j);
    return st;
}
