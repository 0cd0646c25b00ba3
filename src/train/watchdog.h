/* One thread of every rank that watches over a training.
 *
 * It turns signals into a request to stop after the next step; it ends the job when nothing moves
 * any more; and when another rank has died, so that this one waits in vain and mpirun is about to
 * end it, it writes a last checkpoint ("dying emergency"), so that the death of a rank costs no step.
 *
 * The state of the training may be read by the thread only while it is free: the training thread
 * frees it while it computes gradients or waits for others, which changes none of it. */
#ifndef FMD_TRAIN_WATCHDOG_H
#define FMD_TRAIN_WATCHDOG_H

#include "fmd/error.h"

#include <stdbool.h>

typedef struct fmd_watchdog fmd_watchdog;

/* Local. SIGUSR1 and SIGTERM end nothing from here on: they ask to stop after the first step, or
 * wait for the watchdog. SIGTERM is blocked, before MPI starts threads of its own. */
void fmd_watchdog_prepare(void);

/* With files everything may last so many times as long: disks and networks are slow at times. */
enum { FMD_WATCHDOG_FILES = 10 };

/* Local. Starts the thread; the state is not free. Handles SIGINT too; the second SIGINT ends the
 * process. `hang_seconds` without word of a phase end the process with FMD_EHANG; 0: never. The start
 * is a phase with files. FMD_EINTERNAL, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_watchdog_start(fmd_watchdog **out, int rank, const char *host,
                                          double hang_seconds);

/* Local. Ends the thread. NULL is allowed. */
void fmd_watchdog_stop(fmd_watchdog *g);

/* Local. The signal that asks to stop, or 0. */
int fmd_watchdog_signal(const fmd_watchdog *g);

/* Local. What the training does from now on ("allreduce"), or still does, if that lasts; a text that
 * lives for ever. */
void fmd_watchdog_phase(fmd_watchdog *g, const char *phase);

/* Local. The same for phases in which this rank, or one that it waits for, reads or writes files. */
void fmd_watchdog_files(fmd_watchdog *g, const char *phase);

/* Local. Between unlock and lock the state does not change, and the watchdog may write it. */
void fmd_watchdog_unlock(fmd_watchdog *g);
void fmd_watchdog_lock(fmd_watchdog *g);

/* Runs the statement behind it with the state unlocked: one that waits for other ranks. The statement
 * must not be left by return, break or goto. */
#define FMD_WHILE_UNLOCKED(g)                                                                      \
    for (bool fmd_unlocked = (fmd_watchdog_unlock(g), true); fmd_unlocked;                         \
         fmd_unlocked = (fmd_watchdog_lock(g), false))

/* Local. For who owns the state. How to write the last checkpoint, called with the state owned; NULL:
 * there is none from now on. */
void fmd_watchdog_on_emergency(fmd_watchdog *g, void (*write)(void *), void *self);

#endif
