#include "fmd/dataset.h"

#include "base/mem.h"
#include "data/class_names.h"
#include "data/idx.h"
#include "data/known_datasets.h"
#include "data/locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fmd_source {
    fmd_dataset_info info;
    fmd_idx *file[FMD_DATASET_FILES];
    int n_names; /* of classes, from the folder itself; 0: it brings none */
};

/* The name of a known data set or of one of EMNIST as it is, otherwise the last part of the path. */
static void set_name(fmd_dataset_info *info, const char *name, bool emnist)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    char *real = set == NULL && !emnist ? realpath(info->path, NULL) : NULL;
    const char *slash = strrchr(real != NULL ? real : name, '/');
    if (set != NULL)
        name = set->name;
    else if (slash != NULL && slash[1] != '\0')
        name = slash + 1;
    snprintf(info->name, sizeof info->name, "%s", name);
    free(real);
}

static fmd_status check_counts(const fmd_source *s, int images, size_t *n)
{
    const fmd_idx *x = s->file[images], *y = s->file[images + 1];
    *n = fmd_idx_header_of(x)->n;
    size_t labels = fmd_idx_header_of(y)->n;
    if (labels != *n)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found %zu labels, expected %zu, one for each image of '%s'",
                        fmd_idx_path(y), labels, *n, fmd_idx_path(x));
    return FMD_OK;
}

static fmd_status check_headers(fmd_source *s)
{
    fmd_dataset_info *info = &s->info;
    fmd_shape test = fmd_idx_header_of(s->file[FMD_TEST_IMAGES])->image;
    char found[FMD_SHAPE_TEXT], expected[FMD_SHAPE_TEXT];
    info->image = fmd_idx_header_of(s->file[FMD_TRAIN_IMAGES])->image;
    FMD_TRY(check_counts(s, FMD_TRAIN_IMAGES, &info->n_train));
    FMD_TRY(check_counts(s, FMD_TEST_IMAGES, &info->n_test));
    if (memcmp(&info->image, &test, sizeof test) != 0)
        return FMD_FAIL(FMD_EDATA, "'%s': found images of shape %s, expected %s as in '%s'",
                        fmd_idx_path(s->file[FMD_TEST_IMAGES]), fmd_shape_text(test, 0, found),
                        fmd_shape_text(info->image, 0, expected),
                        fmd_idx_path(s->file[FMD_TRAIN_IMAGES]));
    return FMD_OK;
}

fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir)
{
    fmd_status status;
    fmd_source *s = NULL;
    fmd_place place;
    FMD_TRY(fmd_place_find(&place, name, dir));
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "a data set"));
    memcpy(s->info.path, place.path, sizeof s->info.path);
    set_name(&s->info, name, place.emnist);
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        fmd_idx_kind kind =
            i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES ? FMD_IDX_IMAGES : FMD_IDX_LABELS;
        status = fmd_idx_open(&s->file[i], place.file[i], kind);
        if (status != FMD_OK)
            goto out;
    }
    status = check_headers(s);
    if (status == FMD_OK)
        status = fmd_class_names_read(&s->n_names, s->info.class_names, s->info.path);
    if (status != FMD_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    fmd_source_close(s);
    return status;
}

void fmd_source_close(fmd_source *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        fmd_idx_close(s->file[i]);
    free(s);
}

fmd_source_file fmd_source_file_at(const fmd_source *s, int file)
{
    const fmd_idx *f = s->file[file];
    return (fmd_source_file){.path = fmd_idx_path(f),
                             .bytes = fmd_idx_disk_bytes(f),
                             .unpacked_bytes = fmd_idx_bytes(f)};
}

/* Where each file's payload begins in memory, aligned, and their total size. The IDX reader's limit
 * on a payload keeps the sum from overflowing. */
static size_t lay_out(const fmd_dataset_info *info, size_t offset[FMD_DATASET_FILES])
{
    size_t image = fmd_shape_count(info->image), total = 0;
    size_t bytes[FMD_DATASET_FILES] = {[FMD_TRAIN_IMAGES] = info->n_train * image,
                                       [FMD_TRAIN_LABELS] = info->n_train,
                                       [FMD_TEST_IMAGES] = info->n_test * image,
                                       [FMD_TEST_LABELS] = info->n_test};
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        offset[i] = total;
        total += (bytes[i] + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    }
    return total;
}

size_t fmd_source_bytes(const fmd_source *s)
{
    size_t offset[FMD_DATASET_FILES];
    return lay_out(&s->info, offset);
}

/* Mirrors are known to serve the digits of MNIST under the name of Fashion-MNIST, and nothing but
 * the hash tells: sizes and counts are equal. Files of both, mixed, are a mistake too. */
static fmd_status identify(const fmd_source *s, fmd_dataset_info *info)
{
    const fmd_known_dataset *expected = fmd_known_dataset_find(info->name);
    int same = 0;
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const fmd_known_dataset *found = fmd_known_dataset_owner(info->hash[i], i);
        if (found == NULL)
            continue;
        if (expected == NULL)
            expected = found;
        if (found != expected)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': found %s, expected %s: get them with "
                            "scripts/get-data %s",
                            fmd_idx_path(s->file[i]), found->content, expected->content,
                            expected->name);
        same++;
    }
    info->verified = same == FMD_DATASET_FILES;
    if (info->verified)
        snprintf(info->name, sizeof info->name, "%s", expected->name);
    return FMD_OK;
}

static int count_classes(const uint8_t *labels, size_t n)
{
    uint8_t max = 0;
    for (size_t i = 0; i < n; i++)
        max = labels[i] > max ? labels[i] : max;
    return max + 1;
}

/* Without names from the folder a published data set has its own. */
static void name_known(fmd_dataset_info *info)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(info->name);
    for (int i = 0; set != NULL && i < FMD_KNOWN_DATASET_CLASSES; i++)
        snprintf(info->class_names[i], FMD_CLASS_NAME_BYTES, "%s", set->classes[i]);
}

/* Names from the folder must be enough. */
static fmd_status name_classes(const fmd_source *s, fmd_dataset_info *info)
{
    if (s->n_names == 0)
        name_known(info);
    else if (s->n_names < info->classes)
        return FMD_FAIL(FMD_EDATA,
                        "'%s/" FMD_CLASSES_FILE
                        "': found %d names, expected at least %d: labels go "
                        "up to %d",
                        info->path, s->n_names, info->classes, info->classes - 1);
    return FMD_OK;
}

fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info)
{
    fmd_dataset_info result = s->info;
    fmd_dataset set;
    size_t offset[FMD_DATASET_FILES];
    lay_out(&result, offset);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        FMD_TRY(fmd_idx_read(s->file[i], (uint8_t *)memory + offset[i], &result.hash[i]));
    FMD_TRY(identify(s, &result));
    fmd_dataset_view(&set, &result, memory);
    int train = count_classes(set.train.labels, set.train.n);
    int test = count_classes(set.test.labels, set.test.n);
    result.classes = train > test ? train : test;
    FMD_TRY(name_classes(s, &result));
    *info = result;
    return FMD_OK;
}

void fmd_dataset_view(fmd_dataset *out, const fmd_dataset_info *info, const void *memory)
{
    const uint8_t *base = memory;
    size_t offset[FMD_DATASET_FILES];
    lay_out(info, offset);
    *out = (fmd_dataset){
        .info = *info,
        .train = {info->n_train, base + offset[FMD_TRAIN_IMAGES], base + offset[FMD_TRAIN_LABELS]},
        .test = {info->n_test, base + offset[FMD_TEST_IMAGES], base + offset[FMD_TEST_LABELS]},
    };
}

const char *fmd_dataset_known(const fmd_dataset_info *info, bool same[FMD_DATASET_FILES])
{
    const fmd_known_dataset *set = fmd_known_dataset_find(info->name);
    for (int i = 0; i < FMD_DATASET_FILES && set == NULL; i++)
        set = fmd_known_dataset_owner(info->hash[i], i);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        same[i] = set != NULL && fmd_known_dataset_owner(info->hash[i], i) == set;
    return set != NULL ? set->name : NULL;
}

fmd_status fmd_dataset_names(fmd_dataset_info *info, const char *name, const char *dir)
{
    fmd_place place = {.emnist = false};
    int n = 0;
    memset(info->class_names, 0, sizeof info->class_names);
    if (fmd_place_find(&place, name, dir) == FMD_OK)
        FMD_TRY(fmd_class_names_read(&n, info->class_names, place.path));
    snprintf(info->path, sizeof info->path, "%s", place.path);
    set_name(info, name, place.emnist);
    if (n == 0)
        name_known(info);
    return FMD_OK;
}

const char *fmd_class_name(const fmd_dataset_info *info, int label)
{
    return label >= 0 && label < FMD_CLASSES_MAX ? info->class_names[label] : "";
}
