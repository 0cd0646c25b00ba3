/* The folder of a run. Rank 0 only. */
#ifndef FMD_RUN_RUN_FOLDER_H
#define FMD_RUN_RUN_FOLDER_H

#include "io/run_lock.h"
#include "run/config.h"

#include <stdint.h>

typedef struct fmd_run_folder {
    char path[FMD_PATH_BYTES]; /* empty: nothing is written */
    bool fresh;                /* made by this process */
    fmd_run_lock lock;
} fmd_run_folder;

enum { FMD_RUN_PATH_BYTES = FMD_PATH_BYTES + 64 };

/* Local. Creates a folder and its parents; messages call it `what`. FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_make_folders(const char *path, const char *what);

/* Local. Creates a new folder runs/<date>-<time>. FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_run_folder_make_dated(char path[FMD_PATH_BYTES]);

/* Local. Creates and locks the folder of --run-dir, and writes config.json unless it exists.
 * FMD_EBUSY if the folder is in use, contains a run although --resume is none, or cannot be
 * created; FMD_EIO. */
FMD_CHECKED fmd_status fmd_run_folder_create(fmd_run_folder *f, const fmd_config *config);

/* Local. Releases the folder, and removes it if this process created it and has not trained yet. */
void fmd_run_folder_discard(fmd_run_folder *f);

/* Local. FMD_EBUSY if the folder no longer belongs to this run. Call it before every write. */
FMD_CHECKED fmd_status fmd_run_folder_check(const fmd_run_folder *f);

/* Local. The path of `name` in the folder. */
const char *fmd_run_folder_file(const fmd_run_folder *f, const char *name,
                                char path[FMD_RUN_PATH_BYTES]);

/* Local. A callback that prints the step at which training resumes, marks the run as running in
 * STATUS.json, and updates config.json. Borrows `f`. */
FMD_CHECKED fmd_status fmd_run_folder_callback(fmd_callback **out, const fmd_run_folder *f,
                                               const fmd_config *config);

/* Local. Writes STATUS.json. `state` is an FMD_RUN_ name of io/run_names.h. */
FMD_CHECKED fmd_status fmd_run_folder_status(const fmd_run_folder *f, const char *state,
                                             fmd_status code, const char *message, uint64_t step);

#endif
