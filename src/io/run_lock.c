#include "io/run_lock.h"

#include "base/hash.h"
#include "base/log.h"
#include "io/run_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1200 };

static int64_t read_generation(const char *folder)
{
    char path[PATH_BYTES];
    int64_t generation = 0;
    snprintf(path, sizeof path, "%s/" FMD_FILE_GENERATION, folder);
    char text[32] = "";
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) > 0)
        generation = strtoll(text, NULL, 10);
    close(fd);
    return generation;
}

static fmd_status write_generation(const char *folder, int64_t generation)
{
    char path[PATH_BYTES], temp[PATH_BYTES + 8];
    snprintf(path, sizeof path, "%s/" FMD_FILE_GENERATION, folder);
    snprintf(temp, sizeof temp, "%s.new", path);
    FILE *f = fopen(temp, "w");
    bool good = f != NULL && fprintf(f, "%" PRId64 "\n", generation) > 0 && fflush(f) == 0 &&
                fsync(fileno(f)) == 0;
    if (f != NULL)
        good = fclose(f) == 0 && good;
    if (good && rename(temp, path) == 0)
        return FMD_OK;
    const int error = errno;
    unlink(temp);
    return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(error));
}

/* The owner of the lock, as recorded in the file. */
static void read_owner(int fd, char owner[FMD_RUN_LOCK_OWNER])
{
    const ssize_t n = pread(fd, owner, FMD_RUN_LOCK_OWNER - 1, 0);
    owner[n > 0 ? n : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
}

static void write_owner(int fd)
{
    char host[128] = "", owner[FMD_RUN_LOCK_OWNER];
    gethostname(host, sizeof host - 1);
    const char *job = getenv("SLURM_JOB_ID");
    const int n = snprintf(owner, sizeof owner, "process %ld on %s%s%s\n", (long)getpid(), host,
                           job != NULL ? ", job " : "", job != NULL ? job : "");
    if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, (size_t)n, 0) != n)
        fmd_debug("cannot note the owner of the run folder: %s", strerror(errno));
}

/* Lustre mounted without `flock`, or NFS without its lock daemon: training without a lock is better
 * than no training. */
static bool has_no_locks(int error)
{
    return error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK;
}

static fmd_status take_lock(int fd, const char *folder)
{
    char owner[FMD_RUN_LOCK_OWNER];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return FMD_OK;
    if (has_no_locks(errno)) {
        fmd_warn("the file system of '%s' has no locks (%s): let no other training use this folder",
                 folder, strerror(errno));
        return FMD_OK;
    }
    if (errno != EAGAIN && errno != EACCES)
        return FMD_FAIL(FMD_EBUSY, "cannot lock the run folder '%s': %s", folder, strerror(errno));
    read_owner(fd, owner);
    return FMD_FAIL(FMD_EBUSY, "the run folder '%s' is in use by %s", folder,
                    *owner != '\0' ? owner : "another process");
}

static uint64_t find_key(const char *folder, uint64_t inode)
{
    char *path = realpath(folder, NULL);
    const fmd_hash of[] = {
        fmd_hash_bytes(&inode, sizeof inode),
        fmd_hash_bytes(path != NULL ? path : "", path != NULL ? strlen(path) : 0)};
    free(path);
    return fmd_hash_bytes(of, sizeof of).low;
}

fmd_status fmd_run_lock_take(fmd_run_lock *l, const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/" FMD_FILE_LOCK, folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return FMD_FAIL(FMD_EBUSY, "cannot lock the run folder '%s': %s", folder, strerror(errno));
    int64_t generation = 0;
    fmd_status st = take_lock(fd, folder);
    if (st == FMD_OK) {
        generation = read_generation(folder) + 1;
        st = write_generation(folder, generation);
    }
    if (st != FMD_OK) {
        close(fd);
        return st;
    }
    write_owner(fd);
    struct stat info;
    const uint64_t inode = fstat(fd, &info) == 0 ? info.st_ino : 0;
    *l = (fmd_run_lock){.fd = fd, .generation = generation, .inode = inode};
    l->key = find_key(folder, inode);
    return FMD_OK;
}

bool fmd_run_lock_is_held(const char *folder)
{
    char path[PATH_BYTES];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(path, sizeof path, "%s/" FMD_FILE_LOCK, folder);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    const bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

void fmd_run_lock_owner(const char *folder, char owner[FMD_RUN_LOCK_OWNER])
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/" FMD_FILE_LOCK, folder);
    *owner = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return;
    read_owner(fd, owner);
    close(fd);
}

void fmd_run_lock_release(fmd_run_lock *l)
{
    if (l->generation > 0)
        close(l->fd);
    l->generation = 0;
}

fmd_status fmd_run_lock_check(const fmd_run_lock *l, const char *folder)
{
    char path[PATH_BYTES];
    struct stat now;
    snprintf(path, sizeof path, "%s/" FMD_FILE_LOCK, folder);
    const int found = l->inode != 0 ? stat(path, &now) : 0;
    const bool gone = found != 0 && (errno == ENOENT || errno == ENOTDIR);
    if (gone || (l->inode != 0 && found == 0 && now.st_ino != l->inode))
        return FMD_FAIL(FMD_EBUSY,
                        "the run folder '%s' was moved, removed or replaced while this training "
                        "used it: nothing more is written",
                        folder);
    const int64_t generation = read_generation(folder);
    if (generation > l->generation)
        return FMD_FAIL(FMD_EBUSY,
                        "another process has taken the run folder '%s' over (generation %" PRId64
                        ", this one is %" PRId64 "): nothing more is written",
                        folder, generation, l->generation);
    return FMD_OK;
}
