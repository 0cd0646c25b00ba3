/* HDF5 files of any origin, opened for reading without file locks: as bytes in memory, or where they
 * lie. Their content is untrusted: only hard links are followed, and the data of a dataset must lie in
 * the file itself. Every fault is FMD_EDATA and names file and object. */
#ifndef FMD_IO_HDF5_H5_FILE_H
#define FMD_IO_HDF5_H5_FILE_H

#include "io/hdf5/h5.h"

typedef struct fmd_h5_file {
    const char *path; /* for messages */
    hid_t id;
    void *data; /* the bytes, which HDF5 reads in place; NULL: they stay on disk */
    size_t bytes;
} fmd_h5_file;

/* A list of strings in one block of memory, each with its NUL; released by free(at). */
typedef struct fmd_strings {
    size_t n;
    char **at; /* n pointers, followed by the text */
} fmd_strings;

/* Local. Opens the file with the bytes `data` and takes ownership of them, even on failure. Borrows
 * `path`. *f must not move. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_h5_file_open(fmd_h5_file *f, const char *path, void *data, size_t bytes);
/* Local. Opens a file that may be larger than memory, without a lock. *f must not move. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_h5_file_open_at(fmd_h5_file *f, const char *path);
void fmd_h5_file_close(fmd_h5_file *f);

/* Local. FMD_EDATA: a part of the file is damaged, with HDF5's reason. */
FMD_CHECKED fmd_status fmd_h5_damaged(const fmd_h5_file *f, const char *part);

/* Local. Whether the object has an attribute of this name. */
bool fmd_h5_has_attribute(hid_t object, const char *name);

/* Local. The strings of an attribute in any form: of variable or fixed length, ASCII or UTF-8, a
 * scalar or a list; an empty list may be of numbers. `where` names the object in messages. */
FMD_CHECKED fmd_status fmd_h5_strings(fmd_strings *out, const fmd_h5_file *f, hid_t object,
                                      const char *where, const char *name);

/* Local. The one string of an attribute, released by free(). */
FMD_CHECKED fmd_status fmd_h5_string(char **out, const fmd_h5_file *f, hid_t object,
                                     const char *where, const char *name);

/* Local. Opens the object at `path` below `from`, along hard links alone. `where` names `from` in
 * messages, and ends in a slash. Closed by H5Oclose. */
FMD_CHECKED fmd_status fmd_h5_open(hid_t *out, const fmd_h5_file *f, hid_t from, const char *where,
                                   const char *path);

/* Local. The same for a group, and for a dataset with its data in the file itself. */
FMD_CHECKED fmd_status fmd_h5_open_group(hid_t *out, const fmd_h5_file *f, hid_t from,
                                         const char *where, const char *path);
FMD_CHECKED fmd_status fmd_h5_open_dataset(hid_t *out, const fmd_h5_file *f, hid_t from,
                                           const char *where, const char *path);

/* Local. The number of links of a group. */
FMD_CHECKED fmd_status fmd_h5_count_links(size_t *n, const fmd_h5_file *f, hid_t group,
                                          const char *where);

#endif
