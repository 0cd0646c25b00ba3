/* The binary files of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label and
 * the red, green and blue pixels of an image, plane after plane. */
#include "base/mem.h"
#include "base/system/regular_file.h"
#include "data/formats/format.h"
#include "data/idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SIDE = 32,
    PIXELS = SIDE * SIDE,
    CHANNELS = 3,
    CLASSES = 10,
    RECORD = 1 + PIXELS * CHANNELS,
    BATCHES = FMD_CIFAR_FILES - 1, /* the last file has the test images */
    RECORDS_AT_ONCE = 256,
};

typedef struct reader {
    char path[FMD_CIFAR_FILES][FMD_PATH_BYTES];
    char train_files[FMD_PATH_BYTES]; /* "FOLDER/data_batch_*.bin" */
    int fd[FMD_CIFAR_FILES];          /* -1: not open */
    size_t n[FMD_CIFAR_FILES];        /* images */
    uint8_t records[RECORDS_AT_ONCE * RECORD];
} reader;

static void close_files(void *files)
{
    reader *r = files;
    for (int i = 0; r != NULL && i < FMD_CIFAR_FILES; i++)
        if (r->fd[i] >= 0)
            close(r->fd[i]);
    free(r);
}

static fmd_status open_files(void **out, const fmd_place *place, fmd_dataset_info *info)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    memset(r->fd, -1, sizeof r->fd);
    memcpy(r->path, place->file, sizeof r->path);
    snprintf(r->train_files, sizeof r->train_files, "%.1000s/data_batch_*.bin", place->path);
    info->image = (fmd_shape){.rank = 3, .dim = {SIDE, SIDE, CHANNELS}};
    for (int i = 0; i < FMD_CIFAR_FILES; i++) {
        size_t bytes;
        FMD_TRY(fmd_regular_file_open(&r->fd[i], &bytes, r->path[i], "a batch of CIFAR-10"));
        if (bytes == 0 || bytes % RECORD != 0)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': found %zu bytes, expected records of %d bytes: damaged, or not "
                            "the binary version of CIFAR-10",
                            r->path[i], bytes, RECORD);
        r->n[i] = bytes / RECORD;
        if (i < BATCHES)
            info->n_train += r->n[i];
        else
            info->n_test = r->n[i];
    }
    return FMD_OK;
}

static fmd_status read_bytes(const reader *r, int file, uint8_t *to, size_t want)
{
    while (want > 0) {
        const ssize_t n = read(r->fd[file], to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FMD_FAIL(FMD_EIO, "cannot read '%s': %s", r->path[file], strerror(errno));
        if (n == 0)
            return FMD_FAIL(FMD_EDATA, "'%s': the file has become shorter", r->path[file]);
        to += n;
        want -= (size_t)n;
    }
    return FMD_OK;
}

static void interleave(const uint8_t *planes, uint8_t *image)
{
    for (size_t i = 0; i < PIXELS; i++)
        for (size_t c = 0; c < CHANNELS; c++)
            image[i * CHANNELS + c] = planes[c * PIXELS + i];
}

/* Reads a file behind *images and *labels, which move on. */
static fmd_status read_batch(reader *r, int file, uint8_t **images, uint8_t **labels)
{
    for (size_t done = 0; done < r->n[file]; done += RECORDS_AT_ONCE) {
        const size_t left = r->n[file] - done, n = left < RECORDS_AT_ONCE ? left : RECORDS_AT_ONCE;
        FMD_TRY(read_bytes(r, file, r->records, n * RECORD));
        for (size_t i = 0; i < n; i++) {
            const uint8_t *record = r->records + i * RECORD;
            if (record[0] >= CLASSES)
                return FMD_FAIL(FMD_EDATA,
                                "'%s': byte %zu, the label of image %zu: found %d, expected 0 to "
                                "%d: damaged, or not the binary version of CIFAR-10",
                                r->path[file], (done + i) * RECORD, done + i, record[0],
                                CLASSES - 1);
            *(*labels)++ = record[0];
            interleave(record + 1, *images);
            *images += (size_t)PIXELS * CHANNELS;
        }
    }
    return FMD_OK;
}

static fmd_status read_files(void *files, const fmd_dataset_info *info, fmd_parts *to)
{
    reader *r = files;
    uint8_t *images = to->part[FMD_TRAIN_IMAGES], *labels = to->part[FMD_TRAIN_LABELS];
    for (int i = 0; i < BATCHES; i++)
        FMD_TRY(read_batch(r, i, &images, &labels));
    images = to->part[FMD_TEST_IMAGES];
    labels = to->part[FMD_TEST_LABELS];
    FMD_TRY(read_batch(r, BATCHES, &images, &labels));
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        to->hash[i] = fmd_idx_hash(to->part[i], i < FMD_TEST_IMAGES ? info->n_train : info->n_test,
                                   fmd_dataset_part_shape(info, i));
    return FMD_OK;
}

static fmd_source_file file_at(const void *files, int part)
{
    const reader *r = files;
    const bool train = part < FMD_TEST_IMAGES;
    size_t n = train ? 0 : r->n[BATCHES];
    for (int i = 0; train && i < BATCHES; i++)
        n += r->n[i];
    return (fmd_source_file){.path = train ? r->train_files : r->path[BATCHES],
                             .bytes = n * RECORD,
                             .unpacked_bytes = n * RECORD};
}

const fmd_format fmd_format_cifar = {"batches.meta.txt", open_files, read_files, file_at,
                                     close_files,        NULL};
