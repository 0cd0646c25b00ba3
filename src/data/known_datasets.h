/* The data sets that the program knows by name. */
#ifndef FMD_DATA_KNOWN_DATASETS_H
#define FMD_DATA_KNOWN_DATASETS_H

#include "fmd/dataset.h"

enum { FMD_KNOWN_DATASET_CLASSES = 10 };

typedef struct fmd_known_dataset {
    const char *name;
    const char *content;
    const char *torchvision; /* torchvision's name of it */
    const char *archive;     /* the folder in its own archive, NULL: files without a folder */
    bool hashed;             /* the hashes are known */
    fmd_hash hash[FMD_DATASET_FILES]; /* of the unpacked IDX files */
    const char *classes[FMD_KNOWN_DATASET_CLASSES];
} fmd_known_dataset;

/* Local. By its name, also as Keras (fashion_mnist) or torchvision (FashionMNIST) spells it; NULL:
 * none. */
const fmd_known_dataset *fmd_known_dataset_find(const char *name);

/* Local. The one that has a file with this hash; NULL: none. */
const fmd_known_dataset *fmd_known_dataset_owner(fmd_hash h, int file);

#endif
