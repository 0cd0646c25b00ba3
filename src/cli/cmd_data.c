/* data: lists, describes, verifies and downloads data sets. */
#include "base/format.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "cli/data_get.h"
#include "data/known_datasets.h"
#include "data/locate.h"
#include "data/source.h"
#include "io/json/json_object.h"
#include "run/loaded_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LISTED = 64, NAME_COLUMNS = 20, MAX_CHANNELS = 4 };

/* A data set and its bytes, in memory of its own. */
typedef struct loaded {
    fmd_source *source;
    void *memory;
    fmd_dataset data;
} loaded;

static void unload(loaded *l)
{
    fmd_source_close(l->source);
    free(l->memory);
}

static fmd_status load(loaded *l, const char *name, const char *dir)
{
    fmd_dataset_info info;
    *l = (loaded){.source = NULL};
    FMD_TRY(fmd_source_open(&l->source, name, dir));
    fmd_status st = fmd_alloc(&l->memory, fmd_source_bytes(l->source), 1, "the data set");
    if (st == FMD_OK)
        st = fmd_source_load(l->source, l->memory, &info);
    if (st == FMD_OK)
        fmd_dataset_view(&l->data, &info, l->memory);
    else
        unload(l);
    return st;
}

static void add_info(fmd_json *j, const fmd_dataset_info *d)
{
    fmd_json_text(j, NULL, "name", d->name);
    fmd_json_text(j, NULL, "path", d->path);
    fmd_json_bool(j, NULL, "verified", d->verified);
    fmd_json_int(j, NULL, "train_images", (long long)d->n_train);
    fmd_json_int(j, NULL, "test_images", (long long)d->n_test);
    for (int i = 0; i < d->image.rank; i++)
        fmd_json_append_int(j, NULL, "image", d->image.dim[i]);
    fmd_json_int(j, NULL, "classes", d->classes);
}

/* One row of the list: a data set, or the reason why the folder has none. */
static fmd_status list_one(const char *path, fmd_json *list)
{
    loaded l;
    char shape[FMD_SHAPE_TEXT];
    const fmd_status st = load(&l, path, "");
    const fmd_dataset_info *d = &l.data.info;
    if (list != NULL) {
        fmd_json *row;
        FMD_TRY(fmd_json_create(&row));
        if (st == FMD_OK)
            add_info(row, d);
        else
            fmd_json_text(row, NULL, "path", path);
        fmd_json_text(row, NULL, "error", st == FMD_OK ? "" : fmd_error_message());
        fmd_json_append_object(list, "data_sets", row);
        fmd_json_destroy(row);
    } else if (st == FMD_OK) {
        fmd_print_padded(d->name, NAME_COLUMNS);
        fmd_print(" %7zu %7zu  %-9s %7d  %-13s %s\n", d->n_train, d->n_test,
                  fmd_format_shape(d->image, shape), d->classes,
                  d->verified ? "verified" : "unverified", path);
    } else {
        fmd_print("%-*s %s\n", NAME_COLUMNS, "not usable", fmd_error_message());
    }
    if (st == FMD_OK)
        unload(&l);
    return FMD_OK;
}

static fmd_status list(const fmd_config *config)
{
    char(*paths)[FMD_PATH_BYTES];
    fmd_json *j = NULL;
    FMD_TRY(fmd_alloc(&paths, MOST_LISTED, sizeof *paths, "the list"));
    const size_t n = fmd_locate_list(paths, MOST_LISTED, config->data.dir);
    fmd_status st = FMD_OK;
    if (n == 0)
        st = FMD_FAIL(FMD_ENOINPUT,
                      "found no data set%s%s: get one with fmnist-dist data "
                      "get fashion-mnist, or name a folder with --data-dir",
                      *config->data.dir != '\0' ? " in " : "", config->data.dir);
    else if (config->view.json)
        st = fmd_json_create(&j);
    else
        fmd_print("%-*s %7s %7s  %-9s %7s  %-13s %s\n", NAME_COLUMNS, "name", "train", "test",
                  "image", "classes", "files", "folder");
    for (size_t i = 0; i < n && st == FMD_OK; i++)
        st = list_one(paths[i], j);
    if (st == FMD_OK && j != NULL)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    free(paths);
    return st;
}

/* Statistics of one channel over all training images. */
typedef struct pixels {
    double mean, deviation;
    int min, max;
} pixels;

static int channels_of(fmd_shape image)
{
    return image.rank == 3 ? image.dim[2] : 1;
}

static pixels measure(const fmd_dataset *d, int channel)
{
    const size_t step = (size_t)channels_of(d->info.image);
    const size_t bytes = d->train.n * fmd_shape_count(d->info.image);
    uint64_t sum = 0, squares = 0;
    pixels p = {.min = 255};
    for (size_t i = (size_t)channel; i < bytes; i += step) {
        const int x = d->train.images[i];
        sum += (uint64_t)x;
        squares += (uint64_t)(x * x);
        p.min = x < p.min ? x : p.min;
        p.max = x > p.max ? x : p.max;
    }
    const double n = (double)bytes / (double)step;
    p.mean = (double)sum / n;
    p.deviation = sqrt(fmax((double)squares / n - p.mean * p.mean, 0));
    return p;
}

static void count_labels(const fmd_split *s, size_t count[FMD_CLASSES_MAX])
{
    memset(count, 0, FMD_CLASSES_MAX * sizeof *count);
    for (size_t i = 0; i < s->n; i++)
        count[s->labels[i]]++;
}

static void print_pixels(const fmd_dataset *d)
{
    const int channels = channels_of(d->info.image);
    for (int i = 0; i < channels && i < MAX_CHANNELS; i++) {
        const pixels p = measure(d, i);
        char what[32] = "pixels";
        if (channels > 1)
            snprintf(what, sizeof what, "channel %d", i);
        fmd_print(
            "%-10s %d to %d, mean %.2f, standard deviation %.2f; divided by 255: %.4f, %.4f\n",
            what, p.min, p.max, p.mean, p.deviation, p.mean / 255, p.deviation / 255);
    }
}

static void print_files(const loaded *l)
{
    char hash[FMD_HASH_TEXT];
    fmd_print("\n%-*s %10s %10s  %s\n", NAME_COLUMNS + 12, "file", "on disk", "unpacked",
              "xxh3 of the unpacked file");
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const fmd_source_file f = fmd_source_file_at(l->source, i);
        fmd_print("%-*s %10zu %10zu  %s\n", NAME_COLUMNS + 12, strrchr(f.path, '/') + 1, f.bytes,
                  f.unpacked_bytes, fmd_hash_text(l->data.info.hash[i], hash));
    }
}

static void print_info(const loaded *l)
{
    const fmd_dataset_info *d = &l->data.info;
    size_t train[FMD_CLASSES_MAX], test[FMD_CLASSES_MAX];
    char text[FMD_SHAPE_TEXT], name[FMD_CLASS_TEXT];
    fmd_print("name       %s, %s\n", d->name,
              d->verified ? "verified: the published files"
                          : "not the files of a published data set");
    fmd_print("folder     %s\n", d->path);
    fmd_print("images     %zu to train, %zu to test, %s\n", d->n_train, d->n_test,
              fmd_format_shape(d->image, text));
    print_pixels(&l->data);
    print_files(l);
    count_labels(&l->data.train, train);
    count_labels(&l->data.test, test);
    fmd_print("\n%-*s %10s %10s\n", NAME_COLUMNS + 12, "class", "train", "test");
    for (int i = 0; i < d->classes; i++) {
        fmd_print_padded(fmd_class_text(d, i, name), NAME_COLUMNS + 12);
        fmd_print(" %10zu %10zu\n", train[i], test[i]);
    }
}

static fmd_status add_class(fmd_json *j, const fmd_dataset_info *d, int class, size_t train,
                            size_t test)
{
    fmd_json *row;
    FMD_TRY(fmd_json_create(&row));
    fmd_json_int(row, NULL, "class", class);
    fmd_json_text(row, NULL, "name", fmd_class_name(d, class));
    fmd_json_int(row, NULL, "train_images", (long long)train);
    fmd_json_int(row, NULL, "test_images", (long long)test);
    fmd_json_append_object(j, "labels", row);
    fmd_json_destroy(row);
    return FMD_OK;
}

static fmd_status describe(fmd_json *j, const loaded *l)
{
    const fmd_dataset_info *d = &l->data.info;
    size_t train[FMD_CLASSES_MAX], test[FMD_CLASSES_MAX];
    char hash[FMD_HASH_TEXT];
    add_info(j, d);
    for (int i = 0; i < channels_of(d->image); i++) {
        const pixels p = measure(&l->data, i);
        fmd_json_append_real(j, "pixels", "mean", p.mean);
        fmd_json_append_real(j, "pixels", "standard_deviation", p.deviation);
        fmd_json_append_int(j, "pixels", "min", p.min);
        fmd_json_append_int(j, "pixels", "max", p.max);
    }
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const fmd_source_file f = fmd_source_file_at(l->source, i);
        fmd_json_text(j, "files", fmd_dataset_key(i), f.path);
        fmd_json_int(j, "bytes_on_disk", fmd_dataset_key(i), (long long)f.bytes);
        fmd_json_text(j, "xxh3", fmd_dataset_key(i), fmd_hash_text(d->hash[i], hash));
    }
    count_labels(&l->data.train, train);
    count_labels(&l->data.test, test);
    for (int i = 0; i < d->classes; i++)
        FMD_TRY(add_class(j, d, i, train[i], test[i]));
    return FMD_OK;
}

static fmd_status info(const fmd_config *config)
{
    loaded l;
    fmd_json *j = NULL;
    FMD_TRY(load(&l, config->data.dataset, config->data.dir));
    fmd_status st = FMD_OK;
    if (!config->view.json) {
        print_info(&l);
    } else {
        st = fmd_json_create(&j);
        if (st == FMD_OK)
            st = describe(j, &l);
        if (st == FMD_OK)
            st = fmd_print_json(j);
        fmd_json_destroy(j);
    }
    unload(&l);
    return st;
}

/* Findings on a data set without damaged files. */
typedef struct findings {
    const char *published; /* the data set that it should be; NULL: none is known */
    bool same[FMD_DATASET_FILES];
    int differing;           /* files that are not the published ones */
    size_t repeated, leaked; /* training images that are there already; test images in training */
    int unseen;              /* a class of test images that no training image has; -1: none */
    int unused;              /* classes without any image */
} findings;

typedef struct digest {
    fmd_hash hash;
    bool test;
} digest;

static int compare_digests(const void *a, const void *b)
{
    const digest *x = a, *y = b;
    if (x->hash.high != y->hash.high)
        return x->hash.high < y->hash.high ? -1 : 1;
    if (x->hash.low != y->hash.low)
        return x->hash.low < y->hash.low ? -1 : 1;
    return x->test - y->test; /* training images first */
}

static fmd_status count_equal_images(const fmd_dataset *d, findings *f)
{
    const size_t bytes = fmd_shape_count(d->info.image), n = d->train.n + d->test.n;
    digest *all;
    FMD_TRY(fmd_alloc(&all, n, sizeof *all, "the hashes of the images"));
    for (size_t i = 0; i < n; i++) {
        const bool test = i >= d->train.n;
        const uint8_t *image =
            test ? d->test.images + (i - d->train.n) * bytes : d->train.images + i * bytes;
        all[i] = (digest){.hash = fmd_hash_bytes(image, bytes), .test = test};
    }
    qsort(all, n, sizeof *all, compare_digests);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (memcmp(&all[i].hash, &all[first].hash, sizeof all[i].hash) != 0) {
            first = i;
            continue;
        }
        f->repeated += !all[i].test;
        f->leaked += all[i].test && !all[first].test;
    }
    free(all);
    return FMD_OK;
}

static fmd_status examine(const fmd_dataset *d, findings *f)
{
    size_t train[FMD_CLASSES_MAX], test[FMD_CLASSES_MAX];
    *f = (findings){.unseen = -1};
    f->published = fmd_source_published(&d->info, f->same);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        f->differing += f->published != NULL && !f->same[i];
    count_labels(&d->train, train);
    count_labels(&d->test, test);
    for (int i = d->info.classes - 1; i >= 0; i--)
        if (test[i] > 0 && train[i] == 0)
            f->unseen = i;
    for (int i = 0; i < d->info.classes; i++)
        f->unused += test[i] == 0 && train[i] == 0;
    return count_equal_images(d, f);
}

/* One finding a line, as doctor prints them. */
static void print_findings(const loaded *l, const findings *f)
{
    const fmd_dataset_info *d = &l->data.info;
    char hash[FMD_HASH_TEXT];
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const char *path = fmd_source_file_at(l->source, i).path;
        if (f->published == NULL)
            fmd_print("ok       %s: sound\n", path);
        else if (f->same[i])
            fmd_print("ok       %s: the published file of %s\n", path, f->published);
        else
            fmd_print("PROBLEM  %s: not the published file of %s: xxh3 %s\n", path, f->published,
                      fmd_hash_text(d->hash[i], hash));
    }
    fmd_print("ok       %zu + %zu labels from 0 to %d\n", d->n_train, d->n_test, d->classes - 1);
    if (f->published == NULL)
        fmd_print("note     there are no hashes of a published data set to compare with\n");
    if (f->unseen >= 0)
        fmd_print("note     only test images have label %d, no training image\n", f->unseen);
    if (f->unused > 0)
        fmd_print(
            "note     %d of %d labels have no image: with labels numbered from 0 without gaps, the "
            "model needs fewer outputs\n",
            f->unused, d->classes);
    if (d->classes == 1)
        fmd_print("note     all labels are 0: a classifier needs at least two classes\n");
    if (f->repeated > 0)
        fmd_print("note     %zu training images are duplicates of others\n", f->repeated);
    if (f->leaked > 0)
        fmd_print("note     %zu test images are also training images\n", f->leaked);
}

static fmd_status print_findings_json(const loaded *l, const findings *f)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    add_info(j, &l->data.info);
    fmd_json_text(j, NULL, "published", f->published != NULL ? f->published : "");
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        fmd_json_bool(j, "as_known", fmd_dataset_key(i), f->same[i]);
    fmd_json_int(j, NULL, "repeated_training_images", (long long)f->repeated);
    fmd_json_int(j, NULL, "test_images_in_training", (long long)f->leaked);
    fmd_json_bool(j, NULL, "test_only_labels", f->unseen >= 0);
    fmd_json_int(j, NULL, "unused_labels", f->unused);
    const fmd_status st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* Fails again with the last message, and suggests a download for damaged files of a published set. */
static fmd_status print_cure(const fmd_config *config, fmd_status st)
{
    char message[FMD_ERROR_BYTES];
    fmd_dataset_info info = {.name = ""};
    snprintf(message, sizeof message, "%s", fmd_error_message());
    if (fmd_source_names(&info, config->data.dataset, config->data.dir) == FMD_OK) {
        const fmd_known_dataset *set = fmd_known_dataset_find(info.name);
        if (set != NULL && !config->view.json) {
            fmd_print("PROBLEM  %s\n", message);
            fmd_print("         -> fmnist-dist data get %s --data-dir %s\n", set->name, info.path);
        }
    }
    return FMD_FAIL(st, "%s", message);
}

static fmd_status verify(const fmd_config *config)
{
    loaded l;
    findings f;
    fmd_status st = load(&l, config->data.dataset, config->data.dir);
    if (st != FMD_OK)
        return st == FMD_EDATA ? print_cure(config, st) : st;
    st = examine(&l.data, &f);
    if (st == FMD_OK && config->view.json)
        st = print_findings_json(&l, &f);
    else if (st == FMD_OK)
        print_findings(&l, &f);
    if (st == FMD_OK && f.differing > 0)
        st = FMD_FAIL(FMD_EDATA,
                      "%d of 4 files in '%s' are not those of %s: get them with fmnist-dist data "
                      "get %s --data-dir %s",
                      f.differing, l.data.info.path, f.published, f.published, l.data.info.path);
    unload(&l);
    return st;
}

static fmd_status run_data(fmd_comm *c, const fmd_config *config)
{
    static fmd_status (*const actions[])(const fmd_config *) = {list, info, verify, fmd_data_get};
    (void)c;
    return actions[config->data.action](config);
}

const fmd_command fmd_command_data = {
    .name = "data",
    .usage = "[list] | info [NAME|DIR] | verify [NAME|DIR] | get NAME [OPTIONS]",
    .help = "lists, describes, verifies and downloads data sets",
    .example = "verify fashion-mnist",
    .groups = "action|data|json",
    .words = "action|dataset",
    .run = run_data,
};
