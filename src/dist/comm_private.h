/* Internals of the communicator, for reductions. */
#ifndef FMD_DIST_COMM_PRIVATE_H
#define FMD_DIST_COMM_PRIVATE_H

#include "dist/comm.h"

#include <mpi.h>

enum { FMD_COMM_WINDOWS = 4 };

struct fmd_comm {
    MPI_Comm world;   /* a duplicate that returns errors */
    MPI_Comm node;    /* the ranks that share memory with this one */
    MPI_Comm leaders; /* rank 0 of every node; MPI_COMM_NULL elsewhere */
    int rank, size, node_rank, node_size, nodes;
    bool ends_mpi; /* in fmd_comm_close */
    int crowded;   /* on some node the ranks outnumber the cores */
    double open_seconds;
    char host[MPI_MAX_PROCESSOR_NAME];
    int n_windows;
    MPI_Win windows[FMD_COMM_WINDOWS];
};

/* Collective. If ranks outnumber cores, sleeps until all ranks have arrived, which leaves the cores to
 * ranks that still compute; otherwise returns at once. */
void fmd_comm_await_all(fmd_comm *c);

/* Collective over `ranks`. Waits for all of them; sleeps if ranks outnumber cores. */
void fmd_comm_await(fmd_comm *c, MPI_Comm ranks);

/* Collective. Memory shared by the ranks of a node; this rank contributes `bytes`. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_comm_window(fmd_comm *c, size_t bytes, MPI_Win *window);

/* Local. Aborts the job with `call` and MPI's error text, unless `code` is MPI_SUCCESS. */
void fmd_comm_check(fmd_comm *c, int code, const char *call);

#define FMD_MPI(c, call) fmd_comm_check((c), (call), #call)

#endif
