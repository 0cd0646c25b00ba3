#include "base/version.h"

#include "fmd/version.h"

#include "commit.h" /* made by the build: cmake/FmdCommit.cmake */

const char *fmd_version(void)
{
    return FMD_VERSION;
}

const char *fmd_version_commit(void)
{
    return FMD_COMMIT;
}
