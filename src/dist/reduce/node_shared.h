/* Sums messages over all ranks, those of a node through memory that they share.
 *
 * Each rank has a message in the memory of its node. When all are complete, each rank adds up one
 * slice of them; slices are added over the nodes by MPI_Allreduce; when all slices are there, the
 * total can be read by every rank of the node. The order of additions depends on the ranks alone. */
#ifndef FMD_DIST_REDUCE_NODE_SHARED_H
#define FMD_DIST_REDUCE_NODE_SHARED_H

#include "dist/comm_private.h"

#include <stddef.h>

typedef enum fmd_element_type { FMD_ELEMENT_U32, FMD_ELEMENT_FLOAT } fmd_element_type;

typedef struct fmd_node_shared fmd_node_shared;

/* Collective. For messages of n_elements lanes of 32 bits. FMD_ENOMEM where a node has too little shared
 * memory. Destroy is collective. */
FMD_CHECKED fmd_status fmd_node_shared_create(fmd_node_shared **out, fmd_comm *c,
                                              size_t n_elements);
void fmd_node_shared_destroy(fmd_node_shared *s);

/* Local. This rank's message, and the total; the total stays until the next one is made. */
void *fmd_node_shared_message(fmd_node_shared *s);
const void *fmd_node_shared_total(const fmd_node_shared *s);

/* Collective. Makes the total. On return the message may be overwritten. False if the lanes are floats
 * and some of the total are not finite. */
bool fmd_node_shared_run(fmd_node_shared *s, fmd_element_type type);

/* Local. Whether all n values are finite. */
bool fmd_all_finite(size_t n, const float *x);

#endif
