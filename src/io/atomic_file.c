#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

fmd_status fmd_atomic_file_read(void **out, size_t *bytes, const char *path)
{
    fmd_status status = FMD_OK;
    char *data = NULL;
    size_t used = 0, capacity = 1 << 16;
    /* Never wait for the writer of a FIFO: without one it is empty. Pipes are read to their end. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fcntl(fd, F_SETFL, 0) != 0)
        return FMD_FAIL(errno == ENOENT || errno == ENOTDIR ? FMD_ENOINPUT : FMD_EIO,
                        "cannot open '%s': %s", path, strerror(errno));

    /* One byte more than a regular file has, so that the end is found without growing the
     * buffer. */
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        capacity = (size_t)info.st_size + 1;
    ssize_t n = 1;
    while (n > 0) {
        if (data == NULL || used == capacity) {
            capacity = data == NULL ? capacity : 2 * capacity;
            char *grown = realloc(data, capacity);
            if (grown == NULL) {
                status =
                    FMD_FAIL(FMD_ENOMEM, "out of memory: '%s' needs %zu bytes", path, capacity);
                goto out;
            }
            data = grown;
        }
        do
            n = read(fd, data + used, capacity - used);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
            status = FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
            goto out;
        }
        used += (size_t)n;
    }
    *out = data;
    *bytes = used;
    data = NULL;
out:
    free(data);
    close(fd);
    return status;
}

fmd_status fmd_atomic_file_read_text(void **out, size_t *bytes, const char *path)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t n = sizeof mark - 1;
    FMD_TRY(fmd_atomic_file_read(out, bytes, path));
    if (*bytes >= n && memcmp(*out, mark, n) == 0) {
        *bytes -= n;
        memmove(*out, (char *)*out + n, *bytes);
    }
    return FMD_OK;
}

/* Opens the folder of `path`; *name is the last part. -1 and errno on failure. */
static int open_folder(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash == NULL ? path : slash + 1;
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    if (folder == NULL)
        return -1;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    return fd;
}

/* Creates a file beside `name`; O_EXCL, as a process on another node may have the same id. */
static int create_temp(int folder, const char *name, char temp[NAME_MAX + 1])
{
    for (int i = 0; i < 100; i++) {
        int n = snprintf(temp, NAME_MAX + 1, "%s.tmp-%ld-%d", name, (long)getpid(), i);
        if (n > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = openat(folder, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool write_synced(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        bytes -= (size_t)n;
    }
    return fsync(fd) == 0;
}

/* A device, FIFO or socket. A rename would replace even /dev/null; folders it refuses. */
static bool is_special(int folder, const char *name)
{
    struct stat s;
    return fstatat(folder, name, &s, 0) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

fmd_status fmd_atomic_file_write(const char *path, const void *data, size_t bytes)
{
    return fmd_atomic_file_write_checked(path, data, bytes, NULL, NULL);
}

fmd_status fmd_atomic_file_write_checked(const char *path, const void *data, size_t bytes,
                                         fmd_status (*check)(const void *self), const void *self)
{
    const char *name;
    char temp[NAME_MAX + 1];
    bool temp_left = false, done = false;
    int fd = -1, error = 0;
    int folder = open_folder(path, &name);
    if (folder < 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': its folder cannot be opened: %s", path,
                        strerror(errno));
    fmd_status checked = check != NULL ? check(self) : FMD_OK;
    if (checked == FMD_OK && is_special(folder, name))
        checked = FMD_FAIL(FMD_EIO, "cannot write '%s': it is no regular file", path);
    if (checked != FMD_OK) {
        close(folder);
        return checked;
    }

    fd = create_temp(folder, name, temp);
    if (fd < 0)
        goto out;
    temp_left = true;
    if (!write_synced(fd, data, bytes))
        goto out;
    /* Some file systems report a full disk or quota only here. */
    int closed = close(fd);
    fd = -1;
    if (closed != 0 || renameat(folder, temp, folder, name) != 0)
        goto out;
    temp_left = false;
    /* Without this the new name may not survive a crash. EINVAL: folders cannot be synced here. */
    done = fsync(folder) == 0 || errno == EINVAL;
out:
    error = errno;
    if (fd >= 0)
        close(fd);
    if (temp_left)
        unlinkat(folder, temp, 0);
    close(folder);
    return done ? FMD_OK : FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(error));
}
