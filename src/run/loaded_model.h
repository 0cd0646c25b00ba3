/* A trained model and the data set to evaluate it on, for commands that inspect a model. */
#ifndef FMD_RUN_LOADED_MODEL_H
#define FMD_RUN_LOADED_MODEL_H

#include "nn/metrics/metric.h"
#include "run/config.h"
#include "run/weights_file.h"

typedef struct fmd_loaded_model {
    fmd_weights_file file;
    fmd_model *model;        /* with memory to evaluate */
    fmd_dataset data;        /* the parts that the command needs */
    fmd_split split;         /* the split that --split names */
    const char *half;        /* "test" or "train" */
    float divisor;           /* of pixels */
    fmd_objective objective; /* the user's, else the run's */
    bool foreign; /* rank 0: the images of the split are known to differ from the run's */
} fmd_loaded_model;

/* The data that a command needs besides the model. */
typedef enum fmd_loaded_model_needs {
    FMD_NEEDS_NO_DATA,
    FMD_NEEDS_CLASS_NAMES,
    FMD_NEEDS_STREAM,     /* images as below; with --stream they stay in their files */
    FMD_NEEDS_IMAGES,     /* the data set that the user names, else that of the run */
    FMD_NEEDS_OWN_IMAGES, /* as before, and the images must be the run's */
} fmd_loaded_model_needs;

/* Collective. Loads the model in the file or run folder that the user names, its weights, and the
 * required parts of the data set. A run records the name and location of its data set. --dataset
 * and --data-dir override them; --dataset alone is searched for in the default places. Without a
 * run, the default data set is used. FMD_EUSAGE if model and data do not match. On failure nothing
 * needs to be released. */
FMD_CHECKED fmd_status fmd_loaded_model_open(fmd_loaded_model *t, fmd_comm *c,
                                             const fmd_config *config,
                                             fmd_loaded_model_needs needs);
void fmd_loaded_model_close(fmd_loaded_model *t);

/* Local. "9 Ankle boot", or "9" where the class has no name. */
enum { FMD_CLASS_TEXT = 64 };
const char *fmd_class_text(const fmd_dataset_info *d, int label, char text[FMD_CLASS_TEXT]);

#endif
