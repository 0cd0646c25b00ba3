#include "cli/predict/user_images.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/system/path_list.h"
#include "base/system/regular_file.h"
#include "data/image.h"
#include "data/known_datasets.h"
#include "data/source.h"
#include "io/pictures/picture.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Images of which the user should know something: how many, and the first of them. */
typedef struct remark {
    size_t n;
    char first[FMD_PICTURE_NAME + 64];
} remark;

/* Images as they come in, on rank 0. */
typedef struct intake {
    fmd_size size; /* that the model takes */
    size_t channels;
    size_t n, room;
    uint8_t *bytes;
    char (*names)[FMD_PICTURE_NAME];
    fmd_invert invert;
    remark scaled, inverted, converted;
} intake;

static void remember(remark *r, const char *name)
{
    if (r->n++ == 0)
        snprintf(r->first, sizeof r->first, "%s", name);
}

/* (H, W), (H, W, C), or a square of so many pixels. */
static fmd_status look_at_shape(intake *in, fmd_shape image)
{
    char text[FMD_SHAPE_TEXT];
    size_t side = 1;
    in->channels = image.rank == 3 ? (size_t)image.dim[2] : 1;
    in->size = (fmd_size){.width = (size_t)image.dim[1], .height = (size_t)image.dim[0]};
    while (image.rank == 1 && side * side < (size_t)image.dim[0])
        side++;
    if (image.rank == 1)
        in->size = (fmd_size){.width = side, .height = side};
    if (fmd_shape_count(image) != in->size.width * in->size.height * in->channels ||
        (in->channels != 1 && in->channels != 3))
        return FMD_FAIL(FMD_EUSAGE,
                        "--images: the model takes %s, which is neither a grey nor an RGB image",
                        fmd_shape_text(image, 0, text));
    return FMD_OK;
}

static size_t image_bytes(const intake *in)
{
    return in->size.width * in->size.height * in->channels;
}

/* Grows by `n` images. */
static fmd_status make_room(intake *in, size_t n)
{
    size_t room = in->room > 0 ? in->room : 16;
    while (room < in->n + n)
        room *= 2;
    if (room == in->room)
        return FMD_OK;
    void *bytes = realloc(in->bytes, room * image_bytes(in));
    in->bytes = bytes != NULL ? bytes : in->bytes;
    void *names = realloc(in->names, room * sizeof *in->names);
    in->names = names != NULL ? names : in->names;
    if (bytes == NULL || names == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: %zu images", room);
    in->room = room;
    return FMD_OK;
}

/* Adds an image of the model's channels and any size; there is room. */
static fmd_status add_image(intake *in, const uint8_t *pixels, fmd_size size, const char *name)
{
    char text[sizeof in->scaled.first];
    uint8_t *scratch = NULL, *to = in->bytes + in->n * image_bytes(in);
    if (size.width == in->size.width && size.height == in->size.height) {
        memcpy(to, pixels, image_bytes(in));
    } else {
        FMD_TRY(fmd_alloc(&scratch, image_bytes(in), 1, "an image"));
        fmd_image_fit(pixels, size, in->channels, to, in->size, scratch);
        free(scratch);
        snprintf(text, sizeof text, "%s, %zu x %zu", name, size.width, size.height);
        remember(&in->scaled, text);
    }
    snprintf(in->names[in->n++], FMD_PICTURE_NAME, "%s", name);
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

/* Remembers a picture in colours for a grey model, or a grey one for a model of colours. */
static fmd_status compare_colours(intake *in, const fmd_picture *p, const char *path)
{
    fmd_picture colours;
    if (in->channels == 3) {
        if (is_grey(p))
            remember(&in->converted, path);
        return FMD_OK;
    }
    FMD_TRY(fmd_picture_read(&colours, path, 3, 0));
    if (!is_grey(&colours))
        remember(&in->converted, path);
    fmd_picture_free(&colours);
    return FMD_OK;
}

/* Reads a picture, and decides whether it is inverted. Where it is transparent, its ground is as light
 * as that of what it is turned into. */
static fmd_status open_picture(fmd_picture *p, const intake *in, const char *path, bool *invert)
{
    *invert = in->invert != FMD_INVERT_NONE && in->channels == 1;
    FMD_TRY(fmd_picture_read(p, path, in->channels, *invert ? 255 : 0));
    if (in->invert == FMD_INVERT_ALL || !*invert || is_light(p))
        return FMD_OK;
    fmd_picture_free(p);
    *invert = false;
    return fmd_picture_read(p, path, in->channels, 0);
}

static fmd_status read_picture(intake *in, const char *path)
{
    fmd_picture p;
    bool invert;
    FMD_TRY(open_picture(&p, in, path, &invert));
    fmd_status st = make_room(in, 1);
    if (st == FMD_OK)
        st = compare_colours(in, &p, path);
    if (st == FMD_OK && invert && in->invert == FMD_INVERT_LIGHT)
        remember(&in->inverted, path);
    for (size_t i = 0; invert && i < p.width * p.height * p.channels; i++)
        p.pixels[i] = (uint8_t)(255 - p.pixels[i]);
    if (st == FMD_OK)
        st = add_image(in, p.pixels, (fmd_size){.width = p.width, .height = p.height}, path);
    fmd_picture_free(&p);
    return st;
}

/* Pixels of one number of channels as those of another: grey in all colours, or the luma of
 * ITU-R BT.601. */
static void convert(const uint8_t *from, size_t channels, uint8_t *to, size_t to_channels, size_t n)
{
    for (size_t i = 0; i < n; i++, from += channels)
        for (size_t c = 0; c < to_channels; c++)
            *to++ = channels == 1
                        ? from[0]
                        : (uint8_t)((299 * from[0] + 587 * from[1] + 114 * from[2] + 500) / 1000);
}

static fmd_status add_idx_images(intake *in, const fmd_images *images, const char *path)
{
    const fmd_shape s = images->image;
    const size_t channels = s.rank > 2 ? (size_t)s.dim[2] : 1, bytes = fmd_shape_count(s);
    const fmd_size size = {.width = (size_t)s.dim[1], .height = (size_t)s.dim[0]};
    const size_t pixels = size.width * size.height;
    const bool other = channels != in->channels;
    char name[FMD_PICTURE_NAME];
    uint8_t *converted;
    if (other && channels + in->channels != 1 + 3)
        return FMD_FAIL(FMD_EDATA, "'%s': images of %zu channels, but the model takes %zu", path,
                        channels, in->channels);
    FMD_TRY(fmd_alloc(&converted, pixels, in->channels, "an image"));
    fmd_status st = make_room(in, images->n);
    for (size_t i = 0; i < images->n && st == FMD_OK; i++) {
        const uint8_t *image = images->bytes + i * bytes;
        snprintf(name, sizeof name, "%.1000s[%zu]", path, i);
        if (other)
            remember(&in->converted, name);
        if (other)
            convert(image, channels, converted, in->channels, pixels);
        st = add_image(in, other ? converted : image, size, name);
    }
    free(converted);
    return st;
}

static fmd_status read_idx(intake *in, const char *path)
{
    fmd_images images;
    FMD_TRY(fmd_images_read(&images, path));
    const fmd_status st = add_idx_images(in, &images, path);
    fmd_images_free(&images);
    return st;
}

/* By its first bytes, which are zero, or gzip's; a file that cannot be read is none. */
static bool is_idx(const char *path)
{
    uint8_t head[3] = {1};
    int fd;
    size_t bytes;
    if (fmd_regular_file_open(&fd, &bytes, path, "images") != FMD_OK)
        return false;
    const bool whole = read(fd, head, sizeof head) == sizeof head;
    close(fd);
    return whole &&
           ((head[0] == 0 && head[1] == 0 && head[2] != 0) || (head[0] == 0x1f && head[1] == 0x8b));
}

/* ", and 3 more" */
static const char *others(const remark *r, char text[64])
{
    *text = '\0';
    if (r->n > 1)
        snprintf(text, 64, ", and %zu more", r->n - 1);
    return text;
}

/* What the user should know before believing the result. */
static void tell(const intake *in)
{
    char more[64];
    if (in->scaled.n > 0)
        fmd_warn("scaled to fit %zu x %zu pixels: %s%s", in->size.width, in->size.height,
                 in->scaled.first, others(&in->scaled, more));
    if (in->converted.n > 0)
        fmd_warn(in->channels == 3 ? "grey, but the model takes colours; converted: %s%s"
                                   : "in colours, but the model takes grey; converted: %s%s",
                 in->converted.first, others(&in->converted, more));
    if (in->inverted.n > 0)
        fmd_warn("inverted, since its border is light and that of the data set is dark: %s%s; "
                 "--no-invert keeps it",
                 in->inverted.first, others(&in->inverted, more));
}

static fmd_status read_file(intake *in, const char *path)
{
    return is_idx(path) ? read_idx(in, path) : read_picture(in, path);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* All files of a folder. One that cannot be used is named and left out. */
static fmd_status read_folder(intake *in, const char *path)
{
    char file[FMD_PATH_BYTES + NAME_MAX + 2];
    struct dirent **names = NULL;
    struct stat s;
    fmd_status st = FMD_OK;
    const size_t before = in->n;
    const int n = scandir(path, &names, is_visible, alphasort);
    if (n < 0)
        return FMD_FAIL(FMD_EIO, "cannot read the folder '%s': %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        const size_t used = strlen(path);
        snprintf(file, sizeof file, "%s%s%s", path, path[used - 1] == '/' ? "" : "/",
                 names[i]->d_name);
        free(names[i]);
        if (st != FMD_OK || (stat(file, &s) == 0 && S_ISDIR(s.st_mode)))
            continue;
        st = read_file(in, file);
        if (st == FMD_ENOMEM)
            continue;
        if (st != FMD_OK)
            fmd_warn("left out: %s", fmd_error_message());
        st = FMD_OK;
    }
    free(names);
    if (st == FMD_OK && in->n == before)
        st = FMD_FAIL(FMD_ENOINPUT, "the folder '%s' holds no image that can be read", path);
    return st;
}

/* Rank 0. */
static fmd_status read_all(intake *in, const char *files)
{
    char path[FMD_PATH_BYTES];
    struct stat s;
    for (const char *at = files; *at != '\0';) {
        if (!fmd_path_list_next(&at, path, sizeof path))
            return FMD_FAIL(FMD_EUSAGE, "--images: '%.100s' is not a list of files", files);
        const bool folder = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
        FMD_TRY(folder ? read_folder(in, path) : read_file(in, path));
    }
    tell(in);
    return FMD_OK;
}

fmd_status fmd_user_images_read(fmd_user_images *out, fmd_comm *c, const char *files,
                                fmd_shape image, fmd_invert invert)
{
    intake in = {.invert = invert};
    void *shared = NULL;
    fmd_status st = look_at_shape(&in, image);
    if (st == FMD_OK && fmd_comm_rank(c) == 0)
        st = read_all(&in, files);
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        goto out;
    fmd_comm_bcast(c, &in.n, sizeof in.n);
    const size_t bytes = in.n * image_bytes(&in);
    if ((st = fmd_comm_shared(c, bytes, &shared)) != FMD_OK)
        goto out;
    if (fmd_comm_rank(c) == 0)
        memcpy(shared, in.bytes, bytes);
    fmd_comm_share(c, shared, bytes);
    *out = (fmd_user_images){.split = {.n = in.n, .images = shared}, .names = in.names};
    in.names = NULL;
out:
    free(in.bytes);
    free(in.names);
    return st;
}

void fmd_user_images_free(fmd_user_images *p)
{
    free(p->names);
    p->names = NULL;
}
