/* Parts of the program that a build may leave out: cmake/FmdParts.cmake. */
#ifndef FMD_BASE_PARTS_H
#define FMD_BASE_PARTS_H

#include "fmd/error.h"

/* Local. "JPEG, HWLOC; without ONNX", in `text`, which it returns. */
enum { FMD_PARTS_TEXT = 256 };
const char *fmd_part_list(char text[FMD_PARTS_TEXT]);

/* Local. FMD_EUSAGE, with the way to a build that has it, unless the part `name` ("JPEG") is present.
 * `label` is the option or file, and starts the message. */
FMD_CHECKED fmd_status fmd_part_require(const char *label, const char *name);

#endif
