/* Data for all ranks: one rank reads the files, each node holds the bytes once. */
#ifndef FMD_TRAIN_LOADER_H
#define FMD_TRAIN_LOADER_H

#include "fmd/comm.h"
#include "fmd/dataset.h"

/* Collective. Finds and loads data set `name` as fmd_source_open does, on rank 0 alone; the bytes
 * lie in memory that the ranks of a node share, until fmd_comm_close. As
 * fmd_source_open, fmd_source_load and fmd_comm_shared. */
FMD_CHECKED fmd_status fmd_loader_read(fmd_comm *c, const char *name, const char *dir,
                                       fmd_dataset *out);

/* Collective. 60,000 random images of 28x28 in ten classes, to train on where there is no data set:
 * a step takes the same time. In the same kind of memory. As fmd_comm_shared. */
FMD_CHECKED fmd_status fmd_loader_synthetic(fmd_comm *c, fmd_dataset *out);

#endif
