/* One training per run folder.
 *
 * A lock on `run.lock` keeps out a second process on the same system; the kernel releases it when
 * the process ends. Where locks do not reach (another node after a network split), an older process
 * learns from the number in `generation`, which every start increases, that it has been replaced. A
 * folder that was moved is not written to under its old name: another run may use that name. */
#ifndef FMD_IO_RUN_LOCK_H
#define FMD_IO_RUN_LOCK_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fmd_run_lock {
    int fd; /* holds the lock until it is closed */
    int64_t generation;
    uint64_t inode; /* of run.lock: a different one means a different folder */
    uint64_t key;   /* of path and inode: the run folder for those who do not see it */
} fmd_run_lock;

/* Local. Locks `folder` and increases its generation. FMD_EBUSY names the owner. On a file system
 * without locks, a warning: the generation is then the only protection. */
FMD_CHECKED fmd_status fmd_run_lock_take(fmd_run_lock *l, const char *folder);

/* Local. Whether a process that is visible to this system holds the lock of `folder`. */
bool fmd_run_lock_is_held(const char *folder);

/* Local. The last owner of the lock: "process 5 on host"; "": never locked. */
enum { FMD_RUN_LOCK_OWNER = 256 };
void fmd_run_lock_owner(const char *folder, char owner[FMD_RUN_LOCK_OWNER]);

/* Local. Releases the lock; the end of the process does so, too. */
void fmd_run_lock_release(fmd_run_lock *l);

/* Local. FMD_EBUSY if a later generation has taken `folder`, or if it was moved, removed or replaced.
 * Before every write. On any rank: `l` may be a copy of the lock of another process. */
FMD_CHECKED fmd_status fmd_run_lock_check(const fmd_run_lock *l, const char *folder);

#endif
