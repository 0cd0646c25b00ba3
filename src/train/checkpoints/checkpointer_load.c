#include "train/checkpoints/checkpointer_private.h"

#include "base/log.h"
#include "io/atomic_file.h"
#include "io/run_names.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = FMD_STEP_FILES_PATH, NAME_BYTES = FMD_STEP_FILES_NAME };
static const char best_name[] = FMD_FILE_BEST;

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
    if (step != fmd_step_files_step(name))
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
    fmd_step_files_delete_remains(&s->files);
    const int n = fmd_step_files_list(&s->files, fmd_step_files_is_step, &names);
    if (n < 0)
        return FMD_FAIL(FMD_EIO, "cannot read the folder '%s/checkpoints': %s", s->args.run_folder,
                        strerror(errno));
    int bad = 0;
    for (int i = 0; i < n && !*found; i++) {
        fmd_step_files_path(&s->files, names[i]->d_name, path);
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
        if (fmd_step_files_link_latest(&s->files, names[i]->d_name) != FMD_OK)
            fmd_warn("%s", fmd_error_message());
    }
    fmd_step_files_free_list(names, n);
    if (n == 0) { /* all files were set aside at an earlier start */
        bad = fmd_step_files_list(&s->files, fmd_step_files_is_bad, &names);
        fmd_step_files_free_list(names, bad);
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
    const char *const names[] = {best_name, fmd_step_files_name(step, name)};
    const char *slash = strrchr(from, '/');
    const int folder = slash == NULL ? 0 : (int)(slash + 1 - from);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *data;
        size_t bytes;
        snprintf(source, sizeof source, "%.*s%s", folder, from, names[i]);
        if (!is_of_step(source, state, step) ||
            fmd_atomic_file_read(&data, &bytes, source) != FMD_OK)
            continue;
        const fmd_status st =
            fmd_atomic_file_write_checked(fmd_step_files_path(&s->files, best_name, path), data,
                                          bytes, fmd_step_files_check, &s->files);
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
    if (is_of_step(fmd_step_files_path(&s->files, best_name, path), state, step) ||
        copy_best(s, state, step, from != NULL ? from : fmd_step_files_path(&s->files, "", own)) ||
        (state->step == step &&
         fmd_checkpointer_write_now(s, best_name, state, fmd_step_files_store) == FMD_OK)) {
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
