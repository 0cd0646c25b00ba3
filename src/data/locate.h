/* The search path of data sets, and the names of their files. */
#ifndef FMD_DATA_LOCATE_H
#define FMD_DATA_LOCATE_H

#include "data/dataset.h"

typedef enum fmd_files { FMD_FILES_IDX, FMD_FILES_CIFAR, FMD_FILES_ARRAYS } fmd_files;

enum { FMD_CIFAR_FILES = 6 };

/* The folder of a data set and the paths of its files; of arrays: one file, and its own path. */
typedef struct fmd_place {
    char path[FMD_PATH_BYTES];
    fmd_files files;
    char file[FMD_CIFAR_FILES][FMD_PATH_BYTES]; /* of IDX: FMD_DATASET_FILES */
    bool emnist;                                /* file names start with the name of the set */
} fmd_place;

/* Local. The first folder with all files of data set `name`, in `dir`, or in the default places if
 * `dir` is empty. FMD_ENOINPUT, FMD_EIO, FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_locate(fmd_place *out, const char *name, const char *dir);

/* Local. Whether `name` has the form of a path, or of a file of arrays, rather than a data set's
 * name. */
bool fmd_locate_is_path(const char *name);

enum { FMD_LOCATE_MOST = 64 };

/* Local. The folders with all files of a data set, the same files once, in `dir`, or in the default places if `dir` is
 * empty, in search order; at most `most` and FMD_LOCATE_MOST. Returns their number. */
size_t fmd_locate_list(char paths[][FMD_PATH_BYTES], size_t most, const char *dir);

#endif
