/* Times of a run over all of its processes, from events.jsonl; run.json has those of the last one. */
#ifndef FMD_RUN_RUN_TIMES_H
#define FMD_RUN_RUN_TIMES_H

#include "fmd/error.h"
#include "train/phases.h"

typedef struct fmd_run_times {
    int processes;  /* that trained since the run began anew */
    double seconds; /* of training; of a killed process, the time from its first to its last line */
    double mean[FMD_PHASES], min[FMD_PHASES], max[FMD_PHASES]; /* seconds, complete epochs */
} fmd_run_times;

/* Local. FMD_ENOINPUT, FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_run_times_read(fmd_run_times *out, const char *path);

#endif
