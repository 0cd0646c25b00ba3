/* How the ranks were started. */
#ifndef FMD_RUN_START_H
#define FMD_RUN_START_H

#include "fmd/comm.h"

/* Collective. Warns once if some rank was started with other arguments or FMNIST_DIST_ variables
 * than rank 0, since only those of rank 0 count. FMD_EUSAGE: with another command; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_start_compare(fmd_comm *c, const char *command, int argc, char **argv);

#endif
