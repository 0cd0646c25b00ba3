#include "cli/data/loaded.h"

#include "base/mem.h"
#include "base/system/print.h"

#include <stdlib.h>

void fmd_data_unload(fmd_data_loaded *l)
{
    fmd_source_close(l->source);
    free(l->memory);
}

fmd_status fmd_data_load(fmd_data_loaded *l, const char *name, const char *dir)
{
    fmd_dataset_info info;
    *l = (fmd_data_loaded){.source = NULL};
    FMD_TRY(fmd_source_open(&l->source, name, dir));
    fmd_status st = fmd_mem_check((double)fmd_source_bytes(l->source), "the data set",
                                  "look at it on a machine with more memory");
    if (st == FMD_OK)
        st = fmd_alloc(&l->memory, fmd_source_bytes(l->source), 1, "the data set");
    if (st == FMD_OK)
        st = fmd_source_load(l->source, l->memory, &info);
    if (st == FMD_OK)
        fmd_dataset_view(&l->data, &info, l->memory);
    else
        fmd_data_unload(l);
    return st;
}

void fmd_data_add_info(fmd_json *j, const fmd_dataset_info *d)
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

void fmd_data_print_duplicates(const fmd_duplicates *d, int columns)
{
    if (d->repeated > 0)
        fmd_print("%-*s %zu training image%s\n", columns, "note", d->repeated,
                  d->repeated == 1 ? " is a duplicate of another" : "s are duplicates of others");
    if (d->leaked > 0)
        fmd_print("%-*s %zu test image%s\n", columns, "note", d->leaked,
                  d->leaked == 1 ? " is also a training image" : "s are also training images");
}
