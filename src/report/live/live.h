/* The section "Try the model" of a page: a visitor draws a picture or names a file, and sees the
 * probabilities. The page holds the model, or asks a server for each prediction. */
#ifndef FMD_REPORT_LIVE_LIVE_H
#define FMD_REPORT_LIVE_LIVE_H

#include "report/html.h"
#include "run/loaded_model.h"
#include "run/pictures/user_picture.h"

/* Borrows everything. */
typedef struct fmd_live {
    const fmd_loaded_model *trained;
    fmd_model_images images;
    const fmd_split
        *examples;   /* labelled images, of which one of each class is shown; NULL: none */
    const char *url; /* answers predictions; NULL: the page holds the model */
} fmd_live;

/* Local. Adds the section. FMD_EUSAGE: the model is too large for a page. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_live_put(fmd_html *h, const fmd_live *l);

#endif
