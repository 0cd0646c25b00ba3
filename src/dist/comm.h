/* The MPI job. Every MPI call of the program is behind this header and reduction.h.
 *
 * A failed MPI call ends the job with one line from the rank that saw it; collective functions
 * therefore have no status unless something local can fail inside them. */
#ifndef FMD_DIST_COMM_H
#define FMD_DIST_COMM_H

#include "fmd/comm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Local. Seconds spent in fmd_comm_open. */
double fmd_comm_open_seconds(const fmd_comm *c);

/* Collective. The cores of this node that its ranks may run on, all together. */
int fmd_comm_node_cores(fmd_comm *c);

/* Collective over the node. A barrier: afterwards each rank sees what the others have written to
 * shared memory. */
void fmd_comm_node_barrier(fmd_comm *c);

/* Collective. Copies rank 0's bytes to every rank; any size. */
void fmd_comm_bcast(fmd_comm *c, void *data, size_t bytes);

/* Local. Marks a place in a step for profilers and tests, by MPI_Pcontrol, which does nothing
 * unless one of them replaces it. */
typedef enum fmd_comm_place { FMD_COMM_SUM_BEGINS = 1, FMD_COMM_SUM_ENDS = 2 } fmd_comm_place;
void fmd_comm_mark(fmd_comm_place place);

/* Ranks 0 and `from`, which is another one. Copies the bytes of rank `from` to rank 0; any size. */
void fmd_comm_to_root(fmd_comm *c, int from, void *data, size_t bytes);

/* Collective. Sums in place over the ranks. */
void fmd_comm_sum_i64(fmd_comm *c, int64_t *values, int n);

/* Collective. The means over the ranks, in place. */
void fmd_comm_mean(fmd_comm *c, double *values, int n);

/* Collective. The largest and the smallest over the ranks, in place. */
void fmd_comm_max(fmd_comm *c, double *values, int n);
void fmd_comm_min(fmd_comm *c, double *values, int n);

/* Collective. FMD_EDESYNC, naming `what` and the first rank that differs from rank 0, unless all
 * ranks hold the same `bytes` (at most 256) bytes. */
FMD_CHECKED fmd_status fmd_comm_same(fmd_comm *c, const void *data, size_t bytes, const char *what);

/* Collective. Allocates `bytes` bytes of memory that the ranks of a node share; *out is NULL for 0
 * bytes. Released by fmd_comm_unshare_all and fmd_comm_close. FMD_ENOMEM if the node has too little
 * memory; FMD_EINTERNAL for too many allocations. */
FMD_CHECKED fmd_status fmd_comm_shared(fmd_comm *c, size_t bytes, void **out);

/* Collective. Copies the first `bytes` bytes of shared memory from rank 0's node to the other
 * nodes. */
void fmd_comm_share(fmd_comm *c, void *shared, size_t bytes);

/* Collective. Releases the most recent allocation of fmd_comm_shared early. */
void fmd_comm_unshare(fmd_comm *c);

/* Collective. Releases all allocations of fmd_comm_shared. */
void fmd_comm_unshare_all(fmd_comm *c);

/* Collective. Every rank's `bytes` bytes, in rank order, into `all` on rank 0. */
void fmd_comm_gather(fmd_comm *c, const void *mine, size_t bytes, void *all);

/* Local. Ends the whole job at once: for broken invariants only. Prints the last message. */
_Noreturn void fmd_comm_abort(fmd_comm *c, fmd_status status);

#endif
