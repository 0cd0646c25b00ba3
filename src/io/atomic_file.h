/* Reads whole files, and replaces files atomically.
 *
 * A write goes to a temporary file in the same folder, which is synced and renamed: at any moment,
 * a crash included, `path` is the old file or the whole new one. */
#ifndef FMD_IO_ATOMIC_FILE_H
#define FMD_IO_ATOMIC_FILE_H

#include "fmd/error.h"

#include <stddef.h>

/* Local. All bytes of a file, or of a pipe until its end; *out is released by free().
 * FMD_ENOINPUT when it cannot be opened, FMD_EIO when it cannot be read. */
FMD_CHECKED fmd_status fmd_atomic_file_read(void **out, size_t *bytes, const char *path);

/* Local. The same for a text, without a leading UTF-8 byte order mark. */
FMD_CHECKED fmd_status fmd_atomic_file_read_text(void **out, size_t *bytes, const char *path);

/* Local. Creates or replaces the file at `path`. On failure nothing of the new file remains, except
 * that a folder that cannot be synced already contains it. Devices, FIFOs and sockets are not
 * replaced. FMD_EIO. */
FMD_CHECKED fmd_status fmd_atomic_file_write(const char *path, const void *data, size_t bytes);

/* Local. The same, unless `check` fails after the folder is open. The file goes into the checked
 * folder, even if the folder is renamed meanwhile. */
FMD_CHECKED fmd_status fmd_atomic_file_write_checked(const char *path, const void *data,
                                                     size_t bytes,
                                                     fmd_status (*check)(const void *self),
                                                     const void *self);

#endif
