/* The actions of the data command. */
#ifndef FMD_CLI_DATA_DATA_H
#define FMD_CLI_DATA_DATA_H

#include "run/config.h"

/* Local. Lists the data sets found. */
FMD_CHECKED fmd_status fmd_data_list(const fmd_config *config);

/* Local. Describes a data set; with --output also in a picture. */
FMD_CHECKED fmd_status fmd_data_info(const fmd_config *config);

/* Local. Checks the files of a data set. FMD_EDATA: they are not those of the published set. */
FMD_CHECKED fmd_status fmd_data_verify(const fmd_config *config);

/* Local. Converts a data set in other files. Statuses of fmd_import. */
FMD_CHECKED fmd_status fmd_data_import(const fmd_config *config);

/* Local. Downloads a published data set: replaces this process by the script get-data, which writes into
 * --data-dir, or where that is empty into the user's folder for data sets. Returns after a failure alone:
 * FMD_EUSAGE for an unknown name, FMD_ENOINPUT without the script. */
FMD_CHECKED fmd_status fmd_data_get(const fmd_config *config);

#endif
