/* The wishes of the user for data import, which importers see too. */
#ifndef FMD_DATA_IMPORT_IMPORT_ARGS_H
#define FMD_DATA_IMPORT_IMPORT_ARGS_H

#include "data/image.h"

#include <stdbool.h>

enum { FMD_IMPORT_TEXT = 512 };

/* How an image of other proportions is brought to the size: with a black border, distorted, or with its
 * edges cut off. Names in the order of the values. */
#define FMD_IMPORT_FIT_NAMES "pad|stretch|crop"
typedef enum fmd_import_fit { FMD_IMPORT_PAD, FMD_IMPORT_STRETCH, FMD_IMPORT_CROP } fmd_import_fit;

/* Which of several columns is the label. */
#define FMD_IMPORT_LABEL_NAMES "auto|first|last"
typedef enum fmd_import_label {
    FMD_IMPORT_LABEL_AUTO,
    FMD_IMPORT_LABEL_FIRST,
    FMD_IMPORT_LABEL_LAST,
} fmd_import_label;

typedef struct fmd_import_args {
    const char *source, *dest;
    const char
        *dir;      /* where a source that has no path but a name is looked for; "": as elsewhere */
    fmd_size size; /* of the result; zeros: as in the source */
    size_t channels; /* 1 or 3; 0: as in the source */
    fmd_import_fit fit;
    fmd_import_label label;
    double test_split; /* share of the samples to test, where the source has none; NAN: a tenth */
    void (*progress)(void *self, double share); /* 0 to 1; NULL: none */
    void *self;
    bool (*stopped)(void); /* whether to give up; NULL: never */
} fmd_import_args;

#endif
