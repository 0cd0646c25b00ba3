/* Parts of the program that a build may leave out: cmake/FmdParts.cmake. */
#ifndef FMD_BASE_PARTS_H
#define FMD_BASE_PARTS_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct fmd_part {
    const char *name; /* "JPEG"; -D FMD_JPEG=ON requires it */
    bool present;
    const char *help;
} fmd_part;

/* Local. Part number i, or NULL past the end. */
const fmd_part *fmd_part_at(size_t i);

/* Local. FMD_EUSAGE, with the way to a build that has it, unless the part is present. `label` is what
 * the user asked for, and starts the message. */
FMD_CHECKED fmd_status fmd_part_require(const char *label, const char *name);

#endif
