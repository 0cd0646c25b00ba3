/* Which file of weights the user means. */
#ifndef FMD_APP_WEIGHTS_H
#define FMD_APP_WEIGHTS_H

#include "fmd/dataset.h"
#include "fmd/keras_file.h"

enum { FMD_WEIGHTS_PATH_BYTES = FMD_PATH_BYTES + 64 };

/* Local. The file itself, or the final weights in the folder of a run. FMD_EUSAGE for none. */
FMD_CHECKED fmd_status fmd_weights_path(const char *given, char path[FMD_WEIGHTS_PATH_BYTES]);

#endif
