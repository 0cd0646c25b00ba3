/* A data set on disk: found, opened, checked, loaded.
 *
 * Opening checks headers and sizes, so that the memory is known; loading puts the bytes where the
 * caller wants them. Knows nothing of MPI: one process loads, and may hand the bytes on. */
#ifndef FMD_DATA_SOURCE_H
#define FMD_DATA_SOURCE_H

#include "data/format.h"

typedef struct fmd_source fmd_source;

/* Local. Finds data set `name` ("fashion-mnist", "cifar-10", a set of EMNIST such as
 * "emnist-letters", or a folder) in `dir`, or where `dir` is empty in the usual places, opens its
 * files and checks their headers and sizes. FMD_ENOINPUT names the places and the command that gets
 * the data; FMD_EDATA names file, field, found and expected. */
FMD_CHECKED fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir);
void fmd_source_close(fmd_source *s);

/* Local. The shape of the images and their number; as long as the source. */
const fmd_dataset_info *fmd_source_info(const fmd_source *s);

/* Local. The bytes that the images and labels take. */
size_t fmd_source_bytes(const fmd_source *s);

/* Local. Reads images and labels into `memory` (fmd_source_bytes long), checks everything that the
 * headers do not show (gzip CRC, trailing bytes, hashes), and completes *info. Once. FMD_EDATA,
 * also where the files belong to another published data set than the name says. */
FMD_CHECKED fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info);

/* Local. Opens, loads and closes a data set; its bytes are in *memory, which free() releases. As
 * fmd_source_open and fmd_source_load; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_source_read(fmd_dataset *out, void **memory, const char *name,
                                       const char *dir);

/* Local. The file or files of a part as they lie on disk, maybe packed. */
fmd_source_file fmd_source_file_at(const fmd_source *s, int part);

/* Local. The published data set that a loaded one is, or should be by its name or by one of its
 * parts; NULL: none. same[i]: whether part i is the published one. */
const char *fmd_source_published(const fmd_dataset_info *info, bool same[FMD_DATASET_FILES]);

/* Local. Name, class names and, where its files can be found, folder of a data set without loading
 * it; the rest of *info stays. FMD_EDATA for a faulty classes.txt. */
FMD_CHECKED fmd_status fmd_source_names(fmd_dataset_info *info, const char *name, const char *dir);

#endif
