#include "support/pretend_nodes.h"

fmd_comm pretend_nodes(const fmd_comm *from, int per_node)
{
    fmd_comm c = *from;
    MPI_Comm_split(c.world, c.rank / per_node, c.rank, &c.node);
    MPI_Comm_rank(c.node, &c.node_rank);
    MPI_Comm_size(c.node, &c.node_size);
    MPI_Comm_split(c.world, c.node_rank == 0 ? 0 : MPI_UNDEFINED, c.rank, &c.leaders);
    c.nodes = (c.size + per_node - 1) / per_node;
    return c;
}

void forget_nodes(fmd_comm *c)
{
    MPI_Comm_free(&c->node);
    if (c->leaders != MPI_COMM_NULL)
        MPI_Comm_free(&c->leaders);
}
