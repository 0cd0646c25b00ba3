#include "dist/shared_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PATH_BYTES = 1024 };

const char *fmd_shared_room(const char *root, double *free_bytes)
{
    const char *set = getenv("OMPI_MCA_osc_sm_backing_directory");
    const char *folder = set != NULL ? set : "/dev/shm";
    char path[PATH_BYTES];
    struct statvfs disk;
    snprintf(path, sizeof path, "%s%s", root, folder);
    const int good = access(path, W_OK) == 0 && statvfs(path, &disk) == 0;
    *free_bytes = good ? (double)disk.f_bavail * (double)disk.f_frsize : -1;
    return folder;
}

fmd_status fmd_shared_room_check(const char *root, const char *host, double bytes)
{
    double left;
    const char *folder = fmd_shared_room(root, &left);
    if (left < 0 || bytes <= left)
        return FMD_OK;
    return FMD_FAIL(FMD_ENOMEM,
                    "the ranks of %s share %.1f MB of memory, but %.200s has %.1f MB free: make it "
                    "larger (in a container: --shm-size)",
                    host, bytes / 1e6, folder, left / 1e6);
}
