/* One training to a run folder.
 *
 * A lock on `run.lock` keeps a second process of the same system out; the kernel releases it with
 * the process. Where locks do not reach (another node after a network split), the number in
 * `generation`, which every start raises, tells an older process that it has been replaced. A folder
 * that was moved away is not written to under its old name, which another run may have by then. */
#ifndef FMD_IO_RUN_LOCK_H
#define FMD_IO_RUN_LOCK_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fmd_run_lock {
    int fd; /* holds the lock until it is closed */
    int64_t generation;
    uint64_t inode; /* of run.lock: another one means that the folder is another */
} fmd_run_lock;

/* Local. Locks `folder` and raises its generation. FMD_EBUSY names the owner. A file system without
 * locks is a warning, and then the generation is all there is. */
FMD_CHECKED fmd_status fmd_run_lock_take(fmd_run_lock *l, const char *folder);

/* Local. Whether a process that this system knows of holds the lock of `folder`. */
bool fmd_run_lock_is_held(const char *folder);

/* Local. Who took it last: "process 5 on host"; "" where nobody did. */
enum { FMD_RUN_LOCK_OWNER = 256 };
void fmd_run_lock_owner(const char *folder, char owner[FMD_RUN_LOCK_OWNER]);

/* Local. The lock is gone with this process at the latest. */
void fmd_run_lock_release(fmd_run_lock *l);

/* Local. FMD_EBUSY if a later generation has taken `folder`, or if it was moved, removed or replaced.
 * Before every write. On any rank: `l` may be a copy of the lock of another process. */
FMD_CHECKED fmd_status fmd_run_lock_check(const fmd_run_lock *l, const char *folder);

#endif
