/* A trained model and the data set that it is tried on, for commands that look at one. */
#ifndef FMD_APP_TRAINED_H
#define FMD_APP_TRAINED_H

#include "app/config.h"
#include "app/weights.h"

typedef struct fmd_trained {
    fmd_weights_file file;
    fmd_model *model; /* with room for FMD_EVALUATE_ROWS rows */
    fmd_dataset data; /* without the images where they were not asked for */
    fmd_split split;  /* the half that --split names */
    const char *half; /* "test" or "train" */
    float divisor;    /* of pixels */
} fmd_trained;

/* Collective. The model in the file or run folder that the user names, its weights, and where
 * `with_images` the data set: the one that the user names, else that of the run, else the default.
 * Whether they fit is checked. On failure nothing is held. */
FMD_CHECKED fmd_status fmd_trained_open(fmd_trained *t, fmd_comm *c, const fmd_config *config,
                                        bool with_images);
void fmd_trained_close(fmd_trained *t);

/* Local. "9 Ankle boot", or "9" where the class has no name. */
enum { FMD_CLASS_TEXT = 64 };
const char *fmd_class_text(const fmd_dataset_info *d, int label, char text[FMD_CLASS_TEXT]);

#endif
