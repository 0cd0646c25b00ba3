/* What jansson lacks: values of options, and text with the shortest numbers. */
#ifndef FMD_IO_JSON_JSON_VALUE_H
#define FMD_IO_JSON_JSON_VALUE_H

#include "base/option.h"

#include <jansson.h>

/* Local. The option's value: a number, string or boolean, null where it is unset, an array of
 * strings where it repeats. A new reference, or NULL: no memory, or text that is not UTF-8. */
json_t *fmd_json_of_option(const fmd_option *o, const void *base);

/* Local. JSON text, released by free(); NULL: no memory. Numbers have the fewest digits that read
 * back as the same number: jansson makes 0.1 to 0.10000000000000001. `indent`: a line a member. */
char *fmd_json_print(json_t *value, bool indent);

/* Local. Writes a value as a whole file. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_json_write_value(json_t *value, const char *path);

#endif
