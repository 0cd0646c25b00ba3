/* The data sets that the program knows by name. */
#ifndef FMD_DATA_KNOWN_DATASETS_H
#define FMD_DATA_KNOWN_DATASETS_H

#include "fmd/dataset.h"

enum { FMD_PUBLISHED_CLASSES = 10 };

/* The hashes are those of the unpacked files. */
typedef struct fmd_published {
    const char *name;
    const char *content;
    const char *torchvision; /* its folder in torchvision's root */
    fmd_hash hash[FMD_DATASET_FILES];
    const char *classes[FMD_PUBLISHED_CLASSES];
} fmd_published;

/* Local. By its name, also as Keras spells it (fashion_mnist); NULL: none. */
const fmd_published *fmd_published_find(const char *name);

/* Local. The one that has a file with this hash; NULL: none. */
const fmd_published *fmd_published_owner(fmd_hash h, int file);

#endif
