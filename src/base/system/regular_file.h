/* Opens regular files only. A FIFO or device in place of a file, left by mistake or malice, would block
 * the reader forever. */
#ifndef FMD_BASE_SYSTEM_REGULAR_FILE_H
#define FMD_BASE_SYSTEM_REGULAR_FILE_H

#include "fmd/error.h"

#include <stddef.h>

/* Local. Opens a file for reading; *fd is released by close(), *bytes is the size. `expected`
 * completes the message, e.g. "an IDX file". FMD_ENOINPUT: no such file; FMD_EDATA: a folder, pipe or
 * device; FMD_EIO. */
FMD_CHECKED fmd_status fmd_regular_file_open(int *fd, size_t *bytes, const char *path,
                                             const char *expected);

#endif
