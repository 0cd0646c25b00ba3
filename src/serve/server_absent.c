/* serve in a build without libmicrohttpd. */
#include "base/version.h"
#include "serve/server.h"

fmd_status fmd_serve(const fmd_loaded_model *trained, const fmd_config *config)
{
    (void)trained;
    (void)config;
    return fmd_part_require("serve", "SERVE");
}
