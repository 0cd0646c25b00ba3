/* Checks that all ranks were started alike. */
#ifndef FMD_RUN_START_H
#define FMD_RUN_START_H

#include "dist/comm.h"

/* Collective. Warns once if arguments or FMNIST_DIST_ variables of a rank differ from rank 0's,
 * which apply to all ranks. FMD_EUSAGE: the commands differ; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_start_compare(fmd_comm *c, const char *command, int argc, char **argv);

#endif
