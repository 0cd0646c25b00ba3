/* A thread that does one job at a time, while the caller goes on.
 *
 * The job and its data belong to the thread from fmd_background_run until fmd_background_wait, or
 * until fmd_background_is_idle. The thread starts with the first job and takes no signals. */
#ifndef FMD_TRAIN_BACKGROUND_H
#define FMD_TRAIN_BACKGROUND_H

#include "fmd/error.h"

#include <stdbool.h>

typedef struct fmd_background fmd_background;

/* Local. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_background_create(fmd_background **out);

/* Local. Waits for the job, then ends the thread. NULL is allowed. */
void fmd_background_destroy(fmd_background *b);

/* Local. Runs `job` in the thread, which must be idle. FMD_ENOMEM if there can be no thread. */
FMD_CHECKED fmd_status fmd_background_run(fmd_background *b, void (*job)(void *self), void *self);

/* Local. Whether there is no job, or it has ended. In any thread. */
bool fmd_background_is_idle(const fmd_background *b);

/* Local. Returns when the job has ended. In any thread. */
void fmd_background_wait(fmd_background *b);

#endif
