/* A data set in a new folder, written sample by sample. The files are in a folder beside it, which gets
 * its name when they are complete. */
#ifndef FMD_DATA_IMPORT_IMPORT_WRITER_H
#define FMD_DATA_IMPORT_IMPORT_WRITER_H

#include "data/dataset.h"

typedef struct fmd_import_writer fmd_import_writer;

/* Local. Creates the files for images of a shape. FMD_EBUSY: the folder exists and is not empty;
 * FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_import_writer_create(fmd_import_writer **out, const char *folder,
                                                fmd_shape image);

/* Local. Adds a sample. FMD_EIO. */
FMD_CHECKED fmd_status fmd_import_writer_add(fmd_import_writer *w, bool test, const uint8_t *image,
                                             uint8_t label);

/* Local. Completes the files and names the folder. `names`: those of classes, n of them. FMD_EIO. */
FMD_CHECKED fmd_status fmd_import_writer_finish(fmd_import_writer *w, int n,
                                                char names[][FMD_CLASS_NAME_BYTES]);

/* Local. Removes everything unless the folder has its name. NULL is allowed. */
void fmd_import_writer_destroy(fmd_import_writer *w);

#endif
