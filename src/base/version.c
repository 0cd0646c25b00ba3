#include "base/version.h"

#include "fmd/version.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commit.h" /* made by the build: cmake/FmdCommit.cmake */

static const struct {
    const char *name;
    bool present;
} parts[] = {
#define PART(name, present, help) {#name, present},
#include "parts.def" /* made by the build */
#undef PART
};

enum { PARTS = sizeof parts / sizeof *parts };

const char *fmd_version(void)
{
    return FMD_VERSION;
}

const char *fmd_version_commit(void)
{
    return FMD_COMMIT;
}

const char *fmd_part_list(char text[FMD_PARTS_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (int present = 1; present >= 0; present--) {
        const char *before = present ? "" : used > 0 ? "; without " : "without ";
        for (size_t i = 0; i < PARTS && used < FMD_PARTS_TEXT; i++)
            if (parts[i].present == (present == 1)) {
                used += (size_t)snprintf(text + used, FMD_PARTS_TEXT - used, "%s%s", before,
                                         parts[i].name);
                before = ", ";
            }
    }
    return text;
}

fmd_status fmd_part_require(const char *label, const char *name)
{
    for (size_t i = 0; i < PARTS; i++)
        if (strcmp(parts[i].name, name) == 0 && parts[i].present)
            return FMD_OK;
    return FMD_FAIL(FMD_EUSAGE,
                    "%s: this fmnist-dist was built without %s; build it with -D FMD_%s=ON", label,
                    name, name);
}
