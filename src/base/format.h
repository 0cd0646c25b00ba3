/* Numbers and shapes in a form for people. */
#ifndef FMD_BASE_FORMAT_H
#define FMD_BASE_FORMAT_H

#include "base/shape.h"

#include <stddef.h>

/* Local. 101770 as "101,770". */
const char *fmd_format_count(size_t n, char text[32]);

/* Local. 407080 as "397.54 KB", as Keras counts. */
const char *fmd_format_bytes(size_t bytes, char text[32]);

/* Local. The shortest decimal number that reads back as the same float. */
const char *fmd_format_float(float value, char text[32]);

/* Local. "28x28", "32x32x3" */
const char *fmd_format_shape(fmd_shape s, char text[FMD_SHAPE_TEXT]);

#endif
