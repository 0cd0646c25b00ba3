/* JSON files of a run: config.json, run.json, STATUS.json, and the lines of events.jsonl.
 *
 * Files are written whole: to a temporary file in the same folder, synced and renamed. */
#ifndef FMD_IO_JSON_JSON_FILE_H
#define FMD_IO_JSON_JSON_FILE_H

#include "base/option.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Local. Sets every option that the JSON object in `path` names, as fmd_option_set does; numbers,
 * strings, booleans, and arrays of strings for options that repeat. `given` (n of it) is set for
 * each. FMD_ENOINPUT, FMD_EUSAGE with line and column, or with the unknown key and the nearest. */
FMD_CHECKED fmd_status fmd_options_read_json(const char *path, const fmd_option *table, size_t n,
                                             void *base, bool *given);

/* Local. Writes all options as one JSON object that fmd_options_read_json reads back. FMD_EIO. */
FMD_CHECKED fmd_status fmd_options_write_json(const char *path, const fmd_option *table, size_t n,
                                              const void *base);

/* A JSON object; the first failure in building it is kept and reported by fmd_json_write. */
typedef struct fmd_json fmd_json;

/* Local. An empty object. `group` NULL in the adders: a member of the object itself, else of the
 * object in it called `group`, or of the last row of an array called so. Text that is
 * not UTF-8 has '?' for each byte that is not ASCII. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_create(fmd_json **out);
void fmd_json_destroy(fmd_json *j);
void fmd_json_text(fmd_json *j, const char *group, const char *key, const char *value);
void fmd_json_int(fmd_json *j, const char *group, const char *key, long long value);
void fmd_json_real(fmd_json *j, const char *group, const char *key, double value); /* NAN: null */
void fmd_json_bool(fmd_json *j, const char *group, const char *key, bool value);
void fmd_json_append(fmd_json *j, const char *group, const char *key, const char *value);
void fmd_json_append_int(fmd_json *j, const char *group, const char *key, long long value);
void fmd_json_append_real(fmd_json *j, const char *group, const char *key, double value);
void fmd_json_append_object(fmd_json *j, const char *key, const fmd_json *value); /* as attach */
void fmd_json_attach(fmd_json *j, const char *key, const fmd_json *value); /* the object itself */

/* Local. Appends a row, an empty object, to the array called `array`; made if it is not there. */
void fmd_json_row(fmd_json *j, const char *array);

/* Local. Writes the object to `path`, indented, keys in the order of their adding. FMD_EIO. */
FMD_CHECKED fmd_status fmd_json_write(const fmd_json *j, const char *path);

/* Local. The object as text, released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_print_text(const fmd_json *j, char **out);

/* Local. The same as one line with its newline. `path` is for messages. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_line(char **out, const fmd_json *j, const char *path);

/* Local. Reads an object from a file, or from `bytes` bytes of text, of which `path` is the name.
 * FMD_ENOINPUT, FMD_EIO; FMD_EDATA with line and column. */
FMD_CHECKED fmd_status fmd_json_parse(fmd_json **out, const char *text, size_t bytes,
                                      const char *path);
FMD_CHECKED fmd_status fmd_json_read(fmd_json **out, const char *path);

/* Local. The member of the object, or of the object in it called `group`: a string, or NULL; a
 * number, or NAN; the string at index `i` of an array, or NULL. Strings live as long as `j`. */
const char *fmd_json_get_text(const fmd_json *j, const char *group, const char *key);
double fmd_json_get_real(const fmd_json *j, const char *group, const char *key);
const char *fmd_json_get_item(const fmd_json *j, const char *group, const char *key, size_t i);

/* Local. Whether the array called `array` has a row `i`; and that row's members, as above. */
bool fmd_json_has_row(const fmd_json *j, const char *array, size_t i);
const char *fmd_json_row_text(const fmd_json *j, const char *array, size_t i, const char *key);
double fmd_json_row_real(const fmd_json *j, const char *array, size_t i, const char *key);

/* Local. A JSON object on stdout, as --json asks for. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_print_json(const fmd_json *j);

#endif
