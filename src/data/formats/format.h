/* File formats of data sets. A format is one file with a `const fmd_format`, and one line in the
 * table of source.c. */
#ifndef FMD_DATA_FORMATS_FORMAT_H
#define FMD_DATA_FORMATS_FORMAT_H

#include "data/locate.h"

/* The file or files of a part of a data set. */
typedef struct fmd_source_file {
    const char *path; /* as long as the source; a pattern where a part has several files */
    size_t bytes, unpacked_bytes;
} fmd_source_file;

/* The destination of each part of a data set, and its hash. */
typedef struct fmd_parts {
    uint8_t *part[FMD_DATASET_FILES];
    fmd_hash hash[FMD_DATASET_FILES];
} fmd_parts;

typedef struct fmd_format {
    const char *names_file; /* names of classes, one a line */
    /* Local. Opens the files, checks headers and sizes, and sets image, n_train and n_test of *info.
     * *out is released by close, also after a failure. FMD_ENOINPUT, FMD_EDATA, FMD_EIO. */
    fmd_status (*open)(void **out, const fmd_place *place, fmd_dataset_info *info);
    /* Local. Reads all parts, once. FMD_EDATA, FMD_EIO, FMD_ENOMEM. */
    fmd_status (*read)(void *reader, const fmd_dataset_info *info, fmd_parts *to);
    /* Local. Path and sizes of a part; the path is as long as the reader. */
    fmd_source_file (*file_at)(const void *reader, int part);
    void (*close)(void *reader); /* NULL is allowed */
    /* Local. FMD_EDATA unless the images can stay in their files; then read loads the labels alone.
     * NULL: they cannot. */
    fmd_status (*stream)(void *reader);
} fmd_format;

extern const fmd_format fmd_format_idx, fmd_format_cifar, fmd_format_arrays;

#endif
