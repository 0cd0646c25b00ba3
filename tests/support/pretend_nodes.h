/* Nodes on one machine: the ranks in groups. */
#ifndef FMD_TEST_PRETEND_NODES_H
#define FMD_TEST_PRETEND_NODES_H

#include "dist/comm_private.h"

/* Collective. A copy of `from` with nodes of `per_node` ranks each; the last node has the rest. */
fmd_comm pretend_nodes(const fmd_comm *from, int per_node);

/* Collective. Frees what pretend_nodes has made. */
void forget_nodes(fmd_comm *c);

#endif
