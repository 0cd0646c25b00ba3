/* A ZIP archive under construction in memory. Its files are stored as they are, without times: equal
 * calls give equal bytes. */
#ifndef FMD_IO_ARCHIVE_WRITER_H
#define FMD_IO_ARCHIVE_WRITER_H

#include "fmd/error.h"

#include <stddef.h>

typedef struct fmd_archive_writer fmd_archive_writer;

/* Local. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_archive_writer_create(fmd_archive_writer **out);
void fmd_archive_writer_destroy(fmd_archive_writer *w);

/* Local. Adds a file; takes over `data`, which malloc returned, also on failure. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_archive_writer_add(fmd_archive_writer *w, const char *name, void *data,
                                              size_t bytes);

/* Local. Ends the archive and writes it to `path`; the file is replaced whole. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_archive_writer_finish(fmd_archive_writer *w, const char *path);

#endif
