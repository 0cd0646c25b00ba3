/* A thread on each rank that watches the training.
 *
 * It turns signals into a request to stop after the next step. It ends the job when there is no
 * progress. When another rank has died and mpirun is about to end this one, it writes an emergency
 * checkpoint, so that no step is lost.
 *
 * The thread may read the state of the training only while the state is unlocked. The training
 * thread unlocks it while it computes gradients or waits for other ranks: neither changes the
 * state. */
#ifndef FMD_TRAIN_WATCHDOG_H
#define FMD_TRAIN_WATCHDOG_H

#include "dist/comm.h"

#include <stdbool.h>

typedef struct fmd_watchdog fmd_watchdog;

/* Local. From here on, no signal that can be caught ends the process, except SIGINT and SIGQUIT:
 * the others ask the training to stop after its next step. Signals that are ignored, as SIGHUP
 * under nohup, stay ignored. A closed pipe and a file size limit are errors of write(). SIGTERM is
 * blocked, so call this before MPI starts threads. */
void fmd_watchdog_prepare(void);

/* Phases with file access get this many times the timeout: disks and networks can be slow. */
enum { FMD_WATCHDOG_FILES = 10 };

/* Local. Starts the thread, with the state locked. SIGINT and SIGQUIT ask to stop too; the second
 * one ends the process. After `hang_seconds` without a change of phase the process ends with
 * FMD_EHANG; 0: never. The start is a phase with file access. FMD_EINTERNAL, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_watchdog_start(fmd_watchdog **out, int rank, const char *host,
                                          double hang_seconds);

/* Collective. Gives the ranks of a node a board in shared memory on which each shows that it is
 * alive. The message of --hang-timeout then names the rank that the others wait for. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_watchdog_share(fmd_watchdog *g, fmd_comm *c);

/* Local. Ends the thread. NULL is allowed. */
void fmd_watchdog_stop(fmd_watchdog *g);

/* Local. The signal that asks to stop, or 0. */
int fmd_watchdog_signal(const fmd_watchdog *g);

/* Local. The training enters a phase ("allreduce"), or is still in it. `phase` is a constant. */
void fmd_watchdog_phase(fmd_watchdog *g, const char *phase);

/* Local. The same for a phase in which this rank, or a rank that it waits for, accesses files. */
void fmd_watchdog_files(fmd_watchdog *g, const char *phase);

/* Local. Between unlock and lock the state does not change, and the watchdog may write it. */
void fmd_watchdog_unlock(fmd_watchdog *g);
void fmd_watchdog_lock(fmd_watchdog *g);

/* Runs the following statement, which waits for other ranks, with the state unlocked. The statement
 * must not contain return, break or goto. */
#define FMD_WHILE_UNLOCKED(g)                                                                      \
    for (bool fmd_unlocked = (fmd_watchdog_unlock(g), true); fmd_unlocked;                         \
         fmd_unlocked = (fmd_watchdog_lock(g), false))

/* Local. Sets the function that writes the emergency checkpoint; it is called with the state
 * locked, and again soon if it returns false. NULL: none. The caller holds the lock. */
void fmd_watchdog_on_emergency(fmd_watchdog *g, bool (*write)(void *), void *self);

/* Local. Sets the function that records the message of --hang-timeout before the process ends; a
 * thread of its own calls it once, on one rank of a node, at any moment. */
void fmd_watchdog_on_hang(fmd_watchdog *g, void (*record)(void *self, const char *message),
                          void *self);

#endif
