/* The memory that a training takes on one node. */
#ifndef FMD_RUN_NODE_MEMORY_H
#define FMD_RUN_NODE_MEMORY_H

#include "nn/model.h"
#include "run/config.h"

typedef struct fmd_node_memory {
    double rank_bytes;    /* each rank: values of a group of samples, gradient sums; and its own
                             parameters and optimizer state, unless they are shared */
    double node_bytes;    /* once: shared parameters and optimizer state, or the total */
    double file_bytes;    /* rank 0: a checkpoint that is written or read */
    double message_bytes; /* of rank_bytes: gradient sums, in shared memory */
    double shared_bytes;  /* of node_bytes: in shared memory */
    bool sharded;
} fmd_node_memory;

/* Local. For `ranks` ranks on a node, each with memory for `samples` samples. FMD_EUSAGE: there is no
 * such optimizer. */
FMD_CHECKED fmd_status fmd_node_memory_predict(fmd_node_memory *out, const fmd_config *c,
                                               const fmd_model_size *size, int ranks,
                                               size_t samples);

/* Local. The sum for `ranks` ranks, without data. */
double fmd_node_memory_sum(const fmd_node_memory *m, int ranks);

#endif
