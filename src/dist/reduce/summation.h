/* Sums messages over all ranks, bucket by bucket, while ranks still compute.
 *
 * A message is cut into buckets, alike on every rank. A rank writes its message from the last
 * element to the first, bucket 0 first, and says how far it is. Once all ranks of a node have
 * completed a bucket, each of them sums one slice of it in shared memory and starts a nonblocking
 * allreduce of the slice over the nodes. When all slices have arrived, every rank of the node reads
 * the total. The order of additions depends on the ranks alone. */
#ifndef FMD_DIST_REDUCE_SUMMATION_H
#define FMD_DIST_REDUCE_SUMMATION_H

#include "dist/comm_private.h"

#include <stddef.h>

typedef enum fmd_element_type { FMD_ELEMENT_U32, FMD_ELEMENT_FLOAT } fmd_element_type;

typedef struct fmd_summation fmd_summation;

/* Collective. Whether some node has several ranks, which can sum through shared memory. */
bool fmd_summation_can_share(fmd_comm *c);

/* Where the sums are made: `mpi`: by MPI over all ranks, in the message; `apart`: by the ranks of a node
 * in shared memory, apart from the messages; `in_place`: in the message of one of them, which must not
 * be written again before all ranks of the node are done with the total. */
typedef enum fmd_summation_place {
    FMD_SUMMATION_MPI,
    FMD_SUMMATION_APART,
    FMD_SUMMATION_IN_PLACE
} fmd_summation_place;

/* Collective. For messages of elements of 32 bits. Bucket i has elements cuts[i + 1] to cuts[i] - 1;
 * the cuts descend from the number of elements, cuts[0], to cuts[n_buckets] = 0. FMD_ENOMEM, also if a
 * node has too little shared memory. Destroy is collective. */
FMD_CHECKED fmd_status fmd_summation_create(fmd_summation **out, fmd_comm *c,
                                            fmd_summation_place place, fmd_element_type type,
                                            const size_t *cuts, size_t n_buckets);
void fmd_summation_destroy(fmd_summation *s);

/* Local. This rank's message, and the total. A total apart is valid until this rank completes the first
 * bucket of the next message; otherwise until the message is written again. */
void *fmd_summation_message(fmd_summation *s);
const void *fmd_summation_total(const fmd_summation *s);

/* Local. Elements from `first` on are complete: `first` descends within a message. Advances the sums
 * of complete buckets, and never waits. */
void fmd_summation_complete(fmd_summation *s, size_t first);

/* Collective. The message is complete; waits for the total. On return the message may be
 * overwritten. False if the elements are floats and the total has a value that is not finite. */
bool fmd_summation_finish(fmd_summation *s);

#endif
