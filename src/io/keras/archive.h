/* Files in a .keras archive: a ZIP file with config.json, metadata.json and model.weights.h5. */
#ifndef FMD_IO_KERAS_ARCHIVE_H
#define FMD_IO_KERAS_ARCHIVE_H

#include "nn/model.h"

#include <stddef.h>

/* Local. The bytes of the file `name` in the archive at `path`, followed by a NUL that does not
 * count; *data is released by free(). FMD_ENOINPUT, FMD_EIO; FMD_EDATA names archive and file. */
FMD_CHECKED fmd_status fmd_keras_archive_read(void **data, size_t *bytes, const char *path,
                                              const char *name);

/* Local. Writes a model without its training state as an archive that keras.models.load_model of
 * Keras 3 opens; the file is replaced whole. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_keras_archive_write(const char *path, const fmd_model *m);

#endif
