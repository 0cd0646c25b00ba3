/* The files in a run's folder of checkpoints: names, links and retention.
 *
 * Files are named step-<10 digits>.weights.h5; `latest.weights.h5` is a link to the newest. The run
 * folder may be moved, and its name be another run's, at any moment: so the lock is checked before
 * each change. All functions are for any thread and any rank; none prints. */
#ifndef FMD_TRAIN_STEP_FILES_H
#define FMD_TRAIN_STEP_FILES_H

#include "io/checkpoint/checkpoint.h"
#include "io/run_lock.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

/* How the file begins by which a rank claims an emergency checkpoint. */
#define FMD_EMERGENCY_CLAIM ".emergency-"

enum { FMD_STEP_FILES_PATH = 1200, FMD_STEP_FILES_NAME = 64 };

typedef struct fmd_step_files {
    const char *run_folder; /* checkpoints are in its folder checkpoints */
    fmd_run_lock lock;      /* of the run folder; a copy, where rank 0 holds it */
} fmd_step_files;

/* Local. The path of a file in the folder; returns `path`. */
const char *fmd_step_files_path(const fmd_step_files *f, const char *name,
                                char path[FMD_STEP_FILES_PATH]);

/* Local. The name of the checkpoint after `step`; and the step in a name. */
const char *fmd_step_files_name(uint64_t step, char name[FMD_STEP_FILES_NAME]);
uint64_t fmd_step_files_step(const char *name);

/* Local. Filters for fmd_step_files_list: checkpoints, damaged ones set aside, unfinished files. */
int fmd_step_files_is_step(const struct dirent *entry);
int fmd_step_files_is_bad(const struct dirent *entry);
int fmd_step_files_is_remains(const struct dirent *entry);

/* Local. The names that `filter` accepts, newest step first; released by free_list. -1 and errno. */
int fmd_step_files_list(const fmd_step_files *f, int (*filter)(const struct dirent *),
                        struct dirent ***names);
void fmd_step_files_free_list(struct dirent **names, int n);

/* Local. FMD_EBUSY: the folder belongs to another process by now. `files`: a fmd_step_files. */
FMD_CHECKED fmd_status fmd_step_files_check(const void *files);

/* Local. Seals the image and writes it under this name. FMD_EIO, FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_step_files_store(const fmd_step_files *f, const char *name,
                                            fmd_checkpoint_image *image);

/* Local. The same on a disk that may be full: then all checkpoints but the newest are deleted, and
 * it is tried again. */
FMD_CHECKED fmd_status fmd_step_files_store_or_prune(const fmd_step_files *f, const char *name,
                                                     fmd_checkpoint_image *image);

/* Local. Replaces the link atomically, after the file has been synced. FMD_EIO. */
FMD_CHECKED fmd_status fmd_step_files_link_latest(const fmd_step_files *f, const char *name);

/* Local. Deletes all checkpoints but the newest `keep`; all unfinished files. */
void fmd_step_files_prune(const fmd_step_files *f, int64_t keep);
void fmd_step_files_delete_remains(const fmd_step_files *f);

#endif
