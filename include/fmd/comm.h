/* The MPI job: its ranks and nodes.
 *
 * A program may call MPI itself, before or after fmd_comm_open. The library has a communicator of its
 * own. If an MPI call fails, the rank that sees the failure prints one line and ends the job. */
#ifndef FMD_COMM_H
#define FMD_COMM_H

#include "fmd/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fmd_comm fmd_comm;

/* Collective. Opens the job of all ranks. Starts MPI unless the program has started it, with
 * MPI_THREAD_FUNNELED or more. FMD_EUSAGE if the job is open, or MPI has ended; FMD_EINTERNAL,
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_comm_open(fmd_comm **out);

/* Local. FMD_EUSAGE if a launcher started several processes that do not form one MPI job. The
 * launcher's first process has a message with the problem and a fix; the message of the others is
 * empty. */
FMD_CHECKED fmd_status fmd_comm_check_launcher(const fmd_comm *c);

/* Collective. Releases everything, and ends MPI if fmd_comm_open started it. NULL is allowed. */
void fmd_comm_close(fmd_comm *c);

/* Local. Place in the job, and on the node. */
int fmd_comm_rank(const fmd_comm *c);
int fmd_comm_size(const fmd_comm *c);
int fmd_comm_node_rank(const fmd_comm *c);
int fmd_comm_node_size(const fmd_comm *c);
int fmd_comm_nodes(const fmd_comm *c);
const char *fmd_comm_host(const fmd_comm *c);

/* Local. The MPI library and its version: "Open MPI v4.1.4". */
const char *fmd_comm_library(void);

/* Collective. A barrier: returns once every rank has called it. */
void fmd_comm_barrier(fmd_comm *c);

/* Collective. The worst status of all ranks, with its message, becomes every rank's and is
 * returned. */
FMD_CHECKED fmd_status fmd_comm_agree(fmd_comm *c, fmd_status mine);

#ifdef __cplusplus
}
#endif

#endif
