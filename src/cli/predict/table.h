/* Predictions as a table for people, as CSV and as JSON. */
#ifndef FMD_CLI_PREDICT_TABLE_H
#define FMD_CLI_PREDICT_TABLE_H

#include "cli/predict/user_images.h"
#include "run/config.h"
#include "run/loaded_model.h"
#include "train/evaluation/prediction.h"

/* Predictions and the labels or names of their images. Borrows everything. */
typedef struct fmd_told {
    const fmd_loaded_model *trained;
    const fmd_prediction *prediction;
    const uint8_t *images;           /* in the input shape of the model */
    const uint8_t *labels;           /* NULL: unknown */
    char (*names)[FMD_PICTURE_NAME]; /* NULL: images of the data set, by number */
    const uint32_t *index;           /* the images to print, in this order */
    size_t n;
} fmd_told;

/* Local. Print them on stdout. FMD_ENOMEM. */
void fmd_prediction_table(const fmd_told *t);
void fmd_prediction_csv(const fmd_told *t);
FMD_CHECKED fmd_status fmd_prediction_json(const fmd_told *t);

#endif
