/* A checkpoint open for reading, with a valid user block and a supported format. */
#ifndef FMD_IO_CHECKPOINT_READER_H
#define FMD_IO_CHECKPOINT_READER_H

#include "io/checkpoint/checkpoint.h"
#include "io/hdf5/h5_file.h"

#include <stdint.h>

typedef struct fmd_reader {
    fmd_h5_file h5;
    uint64_t step;
} fmd_reader;

/* Local. The bytes of a regular file, checked against its user block; *data is released by free().
 * FMD_ENOINPUT, FMD_EIO, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_bytes(void **data, size_t *bytes, const char *path,
                                        uint64_t *step);

/* Local. Opens a checkpoint; borrows `path`. *r must not move. As fmd_reader_bytes. */
FMD_CHECKED fmd_status fmd_reader_open(fmd_reader *r, const char *path);
void fmd_reader_close(fmd_reader *r);

/* Local. Integer attributes of our group: one, or up to `most`; *n tells how many. FMD_EDATA if one
 * is not between `min` and `max`. */
FMD_CHECKED fmd_status fmd_reader_ints(const fmd_reader *r, const char *name, int min, int max,
                                       int *values, int most, int *n);

/* Local. A text attribute of a group, into `size` bytes. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_text(const fmd_reader *r, const char *group, const char *name,
                                       char *text, size_t size);

/* Local. The values of a state entry, as kind, count and range say, into `values`. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_entry(const fmd_reader *r, const fmd_state_entry *e,
                                        void *values);

/* Local. Opens the dataset at the absolute path `at`; its data lie in one piece in the file itself.
 * Closed by H5Oclose. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_dataset(hid_t *out, const fmd_reader *r, const char *at);

/* Local. The number of links of the group at the absolute path `at`. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_reader_count(size_t *n, const fmd_reader *r, const char *at);

#endif
