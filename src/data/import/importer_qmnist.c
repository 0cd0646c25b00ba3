/* The files of QMNIST (https://github.com/facebookresearch/qmnist): images as those of MNIST, and labels
 * of eight numbers, of which the first is the digit. */
#include "base/mem.h"
#include "data/idx.h"
#include "data/import/importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { INT_BYTES = 4 };

/* Stems of the files; QMNIST has 60,000 test images, MNIST's 10,000 first. */
static const char *const stems[] = {"qmnist-train-images-idx3-ubyte",
                                    "qmnist-train-labels-idx2-int", "qmnist-test-images-idx3-ubyte",
                                    "qmnist-test-labels-idx2-int"};

typedef struct reader {
    fmd_dataset_info info;
    uint8_t *part[FMD_DATASET_FILES]; /* images, and rows of labels */
    size_t columns, at;
} reader;

/* The path of a file, plain before packed. */
static bool find_file(const fmd_import_args *args, int i, char path[FMD_PATH_BYTES])
{
    static const char *const ends[] = {"", ".gz"};
    struct stat st;
    for (int k = 0; k < 2; k++) {
        snprintf(path, FMD_PATH_BYTES, "%.900s/%s%s", args->source, stems[i], ends[k]);
        if (stat(path, &st) == 0)
            return true;
    }
    return false;
}

static bool recognises(const fmd_import_args *args)
{
    char path[FMD_PATH_BYTES];
    return find_file(args, FMD_TRAIN_IMAGES, path) || find_file(args, FMD_TEST_IMAGES, path);
}

static fmd_status read_file(reader *r, int i, const char *path, size_t *n, fmd_shape *row)
{
    const bool images = i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES;
    fmd_idx *f;
    fmd_hash hash;
    FMD_TRY(fmd_idx_open(&f, path, images ? FMD_IDX_IMAGES : FMD_IDX_TABLE));
    const fmd_idx_header *h = fmd_idx_header_of(f);
    *n = h->n;
    *row = h->image;
    fmd_status st = fmd_mem_check((double)h->bytes, "the images", "more memory");
    if (st == FMD_OK)
        st = fmd_alloc(&r->part[i], h->bytes, 1, "the images");
    if (st == FMD_OK)
        st = fmd_idx_read(f, r->part[i], &hash);
    fmd_idx_close(f);
    return st;
}

static fmd_status read_split(reader *r, const fmd_import_args *args, int images, size_t *n)
{
    char path[2][FMD_PATH_BYTES];
    fmd_shape image, row;
    size_t labels;
    for (int i = 0; i < 2; i++)
        if (!find_file(args, images + i, path[i]))
            return FMD_FAIL(FMD_ENOINPUT, "'%s' has no %s, plain or .gz", args->source,
                            stems[images + i]);
    FMD_TRY(read_file(r, images, path[0], n, &image));
    FMD_TRY(read_file(r, images + 1, path[1], &labels, &row));
    if (labels != *n)
        return FMD_FAIL(FMD_EDATA, "'%s': found %zu labels, expected %zu, one for each image",
                        path[1], labels, *n);
    if (images == FMD_TEST_IMAGES &&
        (!fmd_shape_equal(image, r->info.image) || (size_t)row.dim[0] != r->columns))
        return FMD_FAIL(FMD_EDATA, "'%s': found other shapes than in the training files", path[0]);
    r->info.image = image;
    r->columns = (size_t)row.dim[0];
    return FMD_OK;
}

static fmd_status open_files(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    if (args->label == FMD_IMPORT_LABEL_LAST)
        return FMD_FAIL(FMD_EUSAGE, "--label last: the label of QMNIST is the first number");
    FMD_TRY(read_split(r, args, FMD_TRAIN_IMAGES, &r->info.n_train));
    FMD_TRY(read_split(r, args, FMD_TEST_IMAGES, &r->info.n_test));
    const fmd_shape image = r->info.image;
    source->size = (fmd_size){.width = (size_t)image.dim[1], .height = (size_t)image.dim[0]};
    source->channels = image.rank == 3 ? (size_t)image.dim[2] : 1;
    source->has_test = true;
    source->total = (double)(r->info.n_train + r->info.n_test);
    return FMD_OK;
}

static fmd_status next_sample(void *files, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = files;
    s->test = r->at >= r->info.n_train;
    const int images = s->test ? FMD_TEST_IMAGES : FMD_TRAIN_IMAGES;
    const size_t i = r->at - (s->test ? r->info.n_train : 0);
    if (i == (s->test ? r->info.n_test : r->info.n_train))
        return FMD_OK;
    const uint8_t *y = r->part[images + 1] + i * r->columns * INT_BYTES;
    s->label = y[3];
    if (y[0] != 0 || y[1] != 0 || y[2] != 0)
        s->dropped = "the label is not a whole number from 0 to 255";
    snprintf(s->name, sizeof s->name, "%s image %zu", s->test ? "test" : "training", i);
    s->pixels = r->part[images] + i * fmd_shape_count(r->info.image);
    s->size = source->size;
    s->channels = source->channels;
    source->done = (double)++r->at;
    return FMD_OK;
}

static void close_files(void *files)
{
    reader *r = files;
    for (int i = 0; r != NULL && i < FMD_DATASET_FILES; i++)
        free(r->part[i]);
    free(r);
}

const fmd_importer fmd_importer_qmnist = {"QMNIST", recognises, open_files, next_sample,
                                          close_files};
