/* Image classification data in IDX files: two for training, two for testing.
 *
 * Opening reads and checks the headers, so that the sizes are known; loading puts the bytes where
 * the caller wants them. Knows nothing of MPI: one process loads, and may hand the bytes on. */
#ifndef FMD_DATASET_H
#define FMD_DATASET_H

#include "data/dataset_info.h"

/* A data set found on disk, not yet loaded. */
typedef struct fmd_source fmd_source;

/* Local. Finds data set `name` ("fashion-mnist", "mnist", a set of EMNIST such as "emnist-letters",
 * or a folder) in `dir`, or where `dir` is empty in the usual places, opens its four files, packed
 * or not, and checks their headers and sizes. FMD_ENOINPUT names the places looked in and the
 * command that gets the data; FMD_EDATA names file, field, found and expected. */
FMD_CHECKED fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir);
void fmd_source_close(fmd_source *s);

/* Local. The bytes that the images and labels take. */
size_t fmd_source_bytes(const fmd_source *s);

/* Local. Reads images and labels into `memory` (fmd_source_bytes long), checks everything that the
 * headers do not show (gzip CRC, trailing bytes, hashes), and completes *info. Once. FMD_EDATA,
 * also where the files are those of another published data set than the name says. */
FMD_CHECKED fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info);

typedef struct fmd_source_file {
    const char *path; /* as long as the source */
    size_t bytes, unpacked_bytes;
} fmd_source_file;

/* Local. One of the four files as it lies on disk, maybe packed. */
fmd_source_file fmd_source_file_at(const fmd_source *s, int file);

/* Local. The views of a data set whose bytes fmd_source_load has put at `memory`. */
void fmd_dataset_view(fmd_dataset *out, const fmd_dataset_info *info, const void *memory);

/* Local. The published data set that a loaded one is, or should be by its name or by one of its
 * files; NULL: none. same[i]: whether file i is the published one. */
const char *fmd_dataset_known(const fmd_dataset_info *info, bool same[FMD_DATASET_FILES]);

/* Local. Of a data set that is not to be loaded, its name and those of its classes, and where its
 * files can be found its folder; the rest of *info stays. FMD_EDATA for a faulty classes.txt. */
FMD_CHECKED fmd_status fmd_dataset_names(fmd_dataset_info *info, const char *name, const char *dir);

/* Local. The name of a class: "Ankle boot" for 9 of Fashion-MNIST, empty where there is none; as
 * long as `info`. */
const char *fmd_class_name(const fmd_dataset_info *info, int label);

#endif
