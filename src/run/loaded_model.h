/* A trained model and the data set that it is tried on, for commands that look at one. */
#ifndef FMD_RUN_LOADED_MODEL_H
#define FMD_RUN_LOADED_MODEL_H

#include "run/config.h"
#include "run/weights_file.h"

typedef struct fmd_loaded_model {
    fmd_weights_file file;
    fmd_model *model; /* with memory to evaluate */
    fmd_dataset data; /* as much of it as was asked for */
    fmd_split split;  /* the half that --split names */
    const char *half; /* "test" or "train" */
    float divisor;    /* of pixels */
    bool foreign;     /* rank 0: the images of that half are known to be others than the run's */
} fmd_loaded_model;

/* What a command needs besides the model. */
typedef enum fmd_loaded_model_needs {
    FMD_NEEDS_NO_DATA,
    FMD_NEEDS_CLASS_NAMES,
    FMD_NEEDS_IMAGES,     /* the data set that the user names, else that of the run */
    FMD_NEEDS_OWN_IMAGES, /* as before, but no others than the run's */
} fmd_loaded_model_needs;

/* Collective. The model in the file or run folder that the user names, its weights, and of its data
 * set what is needed. A run knows the name of its data set and where it was; what the user gives by
 * --dataset or --data-dir counts more, and a --dataset alone is looked for in the usual places.
 * Without a run it is the default. FMD_EUSAGE unless they fit. On failure nothing is held. */
FMD_CHECKED fmd_status fmd_loaded_model_open(fmd_loaded_model *t, fmd_comm *c,
                                             const fmd_config *config,
                                             fmd_loaded_model_needs needs);
void fmd_loaded_model_close(fmd_loaded_model *t);

/* Local. "9 Ankle boot", or "9" where the class has no name. */
enum { FMD_CLASS_TEXT = 64 };
const char *fmd_class_text(const fmd_dataset_info *d, int label, char text[FMD_CLASS_TEXT]);

#endif
