/* Strings and objects of HDF5 files that somebody else wrote. */
#ifndef FMD_IO_KERAS_STRINGS_H
#define FMD_IO_KERAS_STRINGS_H

#include "base/option.h"
#include "io/checkpoint/reader.h"

#include <stdbool.h>

/* A list of strings in one block of memory, each with its NUL; released by free(). */
typedef struct fmd_strings {
    size_t n;
    char **at; /* n pointers, and the text behind them */
} fmd_strings;

/* Local. Whether the object has an attribute of this name. */
bool fmd_h5_has_attribute(hid_t object, const char *name);

/* Local. The strings of an attribute, whatever form they have: variable or fixed length, ASCII or
 * UTF-8, scalar or list; an empty list may be of numbers. `where` names the object in messages.
 * FMD_EDATA. */
FMD_CHECKED fmd_status fmd_h5_strings(fmd_strings *out, const fmd_reader *r, hid_t object,
                                      const char *where, const char *name);

/* Local. Opens the object at `path` below `from`, along hard links alone: what other links lead to
 * is not in the file. `where` names `from` in messages, and ends in a slash. FMD_EDATA. */
FMD_CHECKED fmd_status fmd_h5_open(hid_t *out, const fmd_reader *r, hid_t from, const char *where,
                                   const char *path);

/* Local. `where` and the path behind it. FMD_EDATA says that it is not a group. */
FMD_CHECKED fmd_status fmd_h5_open_group(hid_t *out, const fmd_reader *r, hid_t from,
                                         const char *where, const char *path);

#endif
