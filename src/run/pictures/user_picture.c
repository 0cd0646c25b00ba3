#include "run/pictures/user_picture.h"

#include "base/mem.h"
#include "data/known_datasets.h"
#include "data/source.h"
#include "io/pictures/picture.h"

#include <stdlib.h>
#include <string.h>

fmd_status fmd_model_images_of(fmd_model_images *m, fmd_shape image)
{
    char text[FMD_SHAPE_TEXT];
    size_t side = 1;
    m->channels = image.rank == 3 ? (size_t)image.dim[2] : 1;
    m->size = (fmd_size){.width = (size_t)image.dim[1], .height = (size_t)image.dim[0]};
    while (image.rank == 1 && side * side < (size_t)image.dim[0])
        side++;
    if (image.rank == 1)
        m->size = (fmd_size){.width = side, .height = side};
    if (fmd_shape_count(image) != fmd_model_images_bytes(m) ||
        (m->channels != 1 && m->channels != 3))
        return FMD_FAIL(FMD_EUSAGE, "the model takes %s, which is neither a grey nor an RGB image",
                        fmd_shape_text(image, 0, text));
    return FMD_OK;
}

size_t fmd_model_images_bytes(const fmd_model_images *m)
{
    return m->size.width * m->size.height * m->channels;
}

fmd_status fmd_model_images_fit(const fmd_model_images *m, const uint8_t *pixels, fmd_size size,
                                uint8_t *out, fmd_picture_changes *changes)
{
    uint8_t *scratch = NULL;
    changes->from = size;
    changes->scaled = size.width != m->size.width || size.height != m->size.height;
    if (!changes->scaled) {
        memcpy(out, pixels, fmd_model_images_bytes(m));
        return FMD_OK;
    }
    FMD_TRY(fmd_alloc(&scratch, fmd_model_images_bytes(m), 1, "an image"));
    fmd_image_fit(pixels, size, m->channels, out, m->size, scratch);
    free(scratch);
    return FMD_OK;
}

/* Whether the border of the training images is dark on the whole. A data set that cannot be read is
 * taken for one of the family of MNIST. */
static bool has_dark_border(const fmd_dataset_info *data)
{
    enum { MOST = 200 };
    fmd_dataset d;
    void *memory = NULL;
    size_t sum = 0, n = 0;
    const fmd_shape s = data->image;
    if (s.rank < 2 || fmd_source_read(&d, &memory, data->path, "") != FMD_OK)
        return true;
    const size_t height = (size_t)d.info.image.dim[0];
    const size_t row = fmd_shape_count(d.info.image) / height;
    for (size_t i = 0; i < d.train.n && i < MOST; i++) {
        const uint8_t *image = d.train.images + i * height * row;
        for (size_t k = 0; k < row; k++, n += 2)
            sum += image[k] + (size_t)image[(height - 1) * row + k];
    }
    free(memory);
    return sum <= 127 * n;
}

fmd_invert fmd_invert_of(const fmd_config *config, const fmd_dataset_info *data)
{
    if (fmd_config_gives(config, "invert"))
        return config->view.invert ? FMD_INVERT_ALL : FMD_INVERT_NONE;
    const bool dark = fmd_known_dataset_find(data->name) != NULL ||
                      strncmp(data->name, "emnist", 6) == 0 || has_dark_border(data);
    return dark ? FMD_INVERT_LIGHT : FMD_INVERT_NONE;
}

/* Whether the rim is rather light than dark. A picture of one colour has no rim. */
static bool is_light(const fmd_picture *p)
{
    const size_t row = p->width * p->channels;
    size_t sum = 0, n = 0;
    for (size_t y = 0; y < p->height; y++)
        for (size_t i = 0; i < row; i++) {
            const bool rim =
                y == 0 || y + 1 == p->height || i < p->channels || i + p->channels >= row;
            sum += rim ? p->pixels[y * row + i] : 0;
            n += rim;
        }
    const bool plain = memcmp(p->pixels, p->pixels + p->channels,
                              p->width * p->height * p->channels - p->channels) == 0;
    return !plain && sum > 127 * n;
}

static bool is_grey(const fmd_picture *p)
{
    for (size_t i = 0; i < p->width * p->height; i++) {
        const uint8_t *rgb = p->pixels + 3 * i;
        if (rgb[0] != rgb[1] || rgb[1] != rgb[2])
            return false;
    }
    return true;
}

/* The bytes of a PNG or JPEG file. */
typedef struct file_bytes {
    const void *data;
    size_t bytes;
    const char *name;
} file_bytes;

/* Whether it is in colours where the model is grey, or the other way round. */
static fmd_status compare_colours(bool *other, const fmd_model_images *m, const fmd_picture *p,
                                  const file_bytes *f)
{
    fmd_picture colours;
    if (m->channels == 3) {
        *other = is_grey(p);
        return FMD_OK;
    }
    FMD_TRY(fmd_picture_decode(&colours, f->data, f->bytes, f->name, 3, 0));
    *other = !is_grey(&colours);
    fmd_picture_free(&colours);
    return FMD_OK;
}

/* Decodes the picture and decides whether it is inverted. Where it is transparent, its ground is as
 * light as that of the picture before its inversion. */
static fmd_status decode(fmd_picture *p, const fmd_model_images *m, const file_bytes *f,
                         bool *invert)
{
    *invert = m->invert != FMD_INVERT_NONE && m->channels == 1;
    FMD_TRY(fmd_picture_decode(p, f->data, f->bytes, f->name, m->channels, *invert ? 255 : 0));
    if (m->invert == FMD_INVERT_ALL || !*invert || is_light(p))
        return FMD_OK;
    fmd_picture_free(p);
    *invert = false;
    return fmd_picture_decode(p, f->data, f->bytes, f->name, m->channels, 0);
}

fmd_status fmd_user_picture(const fmd_model_images *m, const void *data, size_t bytes,
                            const char *name, uint8_t *out, fmd_picture_changes *changes)
{
    const file_bytes f = {.data = data, .bytes = bytes, .name = name};
    fmd_picture p;
    bool invert;
    FMD_TRY(decode(&p, m, &f, &invert));
    fmd_status st = compare_colours(&changes->converted, m, &p, &f);
    changes->inverted = invert && m->invert == FMD_INVERT_LIGHT;
    for (size_t i = 0; invert && i < p.width * p.height * p.channels; i++)
        p.pixels[i] = (uint8_t)(255 - p.pixels[i]);
    const fmd_size size = {.width = p.width, .height = p.height};
    if (st == FMD_OK)
        st = fmd_model_images_fit(m, p.pixels, size, out, changes);
    fmd_picture_free(&p);
    return st;
}
