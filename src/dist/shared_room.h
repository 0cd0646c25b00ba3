/* The memory file system in which Open MPI keeps what the ranks of a node share. */
#ifndef FMD_DIST_SHARED_ROOM_H
#define FMD_DIST_SHARED_ROOM_H

#include "fmd/error.h"

/* Local. Its folder, and the bytes that are free; negative: it cannot be used, and Open MPI takes the
 * folder of its session. `root` goes before the name: "" but in tests. */
const char *fmd_shared_room(const char *root, double *free_bytes);

/* Local. FMD_ENOMEM where ranks of `host` share more bytes than are free. */
FMD_CHECKED fmd_status fmd_shared_room_check(const char *root, const char *host, double bytes);

#endif
