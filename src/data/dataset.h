/* A data set for image classification: images and labels as bytes, for training and for testing.
 *
 * The structs are views of memory that the caller owns; data/source.h reads the files. */
#ifndef FMD_DATA_DATASET_H
#define FMD_DATA_DATASET_H

#include "base/hash.h"
#include "base/shape.h"
#include "fmd/dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Labels are bytes. */
enum { FMD_PATH_BYTES = 1024, FMD_CLASSES_MAX = 256, FMD_CLASS_NAME_BYTES = 48 };

/* The shape of a Fashion-MNIST image, and the default input shape of a model. */
#define FMD_MNIST_IMAGE ((fmd_shape){.rank = 2, .dim = {28, 28}})

/* The parts of a data set, in the order in which they lie in memory. IDX files have one file each. */
enum { FMD_TRAIN_IMAGES, FMD_TRAIN_LABELS, FMD_TEST_IMAGES, FMD_TEST_LABELS, FMD_DATASET_FILES };

/* The training images or the test images, with their labels: a view, owns nothing. */
typedef struct fmd_stream fmd_stream;

typedef struct fmd_split {
    size_t n;              /* images */
    const uint8_t *images; /* image by image, row-major; NULL: they are in the stream */
    const uint8_t *labels;
    const uint32_t *index; /* the numbers of the n images among those; NULL: 0 to n - 1 */
    fmd_stream *stream;    /* NULL: the images are in memory */
    size_t first;          /* image of the stream */
} fmd_split;

/* A description of a data set; plain bytes, so that it can be broadcast. */
typedef struct fmd_dataset_info {
    char name[32]; /* "fashion-mnist", or the last part of the path; after loading by the
                                     hashes, where they are known */
    char path[FMD_PATH_BYTES]; /* the folder it was read from */
    fmd_shape image;           /* (H, W) or (H, W, C) */
    int classes;               /* largest label of both splits + 1; known after loading */
    size_t n_train, n_test;
    fmd_hash
        hash[FMD_DATASET_FILES]; /* of the unpacked IDX files, or of files with the same content
                                       * in other formats; known after loading */
    bool verified;               /* the hashes match the published data set */
    bool streamed;               /* images stay in their files; their hashes are samples */
    /* from classes.txt in the folder, or of the published data set of this name; empty: none */
    char class_names[FMD_CLASSES_MAX][FMD_CLASS_NAME_BYTES];
} fmd_dataset_info;

/* A data set with its bytes: a view, owns nothing. */
struct fmd_dataset {
    fmd_dataset_info info;
    fmd_split train, test;
};

/* Local. The images of a split from number `first` on, n of them, each `bytes` long. */
fmd_split fmd_split_part(const fmd_split *s, size_t first, size_t n, size_t bytes);

/* Local. The views of a data set that fmd_source_load has loaded at `memory`. */
void fmd_dataset_view(fmd_dataset *out, const fmd_dataset_info *info, const void *memory);

/* Local. The offset of each part in memory, aligned; returns the size of all. */
size_t fmd_dataset_layout(const fmd_dataset_info *info, size_t offset[FMD_DATASET_FILES]);

/* Local. The shape of an image for a part with images; rank 0 for a part with labels. */
fmd_shape fmd_dataset_part_shape(const fmd_dataset_info *info, int part);

/* Local. "train_images" and so on: the key of a part in JSON files. */
const char *fmd_dataset_key(int part);

/* Local. The name of a class: "Ankle boot" for 9 of Fashion-MNIST, empty if it is unknown. Valid as
 * long as `info`. */
const char *fmd_class_name(const fmd_dataset_info *info, int label);

/* Local. The number of images of each class. */
void fmd_split_count(const fmd_split *split, size_t images[FMD_CLASSES_MAX]);

/* Local. The number of classes with images in `a` and none in `b`. */
int fmd_split_unmatched(const fmd_split *a, const fmd_split *b);

#endif
