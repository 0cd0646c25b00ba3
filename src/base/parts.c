#include "base/parts.h"

#include <string.h>

static const fmd_part parts[] = {
#define PART(name, present, help) {#name, present, help},
#include "parts.def" /* made by the build */
#undef PART
};

enum { PARTS = sizeof parts / sizeof *parts };

const fmd_part *fmd_part_at(size_t i)
{
    return i < PARTS ? &parts[i] : NULL;
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
