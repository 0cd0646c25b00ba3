/* Regular files only. A FIFO or a device in place of a file, left by mistake or by malice, would make a
 * reader wait for ever. */
#ifndef FMD_BASE_SYSTEM_REGULAR_FILE_H
#define FMD_BASE_SYSTEM_REGULAR_FILE_H

#include "fmd/error.h"

#include <stddef.h>

/* Local. Opens a file for reading; *fd is released by close(), *bytes is the size. `expected`, as in
 * "an IDX file", is what the message asks for. FMD_ENOINPUT where there is none, FMD_EDATA where it is
 * a folder, a pipe or a device, FMD_EIO. */
FMD_CHECKED fmd_status fmd_regular_file_open(int *fd, size_t *bytes, const char *path,
                                             const char *expected);

#endif
