/* Data sets in four IDX files, plain or gzipped: the MNIST family and any other set in this
 * format. */
#include "base/mem.h"
#include "data/formats/format.h"
#include "data/idx.h"
#include "data/stream.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    fmd_idx *file[FMD_DATASET_FILES];
    bool sideways; /* EMNIST's files have rows and columns of an image exchanged */
    bool streamed; /* images stay in their files */
} reader;

static void close_files(void *r)
{
    reader *files = r;
    for (int i = 0; files != NULL && i < FMD_DATASET_FILES; i++)
        fmd_idx_close(files->file[i]);
    free(files);
}

static fmd_status check_counts(const reader *r, int images, size_t *n)
{
    const fmd_idx *x = r->file[images], *y = r->file[images + 1];
    *n = fmd_idx_header_of(x)->n;
    size_t labels = fmd_idx_header_of(y)->n;
    if (labels != *n)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found %zu labels, expected %zu, one for each image of '%s'",
                        fmd_idx_path(y), labels, *n, fmd_idx_path(x));
    return FMD_OK;
}

static fmd_status check_headers(const reader *r, fmd_dataset_info *info)
{
    fmd_shape train = fmd_idx_header_of(r->file[FMD_TRAIN_IMAGES])->image;
    fmd_shape test = fmd_idx_header_of(r->file[FMD_TEST_IMAGES])->image;
    char found[FMD_SHAPE_TEXT], expected[FMD_SHAPE_TEXT];
    FMD_TRY(check_counts(r, FMD_TRAIN_IMAGES, &info->n_train));
    FMD_TRY(check_counts(r, FMD_TEST_IMAGES, &info->n_test));
    if (memcmp(&train, &test, sizeof test) != 0)
        return FMD_FAIL(FMD_EDATA, "'%s': found images of shape %s, expected %s as in '%s'",
                        fmd_idx_path(r->file[FMD_TEST_IMAGES]), fmd_shape_text(test, 0, found),
                        fmd_shape_text(train, 0, expected),
                        fmd_idx_path(r->file[FMD_TRAIN_IMAGES]));
    info->image = train;
    if (r->sideways) {
        info->image.dim[0] = train.dim[1];
        info->image.dim[1] = train.dim[0];
    }
    return FMD_OK;
}

static fmd_status open_files(void **out, const fmd_place *place, fmd_dataset_info *info)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    r->sideways = place->emnist;
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const bool images = i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES;
        FMD_TRY(
            fmd_idx_open(&r->file[i], place->file[i], images ? FMD_IDX_IMAGES : FMD_IDX_LABELS));
    }
    return check_headers(r, info);
}

/* Turns images upright; `image` is their shape then. */
static fmd_status transpose(uint8_t *images, size_t n, fmd_shape image)
{
    const size_t height = (size_t)image.dim[0], width = (size_t)image.dim[1];
    const size_t channels = image.rank > 2 ? (size_t)image.dim[2] : 1;
    uint8_t *scratch;
    FMD_TRY(fmd_alloc(&scratch, fmd_shape_count(image), 1, "an image"));
    for (size_t i = 0; i < n; i++, images += height * width * channels) {
        memcpy(scratch, images, height * width * channels);
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < width; x++)
                memcpy(images + (y * width + x) * channels, scratch + (x * height + y) * channels,
                       channels);
    }
    free(scratch);
    return FMD_OK;
}

/* Images that are streamed are not read as a whole. */
static fmd_status sample_images(const reader *r, int part, const fmd_dataset_info *info,
                                fmd_hash *hash)
{
    fmd_stream *s;
    FMD_TRY(fmd_stream_open(&s, fmd_idx_path(r->file[part]),
                            part == FMD_TRAIN_IMAGES ? info->n_train : info->n_test, info->image));
    const fmd_status st = fmd_stream_hash(s, hash);
    fmd_stream_close(s);
    return st;
}

static fmd_status stream_files(void *files)
{
    reader *r = files;
    if (r->sideways)
        return FMD_FAIL(FMD_EDATA, "--stream: images of EMNIST are turned as they are read: "
                                   "convert them with fmnist-dist data import");
    for (int i = 0; i < FMD_DATASET_FILES; i += FMD_TEST_IMAGES)
        if (fmd_idx_is_packed(r->file[i]))
            return FMD_FAIL(FMD_EDATA, "--stream: '%s' is compressed: unpack it with gzip -d",
                            fmd_idx_path(r->file[i]));
    r->streamed = true;
    return FMD_OK;
}

static fmd_status read_files(void *files, const fmd_dataset_info *info, fmd_parts *to)
{
    reader *r = files;
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        if (r->streamed && (i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES))
            FMD_TRY(sample_images(r, i, info, &to->hash[i]));
        else
            FMD_TRY(fmd_idx_read(r->file[i], to->part[i], &to->hash[i]));
    if (!r->sideways)
        return FMD_OK;
    FMD_TRY(transpose(to->part[FMD_TRAIN_IMAGES], info->n_train, info->image));
    return transpose(to->part[FMD_TEST_IMAGES], info->n_test, info->image);
}

static fmd_source_file file_at(const void *files, int part)
{
    const reader *r = files;
    const fmd_idx *f = r->file[part];
    return (fmd_source_file){.path = fmd_idx_path(f),
                             .bytes = fmd_idx_disk_bytes(f),
                             .unpacked_bytes = fmd_idx_bytes(f)};
}

const fmd_format fmd_format_idx = {"classes.txt", open_files,  read_files,
                                   file_at,       close_files, stream_files};
