/* The data sets that the program knows by name. */
#ifndef FMD_DATA_KNOWN_DATASETS_H
#define FMD_DATA_KNOWN_DATASETS_H

#include "data/dataset.h"

enum { FMD_KNOWN_DATASET_CLASSES = 10 };

typedef struct fmd_known_dataset {
    const char *name;
    const char *content;
    const char *torchvision; /* its name in torchvision */
    const char *archive;     /* the folder in its own archive, NULL: files without a folder */
    bool hashed;             /* the hashes are known */
    fmd_hash hash[FMD_DATASET_FILES]; /* of the unpacked IDX files */
    const char *classes[FMD_KNOWN_DATASET_CLASSES];
} fmd_known_dataset;

/* Local. Looks up a name, also in the spelling of Keras (fashion_mnist) or torchvision
 * (FashionMNIST); NULL: unknown. */
const fmd_known_dataset *fmd_known_dataset_find(const char *name);

/* Local. Looks up the data set with a file of this hash; NULL: unknown. */
const fmd_known_dataset *fmd_known_dataset_owner(fmd_hash h, int file);

#endif
