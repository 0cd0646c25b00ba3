/* JSON values beyond jansson: options as values, and text with the shortest numbers. */
#ifndef FMD_IO_JSON_JSON_VALUE_H
#define FMD_IO_JSON_JSON_VALUE_H

#include "base/option.h"

#include <jansson.h>

/* Local. The value of an option: a number, string or boolean; null if it is unset; an array of
 * strings if it repeats. A new reference, or NULL: out of memory, or text that is not UTF-8. */
json_t *fmd_json_of_option(const fmd_option *o, const void *base);

/* Local. JSON text, released by free(); NULL: out of memory. Numbers have the fewest digits that
 * read back as the same number, where jansson turns 0.1 into 0.10000000000000001. `indent` puts
 * each member on its own line. */
char *fmd_json_print(json_t *value, bool indent);

/* Local. Writes a value to `path`; the file is replaced whole. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_write_value(json_t *value, const char *path);

#endif
