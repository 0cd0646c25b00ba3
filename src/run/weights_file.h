/* The weights file that the user names, and its model. */
#ifndef FMD_RUN_WEIGHTS_FILE_H
#define FMD_RUN_WEIGHTS_FILE_H

#include "io/keras/import.h"
#include "run/config.h"

enum { FMD_WEIGHTS_PATH_BYTES = FMD_PATH_BYTES + 64 };

/* A weights file. Without a file, `path` is empty and `info` is unused. */
typedef struct fmd_weights_file {
    char path[FMD_WEIGHTS_PATH_BYTES];
    fmd_weights_info info;
} fmd_weights_file;

/* Local. The path of the weights file. For a run folder: its final weights, else its newest
 * checkpoint. FMD_EUSAGE: no weights. */
FMD_CHECKED fmd_status fmd_weights_path(const char *given, char path[FMD_WEIGHTS_PATH_BYTES]);

/* Local. For a damaged file (FMD_EDATA) of the run folder `given`: adds to the message the name of
 * another one that is intact. Returns `st`. */
fmd_status fmd_weights_advise(fmd_status st, const char *given, const char *path);

/* Collective; local where `c` is NULL. Reads the description of the model on every rank. Statuses
 * of fmd_weights_path and fmd_weights_read_info. */
FMD_CHECKED fmd_status fmd_weights_file_open(fmd_comm *c, fmd_weights_file *f, const char *given);

/* Local. The model that the user describes with --layers or --hidden, else the file, else the
 * defaults, for `classes` classes and images of shape `image`. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_weights_file_model(fmd_model **out, const fmd_weights_file *f,
                                              const fmd_config *config, fmd_shape image,
                                              int classes, size_t max_samples);

/* Local. What it needs. */
FMD_CHECKED fmd_status fmd_weights_file_measure(fmd_model_size *out, const fmd_weights_file *f,
                                                const fmd_config *config, fmd_shape image,
                                                int classes);

/* Collective. The parameters in the file, on every rank. As fmd_weights_read_params. */
FMD_CHECKED fmd_status fmd_weights_file_load(fmd_comm *c, const fmd_weights_file *f, fmd_model *m);

/* Local. Whether the model accepts images of this shape. The values are the same for (28, 28), (28,
 * 28, 1) and (784). */
bool fmd_weights_same_images(fmd_shape in, fmd_shape image);

#endif
