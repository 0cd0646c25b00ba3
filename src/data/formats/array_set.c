#include "data/formats/array_set.h"

#include "base/mem.h"
#include "io/arrays/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN, TEST, SPLITS, MAX_CHANNELS = 4 };

/* Values in memory at a time. */
static const size_t block_values = (size_t)1 << 19;

/* One split: images and labels. */
typedef struct arrays {
    const char *x_name, *y_name; /* NULL: there is none */
    fmd_array *x, *y;
    size_t n;
} arrays;

struct fmd_array_set {
    fmd_array_file *file;
    arrays split[SPLITS];
    fmd_shape image;     /* (H, W) or (H, W, C) */
    bool channels_first; /* in the file */
    size_t block;
    bool measured;
    double factor; /* of values, to make bytes */
    double *x, *y; /* a block */
};

/* Names of the arrays of a split: Keras', MedMNIST's, and those of a set without test images. */
static const char *const names[][SPLITS][2] = {
    {{"x_train", "y_train"}, {"x_test", "y_test"}},
    {{"X_train", "y_train"}, {"X_test", "y_test"}},
    {{"train_images", "train_labels"}, {"test_images", "test_labels"}},
    {{"x", "y"}, {NULL, NULL}},
    {{"X", "y"}, {NULL, NULL}},
    {{"images", "labels"}, {NULL, NULL}},
};

static fmd_status find_names(fmd_array_set *s, const char *path)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!fmd_array_file_has(s->file, names[i][TRAIN][0]))
            continue;
        for (int k = 0; k < SPLITS; k++) {
            const char *x = names[i][k][0], *y = names[i][k][1];
            const bool there = x != NULL && fmd_array_file_has(s->file, x);
            if (there && !fmd_array_file_has(s->file, y))
                return FMD_FAIL(FMD_EDATA, "'%s': found the array %s, but not its labels, %s", path,
                                x, y);
            if (there)
                s->split[k] = (arrays){.x_name = x, .y_name = y};
        }
        return FMD_OK;
    }
    return FMD_FAIL(FMD_EDATA,
                    "'%s': found no array with one of the names x_train, train_images, x or images",
                    path);
}

/* Opens both arrays at their first rows. */
static fmd_status rewind_arrays(const fmd_array_set *s, arrays *a)
{
    fmd_array_close(a->x);
    fmd_array_close(a->y);
    a->x = a->y = NULL;
    FMD_TRY(fmd_array_open(&a->x, s->file, a->x_name));
    return fmd_array_open(&a->y, s->file, a->y_name);
}

/* The side of a square of so many pixels; 0: there is none. */
static int side_of(size_t pixels)
{
    size_t side = 1;
    while (side * side < pixels)
        side++;
    return side * side == pixels ? (int)side : 0;
}

static bool is_channels(size_t dim)
{
    return dim >= 1 && dim <= MAX_CHANNELS;
}

static fmd_status look_at_images(const fmd_array_info *x, fmd_shape *image, bool *channels_first)
{
    const size_t *d = x->dim;
    *channels_first = false;
    *image = (fmd_shape){.rank = 0};
    if (x->rank == 3)
        *image = (fmd_shape){.rank = 2, .dim = {(int)d[1], (int)d[2]}};
    else if (x->rank == 4 && is_channels(d[3]))
        *image = (fmd_shape){.rank = 3, .dim = {(int)d[1], (int)d[2], (int)d[3]}};
    else if (x->rank == 4 && is_channels(d[1]))
        *image = (fmd_shape){.rank = 3, .dim = {(int)d[2], (int)d[3], (int)d[1]}};
    else if (x->rank == 2 && side_of(d[1]) > 0)
        *image = (fmd_shape){.rank = 2, .dim = {side_of(d[1]), side_of(d[1])}};
    else if (x->rank == 2 && d[1] % 3 == 0 && side_of(d[1] / 3) > 0)
        *image = (fmd_shape){.rank = 3, .dim = {side_of(d[1] / 3), side_of(d[1] / 3), 3}};
    if (image->rank == 0)
        return FMD_FAIL(FMD_EDATA,
                        "%s: found an array of %d dimensions, expected images: (n, height, width), "
                        "(n, height, width, channels) or (n, pixels of a square)",
                        x->where, x->rank);
    *channels_first = x->rank == 4 && !is_channels(d[3]);
    if (image->rank == 3 && image->dim[2] == 1)
        image->rank = 2;
    return FMD_OK;
}

static fmd_status check_labels(const fmd_array_info *x, const fmd_array_info *y)
{
    if (y->row != 1)
        return FMD_FAIL(FMD_EDATA,
                        "%s: found %zu values for each image, expected one label: of one-hot "
                        "labels, save the argmax",
                        y->where, y->row);
    if (y->dim[0] != x->dim[0])
        return FMD_FAIL(FMD_EDATA, "%s: found %zu labels, expected %zu, one for each image",
                        y->where, y->dim[0], x->dim[0]);
    if (x->dim[0] > UINT32_MAX)
        return FMD_FAIL(FMD_EDATA, "%s: found %zu images, expected at most %u", x->where, x->dim[0],
                        UINT32_MAX);
    return FMD_OK;
}

static fmd_status open_split(fmd_array_set *s, int split)
{
    arrays *a = &s->split[split];
    fmd_shape image;
    bool channels_first;
    FMD_TRY(rewind_arrays(s, a));
    const fmd_array_info *x = fmd_array_info_of(a->x);
    FMD_TRY(look_at_images(x, &image, &channels_first));
    FMD_TRY(check_labels(x, fmd_array_info_of(a->y)));
    if (split == TEST &&
        (!fmd_shape_equal(image, s->image) || channels_first != s->channels_first)) {
        char found[FMD_SHAPE_TEXT], expected[FMD_SHAPE_TEXT];
        return FMD_FAIL(FMD_EDATA, "%s: found images of shape %s, expected %s as in %s", x->where,
                        fmd_shape_text(image, 0, found), fmd_shape_text(s->image, 0, expected),
                        s->split[TRAIN].x_name);
    }
    s->image = image;
    s->channels_first = channels_first;
    a->n = x->dim[0];
    return FMD_OK;
}

static fmd_status open_all(fmd_array_set *s, const char *path)
{
    FMD_TRY(fmd_array_file_open(&s->file, path));
    FMD_TRY(find_names(s, path));
    for (int i = 0; i < SPLITS; i++)
        if (s->split[i].x_name != NULL)
            FMD_TRY(open_split(s, i));
    const size_t row = fmd_shape_count(s->image);
    s->block = row < block_values ? block_values / row : 1;
    FMD_TRY(fmd_alloc(&s->x, s->block * row, sizeof *s->x, "the images"));
    return fmd_alloc(&s->y, s->block, sizeof *s->y, "the labels");
}

fmd_status fmd_array_set_open(fmd_array_set **out, const char *path, fmd_dataset_info *info)
{
    fmd_array_set *s;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "a data set"));
    const fmd_status st = open_all(s, path);
    if (st != FMD_OK) {
        fmd_array_set_close(s);
        return st;
    }
    info->image = s->image;
    info->n_train = s->split[TRAIN].n;
    info->n_test = s->split[TEST].n;
    *out = s;
    return FMD_OK;
}

void fmd_array_set_close(fmd_array_set *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < SPLITS; i++) {
        fmd_array_close(s->split[i].x);
        fmd_array_close(s->split[i].y);
    }
    fmd_array_file_close(s->file);
    free(s->x);
    free(s->y);
    free(s);
}

size_t fmd_array_set_block(const fmd_array_set *s)
{
    return s->block;
}

/* Smallest and largest finite value of the images of a split. */
static fmd_status find_range(fmd_array_set *s, arrays *a, double range[2])
{
    const size_t row = fmd_shape_count(s->image);
    for (size_t done = 0; done < a->n;) {
        const size_t n = a->n - done < s->block ? a->n - done : s->block;
        FMD_TRY(fmd_array_next(a->x, n, s->x));
        for (size_t i = 0; i < n * row; i++) {
            if (!isfinite(s->x[i]))
                continue;
            range[0] = s->x[i] < range[0] ? s->x[i] : range[0];
            range[1] = s->x[i] > range[1] ? s->x[i] : range[1];
        }
        done += n;
    }
    return rewind_arrays(s, a);
}

/* The factor that makes bytes of the values, the same for both splits. */
static fmd_status measure(fmd_array_set *s)
{
    double range[2] = {HUGE_VAL, -HUGE_VAL};
    bool all_bytes = true, floats = false, logical = true;
    for (int i = 0; i < SPLITS; i++) {
        if (s->split[i].x == NULL)
            continue;
        const fmd_array_kind kind = fmd_array_info_of(s->split[i].x)->kind;
        all_bytes = all_bytes && kind == FMD_ARRAY_BYTES;
        floats = floats || kind == FMD_ARRAY_FLOATS;
        logical = logical && kind == FMD_ARRAY_BOOL;
    }
    s->measured = true;
    s->factor = logical ? 255 : 1;
    if (all_bytes || logical)
        return FMD_OK;
    for (int i = 0; i < SPLITS; i++)
        if (s->split[i].x != NULL)
            FMD_TRY(find_range(s, &s->split[i], range));
    if (range[0] < 0 || range[1] > 255)
        return FMD_FAIL(FMD_EDATA,
                        "%s: found values from %g to %g, expected 0 to 255, or floats from 0 to 1: "
                        "undo the normalisation before you save them",
                        fmd_array_info_of(s->split[TRAIN].x)->where, range[0], range[1]);
    if (floats && range[1] <= 1)
        s->factor = 255;
    return FMD_OK;
}

/* One image as bytes; false: a value is not a number. */
static bool make_bytes(const fmd_array_set *s, const double *from, uint8_t *to)
{
    const size_t n = fmd_shape_count(s->image);
    const size_t channels = s->image.rank == 3 ? (size_t)s->image.dim[2] : 1;
    const size_t pixels = n / channels;
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        const double x = s->channels_first ? from[i % channels * pixels + i / channels] : from[i];
        good = good && isfinite(x);
        to[i] = isfinite(x) ? (uint8_t)lround(x * s->factor) : 0;
    }
    return good;
}

static int make_label(double y)
{
    return y >= 0 && y < FMD_CLASSES_MAX && y == floor(y) ? (int)y : FMD_ARRAY_SET_LABEL;
}

fmd_status fmd_array_set_next(fmd_array_set *s, bool test, size_t n, uint8_t *images, int *labels)
{
    const arrays *a = &s->split[test ? TEST : TRAIN];
    const size_t row = fmd_shape_count(s->image);
    if (!s->measured)
        FMD_TRY(measure(s));
    FMD_TRY(fmd_array_next(a->x, n, s->x));
    FMD_TRY(fmd_array_next(a->y, n, s->y));
    for (size_t i = 0; i < n; i++) {
        labels[i] = make_label(s->y[i]);
        if (!make_bytes(s, s->x + i * row, images + i * row))
            labels[i] = FMD_ARRAY_SET_PIXELS;
    }
    return FMD_OK;
}
