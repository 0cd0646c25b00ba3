/* Where data sets are looked for, and by which names of files. */
#ifndef FMD_DATA_LOCATE_H
#define FMD_DATA_LOCATE_H

#include "data/dataset_info.h"

/* The folder of a data set and the paths of its files. */
typedef struct fmd_place {
    char path[FMD_PATH_BYTES];
    char file[FMD_DATASET_FILES][FMD_PATH_BYTES];
    bool emnist; /* the files have the name of the set in front */
} fmd_place;

/* Local. The first folder with all files of data set `name`, as fmd_source_open finds it.
 * FMD_ENOINPUT, FMD_EIO, FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_place_find(fmd_place *out, const char *name, const char *dir);

/* Local. Whether `name` is a folder by its form, and not the name of a data set. */
bool fmd_dataset_is_path(const char *name);

/* Local. The folders that hold all files of a data set, in the usual places or where `dir` is not
 * empty there, in the order in which they are looked in; at most `most`. Returns how many. */
size_t fmd_dataset_list(char paths[][FMD_PATH_BYTES], size_t most, const char *dir);

#endif
