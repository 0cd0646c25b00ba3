/* The data sets that the program knows by name. */
#ifndef FMD_DATA_KNOWN_DATASETS_H
#define FMD_DATA_KNOWN_DATASETS_H

#include "data/dataset_info.h"

enum { FMD_KNOWN_DATASET_CLASSES = 10 };

/* The hashes are those of the unpacked files. */
typedef struct fmd_known_dataset {
    const char *name;
    const char *content;
    const char *torchvision; /* its folder in torchvision's root */
    fmd_hash hash[FMD_DATASET_FILES];
    const char *classes[FMD_KNOWN_DATASET_CLASSES];
} fmd_known_dataset;

/* Local. By its name, also as Keras spells it (fashion_mnist); NULL: none. */
const fmd_known_dataset *fmd_known_dataset_find(const char *name);

/* Local. The one that has a file with this hash; NULL: none. */
const fmd_known_dataset *fmd_known_dataset_owner(fmd_hash h, int file);

#endif
