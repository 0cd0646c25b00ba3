/* Checks of the folder for runs. */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Too little for a run; and too little for a long run. */
static const double least_bytes = 20e6, good_bytes = 1e9;

/* A file system of the network; NULL: of this machine, as far as known. */
static const char *network_name(long type)
{
    static const struct {
        unsigned magic;
        const char *name;
    } known[] = {{0x6969, "NFS"},        {0x0BD00BD0, "Lustre"}, {0x47504653, "GPFS"},
                 {0x19830326, "BeeGFS"}, {0xFF534D42, "CIFS"},   {0xFE534D42, "SMB2"},
                 {0x00C36400, "CephFS"}, {0x65735546, "FUSE"},   {0x01021997, "9P"},
                 {0x5346414F, "AFS"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((unsigned)type == known[i].magic)
            return known[i].name;
    return NULL;
}

/* The folder itself, or the nearest one above it that is there. */
static void find_present(const char *folder, char present[PATH_MAX])
{
    snprintf(present, PATH_MAX, "%s", folder);
    while (access(present, F_OK) != 0) {
        char *slash = strrchr(present, '/');
        if (slash == NULL)
            snprintf(present, PATH_MAX, ".");
        else
            slash[slash == present] = '\0';
        if (slash == NULL || slash == present)
            return;
    }
}

/* As a run locks its folder. */
static int lock(int file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(file, F_OFD_SETLK, &whole);
}

static bool check_write(fmd_findings *f, const char *folder, const char *present)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%.4000s/.doctor-XXXXXX", present);
    const int file = mkstemp(path);
    if (file < 0) {
        fmd_find(f, FMD_PROBLEM, "runs", "--run-dir DIR, in a folder of yours",
                 "cannot write to %.200s: %s", present, strerror(errno));
        return false;
    }
    const bool locked = lock(file) == 0;
    const int error = errno;
    close(file);
    unlink(path);
    if (locked)
        fmd_find(f, FMD_FINE, "runs", "", "%.200s is writable and can be locked", folder);
    else
        fmd_find(f, FMD_PROBLEM, "runs", "another file system; NFS: with its lock service",
                 "files in %.200s cannot be locked: %s", present, strerror(error));
    return true;
}

void fmd_doctor_folder(fmd_findings *f, const char *folder)
{
    char present[PATH_MAX];
    struct statfs s;
    find_present(folder, present);
    if (!check_write(f, folder, present) || statfs(present, &s) != 0)
        return;
    const double room = (double)s.f_bavail * (double)s.f_bsize;
    fmd_find(f,
             room < least_bytes  ? FMD_PROBLEM
             : room < good_bytes ? FMD_WARN
                                 : FMD_FINE,
             "disk", "free some space, or --run-dir on another disk, or --keep 1",
             "%.2f GB free for runs", room / 1e9);
    const char *network = network_name((long)s.f_type);
    const char *locking = getenv("HDF5_USE_FILE_LOCKING");
    const bool off = locking != NULL && strcmp(locking, "FALSE") == 0;
    if (network == NULL || off)
        fmd_find(f, FMD_FINE, "hdf5", "", "%s",
                 off ? "file locking is off" : "a local file system: file locking works");
    else
        fmd_find(f, FMD_WARN, "hdf5",
                 "export HDF5_USE_FILE_LOCKING=FALSE where Keras or h5py open checkpoints",
                 "other programs may fail to lock HDF5 files on %s; this one does not lock them",
                 network);
}
