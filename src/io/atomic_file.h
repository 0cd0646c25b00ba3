/* Files that are read and replaced whole.
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

/* Local. The same of a text, without the byte order mark that some editors begin UTF-8 with. */
FMD_CHECKED fmd_status fmd_atomic_file_read_text(void **out, size_t *bytes, const char *path);

/* Local. Creates or replaces the file at `path`. On failure nothing of the new file remains, except
 * that a folder that cannot be synced already contains it. FMD_EIO. */
FMD_CHECKED fmd_status fmd_atomic_file_write(const char *path, const void *data, size_t bytes);

/* Local. The same, unless `check` fails once the folder is open: whatever is done to the name of
 * the folder from then on, the file goes into the folder that was checked. */
FMD_CHECKED fmd_status fmd_atomic_file_write_checked(const char *path, const void *data,
                                                     size_t bytes,
                                                     fmd_status (*check)(const void *self),
                                                     const void *self);

#endif
