/* fmd/dataset.h: a data set as an opaque object. */
#include "data/dataset.h"
#include "base/mem.h"
#include "train/loader.h"

#include <stdlib.h>

fmd_status fmd_dataset_load(fmd_dataset **out, fmd_comm *c, const char *name, const char *dir)
{
    fmd_dataset *d = NULL;
    FMD_TRY(fmd_comm_agree(c, fmd_alloc(&d, 1, sizeof *d, "the data set")));
    const fmd_status st = fmd_loader_read(c, name, dir != NULL ? dir : "", d);
    if (st == FMD_OK)
        *out = d;
    else
        free(d);
    return st;
}

void fmd_dataset_destroy(fmd_dataset *d)
{
    if (d != NULL)
        fmd_loader_close(d);
    free(d);
}

static const fmd_split *split_of(const fmd_dataset *d, fmd_split_name split)
{
    return split == FMD_SPLIT_TEST ? &d->test : &d->train;
}

size_t fmd_dataset_size(const fmd_dataset *d, fmd_split_name split)
{
    return split_of(d, split)->n;
}

const uint8_t *fmd_dataset_images(const fmd_dataset *d, fmd_split_name split)
{
    return split_of(d, split)->images;
}

const uint8_t *fmd_dataset_labels(const fmd_dataset *d, fmd_split_name split)
{
    return split_of(d, split)->labels;
}

fmd_shape fmd_dataset_image_shape(const fmd_dataset *d)
{
    return d->info.image;
}

int fmd_dataset_classes(const fmd_dataset *d)
{
    return d->info.classes;
}

const char *fmd_dataset_class_name(const fmd_dataset *d, int label)
{
    return fmd_class_name(&d->info, label);
}

const char *fmd_dataset_name(const fmd_dataset *d)
{
    return d->info.name;
}

const char *fmd_dataset_path(const fmd_dataset *d)
{
    return d->info.path;
}
