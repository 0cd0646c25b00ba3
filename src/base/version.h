/* The build: the commit of its sources, and its parts, which cmake/FmdParts.cmake can leave out.
 * fmd/version.h has the version. */
#ifndef FMD_BASE_VERSION_H
#define FMD_BASE_VERSION_H

#include "fmd/error.h"

/* Local. The git commit of the sources, with "-dirty" if files are changed; "unknown" if built from a
 * tarball. */
const char *fmd_version_commit(void);

/* Local. "JPEG, HWLOC; without ONNX", in `text`, which it returns. */
enum { FMD_PARTS_TEXT = 256 };
const char *fmd_part_list(char text[FMD_PARTS_TEXT]);

/* Local. FMD_EUSAGE, with the way to a build that has it, unless the part `name` ("JPEG") is present.
 * `label` is the option or file, and starts the message. */
FMD_CHECKED fmd_status fmd_part_require(const char *label, const char *name);

#endif
