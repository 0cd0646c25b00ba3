/* Images from the user's own PNG, JPEG and IDX files, converted to the input shape of a model. */
#ifndef FMD_CLI_PREDICT_USER_IMAGES_H
#define FMD_CLI_PREDICT_USER_IMAGES_H

#include "data/dataset.h"
#include "dist/comm.h"
#include "run/config.h"

enum { FMD_PICTURE_NAME = FMD_PATH_BYTES + 32 };

typedef struct fmd_user_images {
    fmd_split split;                 /* without labels; on every rank */
    char (*names)[FMD_PICTURE_NAME]; /* of each image, on rank 0: "a.png", "many.idx[3]" */
} fmd_user_images;

/* Which pictures are inverted; grey ones only, where it is decided picture by picture. */
typedef enum fmd_invert {
    FMD_INVERT_NONE,
    FMD_INVERT_ALL,
    FMD_INVERT_LIGHT /* those with a light border */
} fmd_invert;

/* Local. What --invert asks for: its value if the user gave it; otherwise light borders are inverted
 * where the data set has dark ones. */
fmd_invert fmd_invert_of(const fmd_config *config, const fmd_dataset_info *data);

/* Collective. The images of `files`, separated by commas, in the input shape of a model: fitted into
 * its size in their own proportions, grey or colour converted. Of a folder, all files but hidden
 * ones, in the order of their names. Warns of scaled, converted and inverted images, and of each file
 * of a folder that cannot be read. The bytes lie in memory that the ranks share;
 * fmd_user_images_free releases the rest. FMD_EUSAGE, FMD_ENOINPUT, FMD_EDATA. */
FMD_CHECKED fmd_status fmd_user_images_read(fmd_user_images *out, fmd_comm *c, const char *files,
                                            fmd_shape image, fmd_invert invert);
void fmd_user_images_free(fmd_user_images *p);

#endif
