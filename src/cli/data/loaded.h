/* A data set in memory, and what its description, list and verification share. */
#ifndef FMD_CLI_DATA_LOADED_H
#define FMD_CLI_DATA_LOADED_H

#include "data/duplicates.h"
#include "data/source.h"
#include "io/json/json_object.h"

enum { FMD_DATA_NAME_COLUMNS = 20 };

/* A data set and its bytes, in memory of its own. */
typedef struct fmd_data_loaded {
    fmd_source *source;
    void *memory;
    fmd_dataset data;
} fmd_data_loaded;

/* Local. Statuses of fmd_source_open and fmd_source_load; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_data_load(fmd_data_loaded *l, const char *name, const char *dir);
void fmd_data_unload(fmd_data_loaded *l);

/* Local. Adds name, folder and sizes. */
void fmd_data_add_info(fmd_json *j, const fmd_dataset_info *d);

/* Local. Notes on equal images, after a label of `columns` columns. */
void fmd_data_print_duplicates(const fmd_duplicates *d, int columns);

#endif
