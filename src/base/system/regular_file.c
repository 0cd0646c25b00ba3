#include "base/system/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

fmd_status fmd_regular_file_open(int *fd, size_t *bytes, const char *path, const char *expected)
{
    struct stat st;
    fmd_status status = FMD_OK;
    /* Without O_NONBLOCK, opening a FIFO waits for a writer. Regular files ignore the flag. */
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return FMD_FAIL(errno == ENOENT || errno == ENOTDIR ? FMD_ENOINPUT : FMD_EIO,
                        "cannot open '%s': %s", path, strerror(errno));
    if (fstat(file, &st) != 0)
        status = FMD_FAIL(FMD_EIO, "cannot examine '%s': %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = FMD_FAIL(FMD_EDATA, "'%s': found %s, expected %s", path,
                          S_ISDIR(st.st_mode) ? "a folder" : "a pipe or device", expected);
    if (status != FMD_OK) {
        close(file);
        return status;
    }
    *fd = file;
    *bytes = (size_t)st.st_size;
    return FMD_OK;
}
