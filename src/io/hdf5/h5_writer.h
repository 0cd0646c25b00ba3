/* An HDF5 file under construction in memory: format 1.8, no times, equal calls give equal bytes.
 *
 * After a failure, later calls fail too, harmlessly; the first cause is kept until
 * fmd_h5_writer_finish. */
#ifndef FMD_IO_HDF5_H5_WRITER_H
#define FMD_IO_HDF5_H5_WRITER_H

#include "io/hdf5/h5.h"

typedef struct fmd_h5_writer {
    hid_t file;
    hid_t new_group, new_dataset; /* creation properties */
    size_t front, size;           /* bytes reserved before the file, and in total */
    char *data;
    char why[FMD_H5_TEXT]; /* "": no failure yet */
} fmd_h5_writer;

/* Local. Begins a file after `front` reserved bytes. *w must not move. */
void fmd_h5_writer_begin(fmd_h5_writer *w, size_t front);

/* Local. Ends the file. *data, released by free(), holds the reserved bytes and the file, `bytes`
 * in total; ownership passes to the caller. FMD_EIO names `path` and the first failure. */
FMD_CHECKED fmd_status fmd_h5_writer_finish(fmd_h5_writer *w, const char *path, char **data,
                                            size_t *bytes);

/* Local. A group; a dataset; a hard link `to` an object that exists. */
void fmd_h5_put_group(fmd_h5_writer *w, const char *path);
void fmd_h5_put_dataset(fmd_h5_writer *w, const char *path, fmd_shape shape, hid_t file_type,
                        hid_t memory_type, const void *data);
void fmd_h5_put_link(fmd_h5_writer *w, const char *to, const char *path);

/* Local. Attributes of the object at `path`: a text; `n` texts, `stride` bytes apart, which begin at
 * `texts`; an integer, or `n` of them. */
void fmd_h5_put_text(fmd_h5_writer *w, const char *path, const char *name, const char *text);
void fmd_h5_put_list(fmd_h5_writer *w, const char *path, const char *name, size_t n, size_t stride,
                     const char *texts);
void fmd_h5_put_int(fmd_h5_writer *w, const char *path, const char *name, int value);
void fmd_h5_put_ints(fmd_h5_writer *w, const char *path, const char *name, size_t n,
                     const int *values);

#endif
