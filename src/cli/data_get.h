/* data get: downloads a published data set. */
#ifndef FMD_CLI_DATA_GET_H
#define FMD_CLI_DATA_GET_H

#include "run/config.h"

/* Local. Replaces this process by the script get-data, which writes into --data-dir, or where that is
 * empty into the user's folder for data sets. Returns after a failure alone: FMD_EUSAGE for an unknown
 * name, FMD_ENOINPUT without the script. */
FMD_CHECKED fmd_status fmd_data_get(const fmd_config *config);

#endif
