/* Images that the user brings: PNG and IDX files, brought to what a model takes. */
#ifndef FMD_CLI_PREDICT_USER_IMAGES_H
#define FMD_CLI_PREDICT_USER_IMAGES_H

#include "fmd/comm.h"
#include "fmd/dataset.h"

enum { FMD_PICTURE_NAME = FMD_PATH_BYTES + 32 };

typedef struct fmd_user_images {
    fmd_split split;                 /* without labels; on every rank */
    char (*names)[FMD_PICTURE_NAME]; /* of each image, on rank 0: "a.png", "many.idx[3]" */
} fmd_user_images;

/* Collective. The images of `files`, which are separated by commas, in the shape that the model
 * takes: fitted into its size in their own proportions, light on dark (`invert`: PNG files are dark on
 * light). Says which were scaled, and which seem to need --invert. Released by fmd_user_images_free
 * but for the bytes, which lie in memory that the ranks share. FMD_EUSAGE, FMD_ENOINPUT, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_user_images_read(fmd_user_images *out, fmd_comm *c, const char *files,
                                            fmd_shape image, bool invert);
void fmd_user_images_free(fmd_user_images *p);

#endif
