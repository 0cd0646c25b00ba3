/* Sums messages over all ranks, those of a node through memory that they share.
 *
 * Each rank has a message in the memory of its node. When all are complete, each rank adds up one
 * slice of them; slices are added over the nodes by MPI_Allreduce; when all slices are there, the
 * total can be read by every rank of the node. The order of additions depends on the ranks alone. */
#ifndef FMD_DIST_REDUCE_NODE_SHARED_H
#define FMD_DIST_REDUCE_NODE_SHARED_H

#include "dist/comm_private.h"

#include <stddef.h>

typedef enum fmd_lane_type { FMD_LANE_U32, FMD_LANE_FLOAT } fmd_lane_type;

typedef struct fmd_node_sum fmd_node_sum;

/* Collective. For messages of n_lanes lanes of 32 bits. FMD_ENOMEM where a node has too little shared
 * memory. Destroy is collective. */
FMD_CHECKED fmd_status fmd_node_sum_create(fmd_node_sum **out, fmd_comm *c, size_t n_lanes);
void fmd_node_sum_destroy(fmd_node_sum *s);

/* Local. This rank's message, and the total; the total stays until the next one is made. */
void *fmd_node_sum_message(fmd_node_sum *s);
const void *fmd_node_sum_total(const fmd_node_sum *s);

/* Collective. Makes the total. On return the message may be overwritten. False if the lanes are floats
 * and some of the total are not finite. */
bool fmd_node_sum_run(fmd_node_sum *s, fmd_lane_type type);

/* Local. Whether all n values are finite. */
bool fmd_all_finite(size_t n, const float *x);

#endif
