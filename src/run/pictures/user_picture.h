/* A user's PNG or JPEG picture as the input of a model: colours converted, a light border inverted,
 * fitted into the model's size. predict, serve and the live report share these rules. */
#ifndef FMD_RUN_PICTURES_USER_PICTURE_H
#define FMD_RUN_PICTURES_USER_PICTURE_H

#include "data/dataset.h"
#include "data/image.h"
#include "run/config.h"

/* Which pictures are inverted; grey ones only. */
typedef enum fmd_invert {
    FMD_INVERT_NONE,
    FMD_INVERT_ALL,
    FMD_INVERT_LIGHT /* those with a light border */
} fmd_invert;

/* Local. The value of --invert if the user gave it; otherwise light borders are inverted where the data
 * set has dark ones. */
fmd_invert fmd_invert_of(const fmd_config *config, const fmd_dataset_info *data);

/* The images of a model. */
typedef struct fmd_model_images {
    fmd_size size;
    size_t channels; /* 1 or 3 */
    fmd_invert invert;
} fmd_model_images;

/* Local. Size and channels from an input shape: (H, W), (H, W, C), or a square of so many pixels.
 * `invert` stays. FMD_EUSAGE: neither grey nor RGB images. */
FMD_CHECKED fmd_status fmd_model_images_of(fmd_model_images *m, fmd_shape image);

/* Local. Bytes of an image. */
size_t fmd_model_images_bytes(const fmd_model_images *m);

/* The changes that a picture went through. */
typedef struct fmd_picture_changes {
    bool scaled, inverted, converted; /* inverted: because of its border */
    fmd_size from;
} fmd_picture_changes;

/* Local. Fits an image of the model's channels and any size into the model's size. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_model_images_fit(const fmd_model_images *m, const uint8_t *pixels,
                                            fmd_size size, uint8_t *out,
                                            fmd_picture_changes *changes);

/* Local. The picture in `data`, the bytes of a PNG or JPEG file that messages call `name`, into
 * `out`, fmd_model_images_bytes. FMD_EDATA, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_user_picture(const fmd_model_images *m, const void *data, size_t bytes,
                                        const char *name, uint8_t *out,
                                        fmd_picture_changes *changes);

#endif
