/* JSON objects: the records of a run (run.json, STATUS.json), the lines of events.jsonl, and the
 * output of --json. */
#ifndef FMD_IO_JSON_JSON_OBJECT_H
#define FMD_IO_JSON_JSON_OBJECT_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

/* An object. The first failure while it is built is kept; writing or printing it reports that. */
typedef struct fmd_json fmd_json;

/* Local. An empty object. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_create(fmd_json **out);
void fmd_json_destroy(fmd_json *j);

/* Local. Sets a member: of the object itself where `group` is NULL; else of the member object
 * `group`, which is made if it is missing, or of the last row of the array `group`. In text that is
 * not UTF-8, '?' replaces each byte that is not ASCII. NAN becomes null. */
void fmd_json_text(fmd_json *j, const char *group, const char *key, const char *value);
void fmd_json_int(fmd_json *j, const char *group, const char *key, long long value);
void fmd_json_real(fmd_json *j, const char *group, const char *key, double value);
void fmd_json_bool(fmd_json *j, const char *group, const char *key, bool value);

/* Local. Appends a value to the array `key`, which is made if it is missing. */
void fmd_json_append(fmd_json *j, const char *group, const char *key, const char *value);
void fmd_json_append_int(fmd_json *j, const char *group, const char *key, long long value);
void fmd_json_append_real(fmd_json *j, const char *group, const char *key, double value);

/* Local. Sets the member `key` to an array of floats, each with the fewest digits that read back as the
 * same float; or appends this array to the array `key`. */
void fmd_json_floats(fmd_json *j, const char *key, const float *values, size_t n);
void fmd_json_append_floats(fmd_json *j, const char *key, const float *values, size_t n);

/* Local. Sets the member `key` to another object, or appends that object to the array `key`. Both
 * share it: later changes of `value` show in `j`. */
void fmd_json_attach(fmd_json *j, const char *key, const fmd_json *value);
void fmd_json_append_object(fmd_json *j, const char *key, const fmd_json *value);

/* Local. Appends a row, an empty object, to the array `array`, which is made if it is missing. */
void fmd_json_row(fmd_json *j, const char *array);

/* Local. Writes the object to `path`, indented, members in the order in which they were added; the
 * file is replaced whole. FMD_EIO. */
FMD_CHECKED fmd_status fmd_json_write(const fmd_json *j, const char *path);

/* Local. The object as text, released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_print_text(const fmd_json *j, char **out);

/* Local. The object as one line that ends in a newline. `path` is for messages. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_line(char **out, const fmd_json *j, const char *path);

/* Local. Prints the object on stdout. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_print_json(const fmd_json *j);

/* Local. Reads an object from `bytes` bytes of text, which messages call `path`, or from a file.
 * FMD_ENOINPUT, FMD_EIO; FMD_EDATA with line and column. */
FMD_CHECKED fmd_status fmd_json_parse(fmd_json **out, const char *text, size_t bytes,
                                      const char *path);
FMD_CHECKED fmd_status fmd_json_read(fmd_json **out, const char *path);

/* Local. A member of the object, or of its member object `group`: a string, or NULL; a number, or
 * NAN; string number `i` of an array, or NULL. Strings live as long as `j`. */
const char *fmd_json_get_text(const fmd_json *j, const char *group, const char *key);
double fmd_json_get_real(const fmd_json *j, const char *group, const char *key);
const char *fmd_json_get_item(const fmd_json *j, const char *group, const char *key, size_t i);

/* Local. Whether the array `array` has a row `i`, and the members of that row, as above. */
bool fmd_json_has_row(const fmd_json *j, const char *array, size_t i);
const char *fmd_json_row_text(const fmd_json *j, const char *array, size_t i, const char *key);
double fmd_json_row_real(const fmd_json *j, const char *array, size_t i, const char *key);

#endif
