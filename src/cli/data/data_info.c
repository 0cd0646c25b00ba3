#include "base/format.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/data/data.h"
#include "cli/data/loaded.h"
#include "data/duplicates.h"
#include "report/plots/plots.h"
#include "run/loaded_model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_CHANNELS = 4 };

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

static void print_files(const fmd_data_loaded *l)
{
    char hash[FMD_HASH_TEXT];
    fmd_print("\n%-*s %10s %10s  %s\n", FMD_DATA_NAME_COLUMNS + 12, "file", "on disk", "unpacked",
              "xxh3 of the unpacked file");
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const fmd_source_file f = fmd_source_file_at(l->source, i);
        fmd_print("%-*s %10zu %10zu  %s\n", FMD_DATA_NAME_COLUMNS + 12, strrchr(f.path, '/') + 1,
                  f.bytes, f.unpacked_bytes, fmd_hash_text(l->data.info.hash[i], hash));
    }
}

/* The smallest and the largest class, of those with training images. */
static void find_extremes(const fmd_dataset_info *d, const size_t count[FMD_CLASSES_MAX],
                          int *least, int *most)
{
    *least = *most = -1;
    for (int i = 0; i < d->classes; i++) {
        if (count[i] == 0)
            continue;
        *least = *least < 0 || count[i] < count[*least] ? i : *least;
        *most = *most < 0 || count[i] > count[*most] ? i : *most;
    }
}

static void print_balance(const fmd_dataset_info *d, const size_t count[FMD_CLASSES_MAX])
{
    char name[FMD_CLASS_TEXT], other[FMD_CLASS_TEXT];
    int least, most;
    find_extremes(d, count, &least, &most);
    if (count[least] == count[most])
        fmd_print("\nbalance    all classes have the same number of training images\n");
    else
        fmd_print("\nbalance    the largest class, %s, has %.3g times the training images of the "
                  "smallest, %s\n",
                  fmd_class_text(d, most, name), (double)count[most] / (double)count[least],
                  fmd_class_text(d, least, other));
}

static void print_duplicates(const fmd_duplicates *found)
{
    fmd_print("duplicates %zu training images repeat others, %zu test images are training images\n",
              found->repeated, found->leaked);
}

static void print_info(const fmd_data_loaded *l)
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
    fmd_split_count(&l->data.train, train);
    fmd_split_count(&l->data.test, test);
    fmd_print("\n%-*s %10s %10s\n", FMD_DATA_NAME_COLUMNS + 12, "class", "train", "test");
    for (int i = 0; i < d->classes; i++) {
        fmd_print_padded(fmd_class_text(d, i, name), FMD_DATA_NAME_COLUMNS + 12);
        fmd_print(" %10zu %10zu\n", train[i], test[i]);
    }
    print_balance(d, train);
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

static fmd_status describe(fmd_json *j, const fmd_data_loaded *l, const fmd_duplicates *duplicates)
{
    const fmd_dataset_info *d = &l->data.info;
    size_t train[FMD_CLASSES_MAX], test[FMD_CLASSES_MAX];
    char hash[FMD_HASH_TEXT];
    fmd_data_add_info(j, d);
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
    fmd_json_int(j, NULL, "repeated_training_images", (long long)duplicates->repeated);
    fmd_json_int(j, NULL, "test_images_in_training", (long long)duplicates->leaked);
    fmd_split_count(&l->data.train, train);
    fmd_split_count(&l->data.test, test);
    for (int i = 0; i < d->classes; i++)
        FMD_TRY(add_class(j, d, i, train[i], test[i]));
    return FMD_OK;
}

/* Draws into the folder of --output. */
static fmd_status draw(const fmd_data_loaded *l, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return FMD_FAIL(FMD_EIO, "cannot create the folder '%s': %s", folder, strerror(errno));
    return fmd_plot_samples(&(fmd_plot_target){.folder = folder, .formats = "svg png"}, &l->data);
}

fmd_status fmd_data_info(const fmd_config *config)
{
    fmd_data_loaded l;
    fmd_json *j = NULL;
    fmd_duplicates duplicates;
    if (config->view.json && *config->output.path != '\0')
        return FMD_FAIL(FMD_EUSAGE, "--json and --output exclude each other");
    FMD_TRY(fmd_data_load(&l, config->data.dataset, config->data.dir));
    fmd_status st = fmd_duplicates_of(&l.data, &duplicates);
    if (st == FMD_OK && !config->view.json) {
        print_info(&l);
        print_duplicates(&duplicates);
        if (*config->output.path != '\0')
            st = draw(&l, config->output.path);
    } else if (st == FMD_OK) {
        st = fmd_json_create(&j);
        if (st == FMD_OK)
            st = describe(j, &l, &duplicates);
        if (st == FMD_OK)
            st = fmd_print_json(j);
        fmd_json_destroy(j);
    }
    fmd_data_unload(&l);
    return st;
}
