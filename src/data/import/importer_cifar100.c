/* The binary files of CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): records of a label of 20
 * superclasses, a label of 100 classes, and the red, green and blue pixels of an image, plane after
 * plane. */
#include "base/mem.h"
#include "base/system/regular_file.h"
#include "data/class_names.h"
#include "data/import/importer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SIDE = 32,
    PIXELS = SIDE * SIDE,
    CHANNELS = 3,
    LABELS = 2, /* superclass, class */
    RECORD = LABELS + PIXELS * CHANNELS,
};

static const char *const files[] = {"train.bin", "test.bin"};

typedef struct reader {
    char path[2][FMD_PATH_BYTES];
    FILE *file[2];
    size_t n[2], at; /* records; the next of both files */
    bool coarse;     /* superclasses are the labels */
    uint8_t record[RECORD], image[PIXELS * CHANNELS];
} reader;

/* The folder, or the one that the archive has. */
static bool find_folder(const fmd_import_args *args, char folder[FMD_PATH_BYTES])
{
    static const char *const places[] = {"", "/cifar-100-binary"};
    char path[FMD_PATH_BYTES + 32];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(folder, FMD_PATH_BYTES, "%.900s%s", args->source, places[i]);
        snprintf(path, sizeof path, "%s/fine_label_names.txt", folder);
        const bool named = access(path, F_OK) == 0;
        snprintf(path, sizeof path, "%s/%s", folder, files[0]);
        if (named && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static bool recognises(const fmd_import_args *args)
{
    char folder[FMD_PATH_BYTES];
    return find_folder(args, folder);
}

static fmd_status open_file(reader *r, int i)
{
    int fd;
    size_t bytes;
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, r->path[i], "a file of CIFAR-100"));
    r->file[i] = fdopen(fd, "rb");
    if (r->file[i] == NULL) {
        close(fd);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: opening '%s'", r->path[i]);
    }
    if (bytes == 0 || bytes % RECORD != 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found %zu bytes, expected records of %d bytes: damaged, or not the "
                        "binary version of CIFAR-100",
                        r->path[i], bytes, RECORD);
    r->n[i] = bytes / RECORD;
    return FMD_OK;
}

static fmd_status open_files(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    char folder[FMD_PATH_BYTES];
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    find_folder(args, folder);
    r->coarse = args->label == FMD_IMPORT_LABEL_FIRST;
    for (int i = 0; i < 2; i++) {
        snprintf(r->path[i], sizeof r->path[i], "%.1000s/%s", folder, files[i]);
        FMD_TRY(open_file(r, i));
    }
    source->size = (fmd_size){.width = SIDE, .height = SIDE};
    source->channels = CHANNELS;
    source->has_test = true;
    source->total = (double)(r->n[0] + r->n[1]);
    return fmd_class_names_read(&source->n_names, source->names, folder,
                                r->coarse ? "coarse_label_names.txt" : "fine_label_names.txt");
}

static fmd_status next_sample(void *cifar, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = cifar;
    const int file = r->at >= r->n[0];
    const size_t i = r->at - (file ? r->n[0] : 0);
    if (i == r->n[file])
        return FMD_OK;
    if (fread(r->record, RECORD, 1, r->file[file]) != 1)
        return ferror(r->file[file])
                   ? FMD_FAIL(FMD_EIO, "cannot read '%s': %s", r->path[file], strerror(errno))
                   : FMD_FAIL(FMD_EDATA, "'%s': the file has become shorter", r->path[file]);
    const int classes = r->coarse ? 20 : 100;
    s->label = r->record[r->coarse ? 0 : 1];
    if (s->label >= classes)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': the label of image %zu: found %d, expected 0 to %d: damaged, or not "
                        "the binary version of CIFAR-100",
                        r->path[file], i, s->label, classes - 1);
    for (size_t p = 0; p < PIXELS; p++)
        for (size_t c = 0; c < CHANNELS; c++)
            r->image[p * CHANNELS + c] = r->record[LABELS + c * PIXELS + p];
    s->test = file;
    s->pixels = r->image;
    s->size = source->size;
    s->channels = CHANNELS;
    source->done = (double)++r->at;
    return FMD_OK;
}

static void close_files(void *cifar)
{
    reader *r = cifar;
    for (int i = 0; r != NULL && i < 2; i++)
        if (r->file[i] != NULL)
            fclose(r->file[i]);
    free(r);
}

const fmd_importer fmd_importer_cifar100 = {"CIFAR-100", recognises, open_files, next_sample,
                                            close_files};
