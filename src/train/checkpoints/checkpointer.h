/* The checkpoints of a run: schedule, writing, retention and recovery.
 *
 * Checkpoints are written while training goes on: the training thread copies the state and hands
 * the copy to a thread of the checkpointer. One file is written at a time, so a checkpoint is
 * complete before the next one begins. A failed write is reported while training goes on; the
 * newest good file is never deleted. Every rank has a checkpointer, since any rank may have to
 * write the emergency checkpoint; otherwise only rank 0 writes and reads. */
#ifndef FMD_TRAIN_CHECKPOINTER_H
#define FMD_TRAIN_CHECKPOINTER_H

#include "dist/comm.h"
#include "io/checkpoint/checkpoint.h"
#include "io/run_lock.h"
#include "train/callbacks/callback.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct fmd_checkpointer fmd_checkpointer;

/* When a checkpoint is due. */
typedef enum fmd_save_kind {
    FMD_SAVE_AUTO,   /* after epochs, at the cost of at most 1 % of the time */
    FMD_SAVE_EPOCH,  /* after every epoch */
    FMD_SAVE_STEPS,  /* after every `every` steps */
    FMD_SAVE_SECONDS /* after the first step that ends `every` seconds after the last save */
} fmd_save_kind;

typedef struct fmd_checkpointer_args {
    const char *run_folder; /* checkpoints are in its folder checkpoints */
    fmd_run_lock lock;      /* of the run folder; a copy, where rank 0 holds it */
    fmd_save_kind kind;
    double every;
    int64_t keep;        /* of the newest, at least 1 */
    bool best;           /* keep the best by `monitor` too, in best.weights.h5 */
    const char *monitor; /* a metric */
    fmd_monitor_mode mode;
} fmd_checkpointer_args;

/* Local. `freq`: "auto", "epoch", a number of steps, or a time such as 30s. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_save_freq_parse(const char *freq, fmd_save_kind *kind, double *every);

/* Local. Borrows the texts. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_checkpointer_create(fmd_checkpointer **out,
                                               const fmd_checkpointer_args *args);
void fmd_checkpointer_destroy(fmd_checkpointer *s);

/* Local. Whether a checkpoint is due after `step` steps in total; the same on all ranks. */
bool fmd_checkpointer_due_by_step(const fmd_checkpointer *s, uint64_t step);

/* Rank 0. Whether one is due by the clock, or at the end of an epoch. Not while the last one is
 * being written; but a write that failed for good is due by time, so that the training ends. */
bool fmd_checkpointer_due_by_time(const fmd_checkpointer *s);
bool fmd_checkpointer_due_by_epoch(const fmd_checkpointer *s);

/* Rank 0. Waits until the last checkpoint is written, copies the state and begins to write it; then
 * `latest.weights.h5` is linked, and all but the newest are deleted. Its outcome is returned by the
 * next of these functions: write, write_best, settle, write_final. FMD_EBUSY: the folder belongs to
 * another process by now. A failed write is a warning; the third in a row is FMD_EIO. */
FMD_CHECKED fmd_status fmd_checkpointer_write(fmd_checkpointer *s, const fmd_state *state);

/* Rank 0. The same for best.weights.h5, if this epoch is the best so far. */
FMD_CHECKED fmd_status fmd_checkpointer_write_best(fmd_checkpointer *s, const fmd_state *state,
                                                   const fmd_metrics *metrics);

/* Rank 0. Waits until nothing is being written; returns the outcome of the last write. */
FMD_CHECKED fmd_status fmd_checkpointer_settle(fmd_checkpointer *s);

/* Rank 0. The same without waiting, except for an outcome that ends the training. */
void fmd_checkpointer_poll(fmd_checkpointer *s);

/* Rank 0. Makes final.weights.h5, the end of the run, and waits until it is written: a hard link to
 * the newest checkpoint if that has the same step and the weights have not been `replaced` since;
 * else a file of its own. FMD_EIO, FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_checkpointer_write_final(fmd_checkpointer *s, const fmd_state *state,
                                                    bool replaced);

/* Local. The state entry with the metric of best.weights.h5. */
fmd_state_entry fmd_checkpointer_entry(fmd_checkpointer *s);

/* Local. The emergency checkpoint: writes the file of this step unless it exists or another
 * survivor does it. First, one rank of the node keeps a copy in memory (node_copy.h), which is
 * removed when the file is complete. */
void fmd_checkpointer_emergency(fmd_checkpointer *s, const fmd_state *state);

/* Collective. Before fmd_checkpointer_load: if the memory of a node has a newer state than the run
 * folder, it becomes a checkpoint of the folder. FMD_EIO, FMD_ENOMEM, FMD_EBUSY. */
FMD_CHECKED fmd_status fmd_checkpointer_recover(fmd_checkpointer *s, fmd_comm *c);

/* Rank 0. Reads the newest intact checkpoint with `read`, which returns FMD_EDATA for a damaged
 * file. Damaged files are renamed to .bad, with a warning, and unfinished files are deleted.
 * *found: whether a checkpoint was read. FMD_EDATA if all checkpoints are damaged; otherwise the
 * status of `read`. */
FMD_CHECKED fmd_status fmd_checkpointer_load(fmd_checkpointer *s,
                                             fmd_status (*read)(void *self, const char *path),
                                             void *self, bool *found);

/* Rank 0. Call after a checkpoint, `state`, has been read with `n` epochs in the history. Makes
 * best.weights.h5 hold the weights of the best epoch: if necessary, copies them from the folder of
 * the checkpoint `from` (NULL: the run folder's own). If the weights are lost, it warns, and the
 * next better epoch writes the file. */
void fmd_checkpointer_recall(fmd_checkpointer *s, const fmd_state *state,
                             const fmd_metrics *history, size_t n, uint64_t epoch_steps,
                             const char *from);

/* Local. The number of checkpoints that this process has written, and the seconds for which they
 * held the training up. */
int fmd_checkpointer_count(const fmd_checkpointer *s);
double fmd_checkpointer_seconds(const fmd_checkpointer *s);

/* Rank 0. The step of best.weights.h5; 0: there is none. */
uint64_t fmd_checkpointer_best_step(const fmd_checkpointer *s);

/* Rank 0. Whether a checkpoint has been completed since the last call: its step, the seconds from
 * the copy to the end of the write, and its name in the run folder. */
enum { FMD_CHECKPOINTER_FILE_BYTES = 96 };
bool fmd_checkpointer_saved(fmd_checkpointer *s, uint64_t *step, double *seconds,
                            char file[FMD_CHECKPOINTER_FILE_BYTES]);

#endif
