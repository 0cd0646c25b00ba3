/* The memory file system that holds Open MPI's shared memory on a node. */
#ifndef FMD_DIST_SHARED_ROOM_H
#define FMD_DIST_SHARED_ROOM_H

#include "fmd/error.h"

/* Local. The folder of the file system, and its free bytes; negative: it is unusable, and Open MPI
 * uses its session folder. `root` is a prefix of the path, "" except in tests. */
const char *fmd_shared_room(const char *root, double *free_bytes);

/* Local. FMD_ENOMEM if the ranks of `host` share more bytes than are free. */
FMD_CHECKED fmd_status fmd_shared_room_check(const char *root, const char *host, double bytes);

#endif
