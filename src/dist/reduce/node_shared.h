/* Sums messages over all ranks. The ranks of a node exchange messages through shared memory.
 *
 * Each rank writes its message to shared memory. When all messages are complete, each rank of a node
 * sums one slice of them. MPI_Allreduce then sums the slices over the nodes. When all slices are
 * complete, every rank of the node reads the total. The order of additions depends on the ranks
 * alone. */
#ifndef FMD_DIST_REDUCE_NODE_SHARED_H
#define FMD_DIST_REDUCE_NODE_SHARED_H

#include "dist/comm_private.h"

#include <stddef.h>

typedef enum fmd_element_type { FMD_ELEMENT_U32, FMD_ELEMENT_FLOAT } fmd_element_type;

typedef struct fmd_node_shared fmd_node_shared;

/* Collective. For messages of n_elements elements of 32 bits. FMD_ENOMEM where a node has too
 * little shared memory. Destroy is collective. */
FMD_CHECKED fmd_status fmd_node_shared_create(fmd_node_shared **out, fmd_comm *c,
                                              size_t n_elements);
void fmd_node_shared_destroy(fmd_node_shared *s);

/* Local. This rank's message, and the total; the total is valid until the next run. */
void *fmd_node_shared_message(fmd_node_shared *s);
const void *fmd_node_shared_total(const fmd_node_shared *s);

/* Collective. Sums the messages. On return the message may be overwritten. False if the elements are
 * floats and the total has a value that is not finite. */
bool fmd_node_shared_run(fmd_node_shared *s, fmd_element_type type);

/* Local. Whether all n values are finite. */
bool fmd_all_finite(size_t n, const float *x);

#endif
