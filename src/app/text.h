/* Numbers and names as people read them. */
#ifndef FMD_APP_TEXT_H
#define FMD_APP_TEXT_H

#include <stddef.h>

/* Local. 101770 as "101,770". */
const char *fmd_grouped(size_t n, char text[32]);

#endif
