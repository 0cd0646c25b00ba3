#include "app/weights.h"

#include <stdio.h>
#include <sys/stat.h>

fmd_status fmd_weights_path(const char *given, char path[FMD_WEIGHTS_PATH_BYTES])
{
    struct stat s;
    if (*given == '\0')
        return FMD_FAIL(FMD_EUSAGE, "which weights? Name a *.weights.h5 file or the folder of a "
                                    "run: fmnist-dist evaluate runs/20260131-120000");
    const bool folder = stat(given, &s) == 0 && S_ISDIR(s.st_mode);
    snprintf(path, FMD_WEIGHTS_PATH_BYTES, "%s%s", given,
             folder ? "/checkpoints/final.weights.h5" : "");
    return FMD_OK;
}
