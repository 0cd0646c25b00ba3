#include "cli/predict/user_images.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/system/path_list.h"
#include "base/system/regular_file.h"
#include "data/image.h"
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
    fmd_model_images to;
    size_t n, room;
    uint8_t *bytes;
    char (*names)[FMD_PICTURE_NAME];
    remark scaled, inverted, converted;
} intake;

static void remember(remark *r, const char *name)
{
    if (r->n++ == 0)
        snprintf(r->first, sizeof r->first, "%s", name);
}

static size_t image_bytes(const intake *in)
{
    return fmd_model_images_bytes(&in->to);
}

/* The place behind the last image. */
static uint8_t *next_image(const intake *in)
{
    return in->bytes + in->n * image_bytes(in);
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

/* Names the image that was put behind the last one, and remembers its changes. */
static void add(intake *in, const fmd_picture_changes *changes, const char *name)
{
    char text[sizeof in->scaled.first];
    snprintf(text, sizeof text, "%s, %zu x %zu", name, changes->from.width, changes->from.height);
    if (changes->scaled)
        remember(&in->scaled, text);
    if (changes->converted)
        remember(&in->converted, name);
    if (changes->inverted)
        remember(&in->inverted, name);
    snprintf(in->names[in->n++], FMD_PICTURE_NAME, "%s", name);
}

static fmd_status read_picture(intake *in, const char *path)
{
    fmd_picture_changes changes = {.scaled = false};
    void *data = NULL;
    size_t bytes = 0;
    FMD_TRY(fmd_picture_load(&data, &bytes, path));
    fmd_status st = make_room(in, 1);
    if (st == FMD_OK)
        st = fmd_user_picture(&in->to, data, bytes, path, next_image(in), &changes);
    if (st == FMD_OK)
        add(in, &changes, path);
    free(data);
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
    const bool other = channels != in->to.channels;
    char name[FMD_PICTURE_NAME];
    uint8_t *converted;
    if (other && channels + in->to.channels != 1 + 3)
        return FMD_FAIL(FMD_EDATA, "'%s': images of %zu channels, but the model takes %zu", path,
                        channels, in->to.channels);
    FMD_TRY(fmd_alloc(&converted, pixels, in->to.channels, "an image"));
    fmd_status st = make_room(in, images->n);
    for (size_t i = 0; i < images->n && st == FMD_OK; i++) {
        const uint8_t *image = images->bytes + i * bytes;
        snprintf(name, sizeof name, "%.1000s[%zu]", path, i);
        fmd_picture_changes changes = {.converted = other};
        if (other)
            convert(image, channels, converted, in->to.channels, pixels);
        st = fmd_model_images_fit(&in->to, other ? converted : image, size, next_image(in),
                                  &changes);
        if (st == FMD_OK)
            add(in, &changes, name);
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
        fmd_warn("scaled to fit %zu x %zu pixels: %s%s", in->to.size.width, in->to.size.height,
                 in->scaled.first, others(&in->scaled, more));
    if (in->converted.n > 0)
        fmd_warn(in->to.channels == 3 ? "grey, but the model takes colours; converted: %s%s"
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
    intake in = {.to.invert = invert};
    void *shared = NULL;
    fmd_status st = fmd_model_images_of(&in.to, image);
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
