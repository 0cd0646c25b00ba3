/* The entries of a training's state in HDF5. */
#ifndef FMD_IO_CHECKPOINT_STATE_ENTRY_H
#define FMD_IO_CHECKPOINT_STATE_ENTRY_H

#include "fmd/checkpoint.h"

#include <hdf5.h>

/* Local. The HDF5 type of an entry's values in memory. */
hid_t fmd_state_entry_type(const fmd_state_entry *entry);

#endif
