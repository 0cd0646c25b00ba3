/* What the writer and the reader of Keras files share. */
#ifndef FMD_IO_KERAS_LAYOUT_H
#define FMD_IO_KERAS_LAYOUT_H

#include "fmd/model.h"
#include "fmd/optimizer.h"
#include "io/checkpoint/state_entry.h"

#include <hdf5.h>

/* Our own group, which Keras ignores, and the number of its form. */
#define FMD_KERAS_OURS        "/fmnist_dist"
#define FMD_KERAS_FINGERPRINT FMD_KERAS_OURS "/fingerprint"
#define FMD_KERAS_STATE       FMD_KERAS_OURS "/state"
enum { FMD_KERAS_FORMAT = 1 };

/* The name of every file in memory. HDF5 looks first whether such a file exists: it cannot. */
#define FMD_H5_MEMORY "/dev/null/memory"

enum { FMD_KERAS_PATH = 160, FMD_H5_WHY = 160 };

/* Local. Where a tensor of the model is: "/layers/dense_1/vars/0". */
const char *fmd_keras_tensor_path(const fmd_model *m, size_t tensor, char text[FMD_KERAS_PATH]);

/* Local. Where an optimizer slot of a tensor is: behind iteration and learning rate, variable by
 * variable or slot by slot, as Keras makes them for this optimizer. */
const char *fmd_keras_slot_path(const fmd_model *m, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH]);

/* Local. The type of an entry's values in memory. */
hid_t fmd_h5_entry_type(const fmd_state_entry *entry);

/* Local. Access properties of a file in memory, to be closed by H5Pclose; negative on failure. From
 * now on HDF5 prints nothing of its own. */
hid_t fmd_h5_memory_access(void);

/* Local. The cause of HDF5's last failure. */
const char *fmd_h5_why(char text[FMD_H5_WHY]);

/* Local. "(784, 128)" of a data space of any rank. */
const char *fmd_h5_space_text(hid_t space, char *text, size_t size);

/* Local. Whether a data space is a plain array of this shape. */
bool fmd_h5_space_equals(hid_t space, fmd_shape shape);

/* Local. "8-byte floats", for messages. */
const char *fmd_h5_type_text(hid_t type, char *text, size_t size);

#endif
