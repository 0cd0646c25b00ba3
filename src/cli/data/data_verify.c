#include "base/system/print.h"
#include "cli/data/data.h"
#include "cli/data/loaded.h"
#include "data/duplicates.h"
#include "data/known_datasets.h"
#include "run/loaded_model.h"

#include <stdio.h>
#include <string.h>

/* Findings on a data set without damaged files. */
typedef struct findings {
    const char *published; /* the data set that it should be; NULL: none is known */
    bool same[FMD_DATASET_FILES];
    int differing; /* files that are not the published ones */
    fmd_duplicates duplicates;
    int unseen; /* a class of test images that no training image has; -1: none */
    int unused; /* classes without any image */
} findings;

static fmd_status examine(const fmd_dataset *d, findings *f)
{
    size_t train[FMD_CLASSES_MAX], test[FMD_CLASSES_MAX];
    *f = (findings){.unseen = -1};
    f->published = fmd_source_published(&d->info, f->same);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        f->differing += f->published != NULL && !f->same[i];
    fmd_split_count(&d->train, train);
    fmd_split_count(&d->test, test);
    for (int i = d->info.classes - 1; i >= 0; i--)
        if (test[i] > 0 && train[i] == 0)
            f->unseen = i;
    for (int i = 0; i < d->info.classes; i++)
        f->unused += test[i] == 0 && train[i] == 0;
    return fmd_duplicates_of(d, &f->duplicates);
}

/* One finding a line, as doctor prints them. */
static void print_findings(const fmd_data_loaded *l, const findings *f)
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
    fmd_data_print_duplicates(&f->duplicates, 8);
}

static fmd_status print_findings_json(const fmd_data_loaded *l, const findings *f)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_data_add_info(j, &l->data.info);
    fmd_json_text(j, NULL, "published", f->published != NULL ? f->published : "");
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        fmd_json_bool(j, "as_known", fmd_dataset_key(i), f->same[i]);
    fmd_json_int(j, NULL, "repeated_training_images", (long long)f->duplicates.repeated);
    fmd_json_int(j, NULL, "test_images_in_training", (long long)f->duplicates.leaked);
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

fmd_status fmd_data_verify(const fmd_config *config)
{
    fmd_data_loaded l;
    findings f;
    fmd_status st = fmd_data_load(&l, config->data.dataset, config->data.dir);
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
    fmd_data_unload(&l);
    return st;
}
