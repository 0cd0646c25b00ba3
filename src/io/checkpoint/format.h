/* The program's own group in a checkpoint, which Keras ignores. */
#ifndef FMD_IO_CHECKPOINT_FORMAT_H
#define FMD_IO_CHECKPOINT_FORMAT_H

#include "io/checkpoint/state_entry.h"

#include <hdf5.h>

#define FMD_FORMAT_GROUP       "/fmnist_dist"
#define FMD_FORMAT_FINGERPRINT FMD_FORMAT_GROUP "/fingerprint"
#define FMD_FORMAT_STATE       FMD_STATE_GROUP
enum { FMD_FORMAT_VERSION = 1 };

/* Local. The type of a state entry in memory; the file has its little-endian form. */
hid_t fmd_format_type(fmd_state_kind kind);

#endif
