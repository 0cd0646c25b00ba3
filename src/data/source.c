#include "data/source.h"

#include "base/mem.h"
#include "data/class_names.h"
#include "data/known_datasets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fmd_format *const formats[] = {
    [FMD_FILES_IDX] = &fmd_format_idx,
    [FMD_FILES_CIFAR] = &fmd_format_cifar,
    [FMD_FILES_ARRAYS] = &fmd_format_arrays,
};

struct fmd_source {
    fmd_dataset_info info;
    const fmd_format *format;
    void *reader;
    int n_names; /* class names in the folder; 0: it has no names file */
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

/* Names of classes from the folder: those that the user wrote, or those that EMNIST has beside its
 * files. */
static fmd_status read_names(int *n, char names[][FMD_CLASS_NAME_BYTES], const fmd_place *place)
{
    FMD_TRY(fmd_class_names_read(n, names, place->path, formats[place->files]->names_file));
    if (*n > 0 || !place->emnist)
        return FMD_OK;
    char path[FMD_PATH_BYTES + 16];
    const char *end = strstr(strrchr(place->file[FMD_TRAIN_IMAGES], '/'), "-train-images");
    if (end == NULL)
        return FMD_OK;
    snprintf(path, sizeof path, "%.*s-mapping.txt", (int)(end - place->file[FMD_TRAIN_IMAGES]),
             place->file[FMD_TRAIN_IMAGES]);
    return fmd_class_names_read_mapping(n, names, path);
}

fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir)
{
    fmd_source *s = NULL;
    fmd_place place;
    FMD_TRY(fmd_locate(&place, name, dir));
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "a data set"));
    memcpy(s->info.path, place.path, sizeof s->info.path);
    set_name(&s->info, name, place.emnist);
    s->format = formats[place.files];
    fmd_status st = s->format->open(&s->reader, &place, &s->info);
    if (st == FMD_OK)
        st = read_names(&s->n_names, s->info.class_names, &place);
    if (st == FMD_OK)
        *out = s;
    else
        fmd_source_close(s);
    return st;
}

void fmd_source_close(fmd_source *s)
{
    if (s == NULL)
        return;
    s->format->close(s->reader);
    free(s);
}

fmd_source_file fmd_source_file_at(const fmd_source *s, int part)
{
    return s->format->file_at(s->reader, part);
}

const fmd_dataset_info *fmd_source_info(const fmd_source *s)
{
    return &s->info;
}

fmd_status fmd_source_stream(fmd_source *s)
{
    if (s->format->stream == NULL)
        return FMD_FAIL(FMD_EDATA,
                        "--stream: '%s' is not a folder of IDX files: make one with fmnist-dist "
                        "data import",
                        s->info.path);
    FMD_TRY(s->format->stream(s->reader));
    s->info.streamed = true;
    return FMD_OK;
}

size_t fmd_source_bytes(const fmd_source *s)
{
    size_t offset[FMD_DATASET_FILES];
    return fmd_dataset_layout(&s->info, offset);
}

/* Some mirrors serve the digits of MNIST under the name of Fashion-MNIST. Sizes and counts are
 * equal, so only the hash reveals it. A mixture of both data sets is an error too. */
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
            return FMD_FAIL(
                FMD_EDATA, "'%s': found %s, expected %s: get them with fmnist-dist data get %s",
                fmd_source_file_at(s, i).path, found->content, expected->content, expected->name);
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

/* Without names in the folder, a published data set uses its own. */
static void name_known(fmd_dataset_info *info)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(info->name);
    for (int i = 0; set != NULL && i < FMD_KNOWN_DATASET_CLASSES; i++)
        snprintf(info->class_names[i], FMD_CLASS_NAME_BYTES, "%s", set->classes[i]);
}

/* The folder must name every class. */
static fmd_status name_classes(const fmd_source *s, fmd_dataset_info *info)
{
    if (s->n_names == 0)
        name_known(info);
    else if (s->n_names < info->classes)
        return FMD_FAIL(
            FMD_EDATA, "'%s/%s': found %d names, expected at least %d: labels go up to %d",
            info->path, s->format->names_file, s->n_names, info->classes, info->classes - 1);
    return FMD_OK;
}

fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info)
{
    fmd_dataset_info result = s->info;
    fmd_dataset set;
    fmd_parts parts;
    size_t offset[FMD_DATASET_FILES];
    fmd_dataset_layout(&result, offset);
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        parts.part[i] = (uint8_t *)memory + offset[i];
    FMD_TRY(s->format->read(s->reader, &result, &parts));
    memcpy(result.hash, parts.hash, sizeof result.hash);
    FMD_TRY(identify(s, &result));
    fmd_dataset_view(&set, &result, memory);
    int train = count_classes(set.train.labels, set.train.n);
    int test = count_classes(set.test.labels, set.test.n);
    result.classes = train > test ? train : test;
    FMD_TRY(name_classes(s, &result));
    *info = result;
    return FMD_OK;
}

fmd_status fmd_source_read(fmd_dataset *out, void **memory, const char *name, const char *dir)
{
    fmd_source *source;
    fmd_dataset_info info;
    FMD_TRY(fmd_source_open(&source, name, dir));
    fmd_status st = fmd_alloc(memory, fmd_source_bytes(source), 1, "the images");
    if (st == FMD_OK)
        st = fmd_source_load(source, *memory, &info);
    if (st == FMD_OK)
        fmd_dataset_view(out, &info, *memory);
    fmd_source_close(source);
    return st;
}

const char *fmd_source_published(const fmd_dataset_info *info, bool same[FMD_DATASET_FILES])
{
    const fmd_known_dataset *set = fmd_known_dataset_find(info->name);
    for (int i = 0; i < FMD_DATASET_FILES && set == NULL; i++)
        set = fmd_known_dataset_owner(info->hash[i], i);
    if (set != NULL && !set->hashed)
        set = NULL; /* no published hashes to compare with */
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        same[i] = set != NULL && fmd_known_dataset_owner(info->hash[i], i) == set;
    return set != NULL ? set->name : NULL;
}

fmd_status fmd_source_names(fmd_dataset_info *info, const char *name, const char *dir)
{
    fmd_place place = {.emnist = false};
    int n = 0;
    memset(info->class_names, 0, sizeof info->class_names);
    if (fmd_locate(&place, name, dir) == FMD_OK)
        FMD_TRY(read_names(&n, info->class_names, &place));
    snprintf(info->path, sizeof info->path, "%s", place.path);
    set_name(info, name, place.emnist);
    if (n == 0)
        name_known(info);
    return FMD_OK;
}
