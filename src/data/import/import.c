#include "data/import/import.h"

#include "base/mem.h"
#include "data/import/import_writer.h"
#include "data/import/importer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* In the order in which they look at a source: a folder of pictures is the least specific. */
static const fmd_importer *const importers[] = {
    &fmd_importer_arrays,   &fmd_importer_csv, &fmd_importer_qmnist,
    &fmd_importer_cifar100, &fmd_importer_set, &fmd_importer_folder,
};

static const double default_test_split = 0.1;

/* An import under way. */
typedef struct work {
    const fmd_import_args *args;
    const fmd_importer *importer;
    void *reader;
    fmd_import_source source;
    fmd_import_sample sample;
    fmd_size size;
    size_t channels;
    fmd_import_writer *writer;
    uint8_t *converted, *scratch, *image;
    size_t converted_bytes;
    size_t seen[FMD_CLASSES_MAX]; /* images of each class */
    fmd_image_hashes hashes;
    fmd_import_report *report;
} work;

static fmd_status find_importer(work *w)
{
    const char *source = w->args->source;
    struct stat st;
    for (size_t i = 0; i < sizeof importers / sizeof *importers; i++)
        if (importers[i]->recognises(w->args)) {
            w->importer = importers[i];
            w->report->kind = importers[i]->kind;
            return FMD_OK;
        }
    if (stat(source, &st) != 0)
        return FMD_FAIL(errno == ENOENT || errno == ENOTDIR ? FMD_ENOINPUT : FMD_EIO,
                        "cannot open '%s': %s", source, strerror(errno));
    return FMD_FAIL(FMD_EDATA,
                    "'%s': not a known kind of data set: expected .npz, .h5, .csv, files of CIFAR, "
                    "QMNIST or EMNIST, or a folder with a folder of PNG or JPEG files for each "
                    "class",
                    source);
}

/* Checks the wishes of the user against the source. */
static fmd_status plan(work *w)
{
    const fmd_import_args *a = w->args;
    const fmd_import_source *s = &w->source;
    if (s->has_test && !isnan(a->test_split))
        return FMD_FAIL(FMD_EUSAGE, "--test-split has no effect: '%s' has test images of its own",
                        a->source);
    w->size = a->size.width > 0 ? a->size : s->size;
    if (w->size.width == 0)
        return FMD_FAIL(FMD_EUSAGE, "'%s': %s: choose one, as in --size 64x64", a->source, s->note);
    w->channels = a->channels > 0 ? a->channels : s->channels;
    /* Layers count the values of an image in int. */
    if (w->size.width * w->size.height * w->channels > INT32_MAX)
        return FMD_FAIL(FMD_EUSAGE, "an image of %zu x %zu pixels is too large", w->size.height,
                        w->size.width);
    w->report->test_split = !s->has_test;
    w->report->info.image = (fmd_shape){
        .rank = w->channels == 1 ? 2 : 3,
        .dim = {(int)w->size.height, (int)w->size.width, w->channels == 1 ? 0 : (int)w->channels}};
    const size_t bytes = w->size.width * w->size.height * w->channels;
    FMD_TRY(fmd_alloc(&w->scratch, bytes, 1, "an image"));
    return fmd_alloc(&w->image, bytes, 1, "an image");
}

static void drop(work *w, const char *reason, const char *name)
{
    fmd_import_report *r = w->report;
    int i = 0;
    while (i < r->n_drops && strcmp(r->drop[i].reason, reason) != 0)
        i++;
    r->dropped++;
    if (i == FMD_IMPORT_DROPS)
        i--;
    if (i == r->n_drops) {
        r->drop[r->n_drops++].reason = reason;
        snprintf(r->drop[i].first, sizeof r->drop[i].first, "%s", name);
    }
    r->drop[i].n++;
}

/* The luma of ITU-R BT.601. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
}

/* One pixel with other channels: grey in all colours, or luma. Transparent pixels are on black. */
static void convert_pixel(const uint8_t *from, size_t channels, uint8_t *to, size_t to_channels)
{
    uint8_t rgb[3];
    const bool coloured = channels >= 3, transparent = channels % 2 == 0;
    for (size_t c = 0; c < 3; c++) {
        rgb[c] = from[coloured ? c : 0];
        if (transparent)
            rgb[c] = (uint8_t)((rgb[c] * from[channels - 1] + 127) / 255);
    }
    if (to_channels == 1)
        to[0] = coloured ? luma(rgb) : rgb[0];
    else
        memcpy(to, rgb, sizeof rgb);
}

/* The pixels of the sample with the channels of the result. */
static fmd_status convert(work *w, const uint8_t **pixels)
{
    const fmd_import_sample *s = &w->sample;
    const size_t n = s->size.width * s->size.height;
    *pixels = s->pixels;
    if (s->channels == w->channels)
        return FMD_OK;
    if (n * w->channels > w->converted_bytes) {
        free(w->converted);
        w->converted = NULL;
        w->converted_bytes = n * w->channels;
        FMD_TRY(fmd_alloc(&w->converted, w->converted_bytes, 1, "an image"));
    }
    for (size_t i = 0; i < n; i++)
        convert_pixel(s->pixels + i * s->channels, s->channels, w->converted + i * w->channels,
                      w->channels);
    *pixels = w->converted;
    w->report->converted++;
    return FMD_OK;
}

/* The largest part of an image, in its centre, with the proportions of `to`. */
static const uint8_t *crop(work *w, const uint8_t *pixels, fmd_size from, fmd_size *part)
{
    const fmd_size to = w->size;
    *part = fmd_image_within(to, from);
    const size_t left = (from.width - part->width) / 2, top = (from.height - part->height) / 2;
    const size_t row = part->width * w->channels;
    for (size_t y = 0; y < part->height; y++)
        memmove(w->converted + y * row, pixels + ((top + y) * from.width + left) * w->channels,
                row);
    return w->converted;
}

/* Brings the pixels to the size of the result. */
static fmd_status resize(work *w, const uint8_t **pixels)
{
    fmd_size from = w->sample.size;
    if (from.width == w->size.width && from.height == w->size.height)
        return FMD_OK;
    w->report->resized++;
    if (w->args->fit == FMD_IMPORT_PAD) {
        fmd_image_fit(*pixels, from, w->channels, w->image, w->size, w->scratch);
    } else {
        fmd_size part = from;
        if (w->args->fit == FMD_IMPORT_CROP) {
            const size_t bytes = from.width * from.height * w->channels;
            uint8_t *const before = w->converted; /* may hold the pixels */
            uint8_t *larger = NULL;
            if (bytes > w->converted_bytes) {
                FMD_TRY(fmd_alloc(&larger, bytes, 1, "an image"));
                w->converted = larger;
                w->converted_bytes = bytes;
            }
            *pixels = crop(w, *pixels, from, &part);
            if (larger != NULL)
                free(before);
        }
        fmd_image_resize(*pixels, part, w->channels, w->image, w->size);
    }
    *pixels = w->image;
    return FMD_OK;
}

/* Whether the next image of a class is set aside as a test image: the second, and then others at even
 * distances. */
static bool is_set_aside(const work *w, int label)
{
    const double share = isnan(w->args->test_split) ? default_test_split : w->args->test_split;
    const double early = fmax(1 - 2 * share, 0) + 1e-9, n = (double)w->seen[label];
    return floor(early + (n + 1) * share) > floor(early + n * share);
}

static fmd_status add_sample(work *w)
{
    const fmd_import_sample *s = &w->sample;
    fmd_import_report *r = w->report;
    const uint8_t *pixels;
    if (s->dropped != NULL) {
        drop(w, s->dropped, s->name);
        return FMD_OK;
    }
    FMD_TRY(convert(w, &pixels));
    FMD_TRY(resize(w, &pixels));
    const bool test = w->source.has_test ? s->test : is_set_aside(w, s->label);
    FMD_TRY(fmd_image_hashes_add(&w->hashes, pixels, fmd_shape_count(r->info.image), test));
    FMD_TRY(fmd_import_writer_add(w->writer, test, pixels, (uint8_t)s->label));
    r->info.n_train += !test;
    r->info.n_test += test;
    r->count[s->label] += !test;
    w->seen[s->label]++;
    r->info.classes = s->label >= r->info.classes ? s->label + 1 : r->info.classes;
    return FMD_OK;
}

static fmd_status add_all(work *w)
{
    enum { TELL = 64 }; /* samples between two reports */
    for (size_t i = 0;; i++) {
        w->sample.pixels = NULL;
        w->sample.dropped = NULL;
        FMD_TRY(w->importer->next(w->reader, &w->source, &w->sample));
        if (w->sample.pixels == NULL && w->sample.dropped == NULL)
            return FMD_OK;
        FMD_TRY(add_sample(w));
        if (i % TELL == 0 && w->args->progress != NULL && w->source.total > 0)
            w->args->progress(w->args->self, fmin(w->source.done / w->source.total, 1));
        if (w->args->stopped != NULL && w->args->stopped())
            return FMD_FAIL(FMD_ESTOPPED, "stopped: '%s' was not written", w->args->dest);
    }
}

/* A data set needs images of both splits. */
static fmd_status check_result(work *w)
{
    fmd_import_report *r = w->report;
    const fmd_dataset_info *d = &r->info;
    for (int i = 0; i < d->classes; i++)
        r->unused += w->seen[i] == 0;
    if (d->n_train > 0 && d->n_test > 0)
        return FMD_OK;
    const char *missing = d->n_train == 0 ? "training" : "test";
    if (r->n_drops > 0)
        return FMD_FAIL(FMD_EDATA, "'%s': found no %s images: dropped %zu: %s, first %s",
                        w->args->source, missing, r->dropped, r->drop[0].reason, r->drop[0].first);
    return FMD_FAIL(FMD_EDATA, "'%s': found no %s images%s", w->args->source, missing,
                    r->test_split ? ": too few for --test-split" : "");
}

static fmd_status run(work *w)
{
    FMD_TRY(find_importer(w));
    FMD_TRY(w->importer->open(&w->reader, w->args, &w->source));
    FMD_TRY(plan(w));
    FMD_TRY(fmd_import_writer_create(&w->writer, w->args->dest, w->report->info.image));
    FMD_TRY(add_all(w));
    FMD_TRY(check_result(w));
    w->report->duplicates = fmd_duplicates_count(&w->hashes);
    snprintf(w->report->note, sizeof w->report->note, "%s", w->source.note);
    for (int i = 0; i < w->source.n_names; i++)
        memcpy(w->report->info.class_names[i], w->source.names[i], FMD_CLASS_NAME_BYTES);
    /* classes.txt names each label up to the largest. */
    const bool named = w->source.n_names >= w->report->info.classes;
    return fmd_import_writer_finish(w->writer, named ? w->source.n_names : 0, w->source.names);
}

fmd_status fmd_import(const fmd_import_args *args, fmd_import_report *out)
{
    work *w;
    memset(out, 0, sizeof *out);
    FMD_TRY(fmd_alloc(&w, 1, sizeof *w, "an import"));
    w->args = args;
    w->report = out;
    const fmd_status st = run(w);
    fmd_import_writer_destroy(w->writer);
    if (w->importer != NULL)
        w->importer->close(w->reader);
    fmd_image_hashes_free(&w->hashes);
    free(w->converted);
    free(w->scratch);
    free(w->image);
    free(w);
    return st;
}
