/* Data sets that training reads as well: IDX files, those of EMNIST, and CIFAR-10. */
#include "base/mem.h"
#include "data/import/importer.h"
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    fmd_dataset data;
    void *memory;
    size_t at; /* sample, of both splits */
} reader;

/* Splits gzip/emnist-letters into name and folder: EMNIST's sets share a folder. */
static void find_place(const fmd_import_args *args, char name[FMD_PATH_BYTES],
                       char dir[FMD_PATH_BYTES])
{
    const char *slash = strrchr(args->source, '/');
    fmd_place place;
    snprintf(name, FMD_PATH_BYTES, "%s", args->source);
    snprintf(dir, FMD_PATH_BYTES, "%s", args->dir);
    if (slash == NULL || strncmp(slash + 1, "emnist-", 7) != 0 ||
        fmd_locate(&place, name, dir) == FMD_OK)
        return;
    snprintf(name, FMD_PATH_BYTES, "%s", slash + 1);
    snprintf(dir, FMD_PATH_BYTES, "%.*s", (int)(slash - args->source), args->source);
}

static bool recognises(const fmd_import_args *args)
{
    char name[FMD_PATH_BYTES], dir[FMD_PATH_BYTES];
    fmd_place place;
    find_place(args, name, dir);
    return fmd_locate(&place, name, dir) == FMD_OK;
}

static fmd_status open_set(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    char name[FMD_PATH_BYTES], dir[FMD_PATH_BYTES];
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a data set"));
    *out = r;
    find_place(args, name, dir);
    FMD_TRY(fmd_source_read(&r->data, &r->memory, name, dir));
    const fmd_dataset_info *d = &r->data.info;
    source->size = (fmd_size){.width = (size_t)d->image.dim[1], .height = (size_t)d->image.dim[0]};
    source->channels = d->image.rank == 3 ? (size_t)d->image.dim[2] : 1;
    source->has_test = true;
    source->total = (double)(d->n_train + d->n_test);
    for (int i = 0; i < d->classes && *d->class_names[d->classes - 1] != '\0'; i++)
        memcpy(source->names[source->n_names++], d->class_names[i], FMD_CLASS_NAME_BYTES);
    return FMD_OK;
}

static fmd_status next_sample(void *set, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = set;
    const fmd_dataset *d = &r->data;
    s->test = r->at >= d->train.n;
    const fmd_split *split = s->test ? &d->test : &d->train;
    const size_t i = r->at - (s->test ? d->train.n : 0);
    if (i == split->n)
        return FMD_OK;
    s->label = split->labels[i];
    s->pixels = split->images + i * fmd_shape_count(d->info.image);
    s->size = source->size;
    s->channels = source->channels;
    source->done = (double)++r->at;
    return FMD_OK;
}

static void close_set(void *set)
{
    reader *r = set;
    if (r != NULL)
        free(r->memory);
    free(r);
}

const fmd_importer fmd_importer_set = {"data set in IDX or CIFAR-10 files", recognises, open_set,
                                       next_sample, close_set};
