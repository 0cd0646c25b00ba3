/* Conversion of data sets in other files to IDX files with names of classes.
 *
 * Samples go one at a time from an importer to the writer, so the source may be larger than memory. The
 * folder of the result appears when it is complete: a failed import leaves nothing behind. A sample with
 * a fault is dropped and counted; a source with a fault is refused. */
#ifndef FMD_DATA_IMPORT_IMPORT_H
#define FMD_DATA_IMPORT_IMPORT_H

#include "data/duplicates.h"
#include "data/import/import_args.h"

enum { FMD_IMPORT_DROPS = 12 };

/* Samples that were dropped for one reason. */
typedef struct fmd_import_drop {
    const char *reason;
    size_t n;
    char first[FMD_IMPORT_TEXT]; /* an example */
} fmd_import_drop;

typedef struct fmd_import_report {
    const char *kind; /* of the source */
    fmd_dataset_info info;
    bool test_split;               /* the test images were set aside */
    size_t resized, converted;     /* images of another size, of other channels */
    int unused;                    /* labels below the largest one that no image has */
    size_t count[FMD_CLASSES_MAX]; /* training images of each class */
    fmd_duplicates duplicates;
    fmd_import_drop drop[FMD_IMPORT_DROPS]; /* with different reasons */
    int n_drops;
    size_t dropped;
    char note[FMD_IMPORT_TEXT]; /* what else the user should know; empty: nothing */
} fmd_import_report;

/* Local. Converts `source` to a data set in the new folder `dest`. FMD_EUSAGE, FMD_EDATA, FMD_ENOINPUT,
 * FMD_EIO, FMD_ENOMEM; FMD_EBUSY: `dest` exists and is not empty; FMD_ESTOPPED. */
FMD_CHECKED fmd_status fmd_import(const fmd_import_args *args, fmd_import_report *out);

#endif
