/* Images from the user's own PNG, JPEG and IDX files, converted to the input shape of a model. */
#ifndef FMD_CLI_PREDICT_USER_IMAGES_H
#define FMD_CLI_PREDICT_USER_IMAGES_H

#include "data/dataset.h"
#include "dist/comm.h"
#include "run/pictures/user_picture.h"

enum { FMD_PICTURE_NAME = FMD_PATH_BYTES + 32 };

typedef struct fmd_user_images {
    fmd_split split;                 /* without labels; on every rank */
    char (*names)[FMD_PICTURE_NAME]; /* of each image, on rank 0: "a.png", "many.idx[3]" */
} fmd_user_images;

/* Collective. The images of `files`, separated by commas, in the input shape of a model: fitted into
 * its size in their own proportions, grey or colour converted. Of a folder, all files but hidden
 * ones, in the order of their names. Warns of scaled, converted and inverted images, and of each file
 * of a folder that cannot be read. The bytes lie in memory that the ranks share;
 * fmd_user_images_free releases the rest. FMD_EUSAGE, FMD_ENOINPUT, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_user_images_read(fmd_user_images *out, fmd_comm *c, const char *files,
                                            fmd_shape image, fmd_invert invert);
void fmd_user_images_free(fmd_user_images *p);

#endif
