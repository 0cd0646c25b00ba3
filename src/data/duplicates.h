/* Equal images of a data set, by their hashes. */
#ifndef FMD_DATA_DUPLICATES_H
#define FMD_DATA_DUPLICATES_H

#include "data/dataset.h"

typedef struct fmd_duplicates {
    size_t repeated; /* training images that are there already */
    size_t leaked;   /* test images that are training images too */
} fmd_duplicates;

/* Hashes of images; zeros are an empty list. */
typedef struct fmd_image_hashes {
    struct fmd_image_hash *at;
    size_t n, capacity;
} fmd_image_hashes;

/* Local. Adds an image. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_image_hashes_add(fmd_image_hashes *h, const uint8_t *image, size_t bytes,
                                            bool test);
void fmd_image_hashes_free(fmd_image_hashes *h);

/* Local. Sorts the list and counts. */
fmd_duplicates fmd_duplicates_count(fmd_image_hashes *h);

/* Local. The same of all images of a data set. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_duplicates_of(const fmd_dataset *d, fmd_duplicates *out);

#endif
