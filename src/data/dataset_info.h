/* The description of a data set, and views of its bytes. */
#ifndef FMD_DATA_DATASET_INFO_H
#define FMD_DATA_DATASET_INFO_H

#include "base/hash.h"
#include "base/shape.h"
#include "fmd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Labels are bytes. */
enum { FMD_PATH_BYTES = 1024, FMD_CLASSES_MAX = 256, FMD_CLASS_NAME_BYTES = 48 };

/* The files of a data set, in the order in which they lie in memory. */
enum { FMD_TRAIN_IMAGES, FMD_TRAIN_LABELS, FMD_TEST_IMAGES, FMD_TEST_LABELS, FMD_DATASET_FILES };

/* One half of a data set: a view, owns nothing. */
typedef struct fmd_split {
    size_t n;              /* images */
    const uint8_t *images; /* n times the image's bytes, row-major */
    const uint8_t *labels; /* n */
} fmd_split;

/* What is known of a data set; plain bytes, so that it can be broadcast. */
typedef struct fmd_dataset_info {
    char name[32];             /* "fashion-mnist", "mnist", or the last part of the path; after
                                     loading by the hashes, where they are known */
    char path[FMD_PATH_BYTES]; /* the folder it was read from */
    fmd_shape image;           /* (H, W) or (H, W, C) */
    int classes;               /* largest label of both halves + 1; known after loading */
    size_t n_train, n_test;
    fmd_hash hash[FMD_DATASET_FILES]; /* of the whole IDX files as unpacked; known after loading */
    bool verified;                    /* the hashes are those of the published data set */
    /* of classes.txt in the folder, or of the published data set of this name; empty: none */
    char class_names[FMD_CLASSES_MAX][FMD_CLASS_NAME_BYTES];
} fmd_dataset_info;

/* A data set with its bytes: a view, owns nothing. */
typedef struct fmd_dataset {
    fmd_dataset_info info;
    fmd_split train, test;
} fmd_dataset;

#endif
