#include "base/format.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/data/data.h"
#include "cli/data/loaded.h"
#include "run/loaded_model.h"

#include <stdlib.h>

/* One row of the list: a data set, or the reason why the folder has none. */
static fmd_status list_one(const char *path, fmd_json *list)
{
    fmd_data_loaded l;
    char shape[FMD_SHAPE_TEXT];
    const fmd_status st = fmd_data_load(&l, path, "");
    const fmd_dataset_info *d = &l.data.info;
    if (list != NULL) {
        fmd_json *row;
        FMD_TRY(fmd_json_create(&row));
        if (st == FMD_OK)
            fmd_data_add_info(row, d);
        else
            fmd_json_text(row, NULL, "path", path);
        fmd_json_text(row, NULL, "error", st == FMD_OK ? "" : fmd_error_message());
        fmd_json_append_object(list, "data_sets", row);
        fmd_json_destroy(row);
    } else if (st == FMD_OK) {
        fmd_print_padded(d->name, FMD_DATA_NAME_COLUMNS);
        fmd_print(" %7zu %7zu  %-9s %7d  %-13s %s\n", d->n_train, d->n_test,
                  fmd_format_shape(d->image, shape), d->classes,
                  d->verified ? "verified" : "unverified", path);
    } else {
        fmd_print("%-*s %s\n", FMD_DATA_NAME_COLUMNS, "not usable", fmd_error_message());
    }
    if (st == FMD_OK)
        fmd_data_unload(&l);
    return FMD_OK;
}

fmd_status fmd_data_list(const fmd_config *config)
{
    char(*paths)[FMD_PATH_BYTES];
    fmd_json *j = NULL;
    FMD_TRY(fmd_alloc(&paths, FMD_LOCATE_MOST, sizeof *paths, "the list"));
    const size_t n = fmd_locate_list(paths, FMD_LOCATE_MOST, config->data.dir);
    fmd_status st = FMD_OK;
    if (n == 0)
        st = FMD_FAIL(FMD_ENOINPUT,
                      "found no data set%s%s: get one with fmnist-dist data "
                      "get fashion-mnist, or name a folder with --data-dir",
                      *config->data.dir != '\0' ? " in " : "", config->data.dir);
    else if (config->view.json)
        st = fmd_json_create(&j);
    else
        fmd_print("%-*s %7s %7s  %-9s %7s  %-13s %s\n", FMD_DATA_NAME_COLUMNS, "name", "train",
                  "test", "image", "classes", "files", "folder");
    for (size_t i = 0; i < n && st == FMD_OK; i++)
        st = list_one(paths[i], j);
    if (st == FMD_OK && j != NULL)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    free(paths);
    return st;
}
