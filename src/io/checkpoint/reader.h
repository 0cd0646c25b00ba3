/* A checkpoint that is open for reading: its user block fits, and its group of our own is of the form
 * that this program reads. It is in memory, so no lock is asked of a file system that has none. */
#ifndef FMD_IO_CHECKPOINT_READER_H
#define FMD_IO_CHECKPOINT_READER_H

#include "fmd/error.h"

#include <hdf5.h>
#include <stdint.h>

typedef struct fmd_reader {
    const char *path;
    hid_t file;
    uint64_t step;
    size_t bytes; /* of the file */
} fmd_reader;

/* Local. The bytes of a regular file whose user block fits them; *data is released by free().
 * FMD_ENOINPUT, FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_bytes(void **data, size_t *bytes, const char *path,
                                        uint64_t *step);

/* Local. Opens a file of ours; borrows `path`. As fmd_reader_bytes. */
FMD_CHECKED fmd_status fmd_reader_open(fmd_reader *r, const char *path);
void fmd_reader_close(fmd_reader *r);

/* Local. FMD_EDATA: a part of the file is damaged, and what HDF5 says of it. */
FMD_CHECKED fmd_status fmd_reader_damaged(const fmd_reader *r, const char *part);

/* Local. One integer attribute of our group, or up to `most` of them; *n tells how many. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_ints(const fmd_reader *r, const char *name, int *values, int most,
                                       int *n);

/* Local. A text attribute of a group, into `size` bytes. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_text(const fmd_reader *r, const char *group, const char *name,
                                       char *text, size_t size);

#endif
