/* Pictures that go with predictions. */
#ifndef FMD_CLI_PREDICT_EXPLAIN_H
#define FMD_CLI_PREDICT_EXPLAIN_H

#include "cli/predict/table.h"

/* Rank 0. Draws the images in the terminal as the model sees them. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_prediction_show_input(const fmd_told *t);

/* Rank 0. Draws explanations of the first images into a folder, which is made if it is missing. The
 * data set is loaded. FMD_EBUSY, FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_prediction_explain(const fmd_told *t, const char *folder);

#endif
