/* Reads history.csv: the epochs of a run. */
#ifndef FMD_RUN_HISTORY_H
#define FMD_RUN_HISTORY_H

#include "train/callbacks/callback.h"

typedef struct fmd_epoch {
    fmd_metrics metrics;
    double seconds, samples_per_s; /* NAN where they are not known */
} fmd_epoch;

typedef struct fmd_history {
    size_t n;
    fmd_epoch *epochs;
    bool validation;          /* there are val_ columns */
    fmd_metric_list *metrics; /* of the epochs, besides loss and accuracy */
} fmd_history;

/* Local. Reads the known columns, by name. An incomplete last line is still being written and is
 * ignored. Released by fmd_history_free. FMD_ENOINPUT; FMD_EDATA with the
 * line. */
FMD_CHECKED fmd_status fmd_history_read(fmd_history *out, const char *path);
void fmd_history_free(fmd_history *h);

#endif
