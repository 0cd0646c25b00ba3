/* The folder that a run leaves behind. Rank 0 only. */
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

/* Local. Makes a folder and those above it; `what` is what messages call it. FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_make_folders(const char *path, const char *what);

/* Local. Makes the folder that --run-dir asks for, locks it, and writes config.json unless it is
 * there. FMD_EBUSY where it is in use, holds a run that is not to be resumed, or cannot be made;
 * FMD_EIO. */
FMD_CHECKED fmd_status fmd_run_folder_create(fmd_run_folder *f, const fmd_config *config);

/* Local. Releases and removes a folder that this process has made, as long as nothing but its
 * beginnings is in it. */
void fmd_run_folder_discard(fmd_run_folder *f);

/* Local. FMD_EBUSY where the folder is not this run's any more. Before every write. */
FMD_CHECKED fmd_status fmd_run_folder_check(const fmd_run_folder *f);

/* Local. The path of `name` in the folder. */
const char *fmd_run_folder_file(const fmd_run_folder *f, const char *name,
                                char path[FMD_RUN_PATH_BYTES]);

/* Local. A callback that says where training resumes, notes in STATUS.json that it runs, and updates
 * config.json. Borrows `f`. */
FMD_CHECKED fmd_status fmd_run_folder_callback(fmd_callback **out, const fmd_run_folder *f,
                                               const fmd_config *config);

/* Local. STATUS.json: how the run stands. `state` is running, done, stopped or failed. */
FMD_CHECKED fmd_status fmd_run_folder_status(const fmd_run_folder *f, const char *state,
                                             fmd_status code, const char *message, uint64_t step);

#endif
