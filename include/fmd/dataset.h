/* A data set of images and labels, training and test. Each node holds its bytes once. */
#ifndef FMD_DATASET_H
#define FMD_DATASET_H

#include "fmd/comm.h"
#include "fmd/shape.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fmd_dataset fmd_dataset;

typedef enum fmd_split_name { FMD_SPLIT_TEST, FMD_SPLIT_TRAIN } fmd_split_name;

/* Collective. Loads data set `name` ("fashion-mnist", "cifar-10", or a folder) on rank 0 and copies it
 * to the other nodes. It is looked for in `dir`, or in the program's default places if `dir` is NULL.
 * FMD_ENOINPUT names the places; FMD_EDATA names the file and the fault; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_dataset_load(fmd_dataset **out, fmd_comm *c, const char *name,
                                        const char *dir);

/* Local. Releases the handle; the bytes are released by fmd_comm_close. NULL is allowed. */
void fmd_dataset_destroy(fmd_dataset *d);

/* Local. Number of images of a split. */
size_t fmd_dataset_size(const fmd_dataset *d, fmd_split_name split);

/* Local. All images of a split, one after another, as bytes in row-major order; and their labels. Read
 * only; valid until fmd_comm_close. */
const uint8_t *fmd_dataset_images(const fmd_dataset *d, fmd_split_name split);
const uint8_t *fmd_dataset_labels(const fmd_dataset *d, fmd_split_name split);

/* Local. The shape of an image: (28, 28) for Fashion-MNIST, (32, 32, 3) for CIFAR-10. */
fmd_shape fmd_dataset_image_shape(const fmd_dataset *d);

/* Local. Number of classes; and the name of one: "Ankle boot", or "" if it has no name. As long as the
 * data set. */
int fmd_dataset_classes(const fmd_dataset *d);
const char *fmd_dataset_class_name(const fmd_dataset *d, int label);

/* Local. "fashion-mnist", and the folder that it was read from. As long as the data set. */
const char *fmd_dataset_name(const fmd_dataset *d);
const char *fmd_dataset_path(const fmd_dataset *d);

#ifdef __cplusplus
}
#endif

#endif
