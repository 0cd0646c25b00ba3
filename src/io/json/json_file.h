/* Options as JSON files: the configuration of a user, and the config.json of a run.
 *
 * Files are replaced whole: a temporary file in the same folder is synced and renamed. */
#ifndef FMD_IO_JSON_JSON_FILE_H
#define FMD_IO_JSON_JSON_FILE_H

#include "base/option.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Local. Sets each option that the JSON object in `path` names, as fmd_option_set does, and marks it
 * in `given`, which has n elements. Values are numbers, strings, booleans, and arrays of strings for
 * options that repeat. FMD_ENOINPUT; FMD_EUSAGE with line and column, or with the unknown key and
 * the nearest known one. */
FMD_CHECKED fmd_status fmd_options_read_json(const char *path, const fmd_option *table, size_t n,
                                             void *base, bool *given);

/* Local. Writes all options as one JSON object, which fmd_options_read_json reads back. FMD_EIO. */
FMD_CHECKED fmd_status fmd_options_write_json(const char *path, const fmd_option *table, size_t n,
                                              const void *base);

#endif
