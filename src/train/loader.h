/* Data for all ranks: rank 0 reads the files, and each node holds the bytes once. */
#ifndef FMD_TRAIN_LOADER_H
#define FMD_TRAIN_LOADER_H

#include "data/dataset.h"
#include "dist/comm.h"

/* Collective. Finds and loads data set `name` on rank 0, as fmd_source_open does. The bytes are in
 * memory that the ranks of a node share, until fmd_comm_close. Statuses of fmd_source_open,
 * fmd_source_load and fmd_comm_shared. */
FMD_CHECKED fmd_status fmd_loader_read(fmd_comm *c, const char *name, const char *dir,
                                       fmd_dataset *out);

/* Collective. The same for a data set larger than memory: labels are loaded, and each rank opens the files
 * of the images, which all hosts need. fmd_loader_close closes them. */
FMD_CHECKED fmd_status fmd_loader_stream(fmd_comm *c, const char *name, const char *dir,
                                         fmd_dataset *out);

/* Local. Closes the files of a data set, if there are any. */
void fmd_loader_close(fmd_dataset *d);

/* Collective. 60,000 random images of 28x28 in ten classes, in shared memory too: without a data set,
 * training on them takes the same time. Statuses of fmd_comm_shared. */
FMD_CHECKED fmd_status fmd_loader_synthetic(fmd_comm *c, fmd_dataset *out);

#endif
