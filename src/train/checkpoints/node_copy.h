/* Copies of checkpoints in the memory of a node, which outlive its ranks.
 *
 * A copy is the whole file of a checkpoint in /dev/shm. It exists while the run folder does not have
 * this step yet: for an emergency checkpoint that mpirun leaves no time to write to a disk, and for a
 * slow write. The next start of the run on this node puts a newer step into the run folder and
 * removes the copies. Name: user, run folder, generation of the run (io/run_lock.h) and step; only
 * the user can read it. A copy that was cut off does not match its hash. */
#ifndef FMD_TRAIN_NODE_COPY_H
#define FMD_TRAIN_NODE_COPY_H

#include "dist/comm.h"
#include "io/checkpoint/checkpoint.h"
#include "io/run_lock.h"

#include <stdbool.h>

/* Local. Creates an empty copy of this step: a file descriptor, or -1 if there is one already or
 * there can be none. In any thread, like all functions but fmd_node_copy_recover. */
int fmd_node_copy_claim(const fmd_run_lock *l, uint64_t step);

/* Local. Writes the sealed image into the claimed copy and closes it. false: the node has not enough
 * free memory, and the copy is gone again. */
bool fmd_node_copy_fill(int fd, const fmd_run_lock *l, const fmd_checkpoint_image *image);

/* Local. Removes the copy of this step. */
void fmd_node_copy_remove(const fmd_run_lock *l, uint64_t step);

/* Local. Whether the node has memory for a copy of so many bytes now. */
bool fmd_node_copy_fits(double bytes);

/* Collective. Gives rank 0 the newest intact copy that earlier starts of the run left on any node, if
 * its step is after rank 0's `after`; removes the older and damaged ones. image->data is NULL if
 * there is none; `from` is the name of the node. FMD_ENOMEM. */
enum { FMD_NODE_COPY_HOST = 256 };
FMD_CHECKED fmd_status fmd_node_copy_recover(fmd_comm *c, const fmd_run_lock *l, uint64_t after,
                                             fmd_checkpoint_image *image,
                                             char from[FMD_NODE_COPY_HOST]);

/* Local. Removes all copies that earlier starts of the run left on this node. */
void fmd_node_copy_remove_all(const fmd_run_lock *l);

#endif
