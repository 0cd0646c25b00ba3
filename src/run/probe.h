/* Reading a weights file in a process of its own first: HDF5 itself may crash on a damaged one. */
#ifndef FMD_RUN_PROBE_H
#define FMD_RUN_PROBE_H

#include "run/config.h"

/* Local, before MPI starts, as it forks. Reads the weights that the user names in a process that may die
 * of it: files of Keras have no hash, and some damages end the HDF5 library. Then it is FMD_EDATA; all
 * else that is wrong with them is found later. */
FMD_CHECKED fmd_status fmd_weights_probe(const fmd_config *config);

#endif
