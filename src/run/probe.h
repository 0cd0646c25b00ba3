/* Reads a weights file in a child process first: HDF5 itself may crash on a damaged file. */
#ifndef FMD_RUN_PROBE_H
#define FMD_RUN_PROBE_H

#include "run/config.h"

/* Local, before MPI starts, as it forks. Reads the user's weights file in a child process. Files of
 * Keras have no hash, and some kinds of damage crash the HDF5 library: FMD_EDATA if the child
 * crashes. Other faults are reported when the weights are loaded. */
FMD_CHECKED fmd_status fmd_weights_probe(const fmd_config *config);

#endif
