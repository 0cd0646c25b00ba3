/* A data set on disk: found, opened, checked, loaded.
 *
 * Opening checks headers and sizes, which determine the memory; loading fills memory of the caller.
 * No MPI here: one process loads, and may send the bytes to others. */
#ifndef FMD_DATA_SOURCE_H
#define FMD_DATA_SOURCE_H

#include "data/formats/format.h"

typedef struct fmd_source fmd_source;

/* Local. Finds data set `name` ("fashion-mnist", "cifar-10", a set of EMNIST such as
 * "emnist-letters", or a folder) in `dir`, or in the default places if `dir` is empty, opens its
 * files and checks their headers and sizes. FMD_ENOINPUT names the places and the command that
 * downloads the data; FMD_EDATA names the file, the field, the found and the expected value. */
FMD_CHECKED fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir);
void fmd_source_close(fmd_source *s);

/* Local. The shape of the images and their number; as long as the source. */
const fmd_dataset_info *fmd_source_info(const fmd_source *s);

/* Local. From now on the images stay in their files: load reads the labels alone. FMD_EDATA: the files
 * are compressed, or of another kind than IDX. */
FMD_CHECKED fmd_status fmd_source_stream(fmd_source *s);

/* Local. The size of images and labels in bytes. */
size_t fmd_source_bytes(const fmd_source *s);

/* Local. Reads images and labels into `memory` (fmd_source_bytes long), checks everything that the
 * headers do not show (gzip CRC, trailing bytes, hashes), and completes *info. Once. FMD_EDATA,
 * also if the files belong to a published data set of another name. */
FMD_CHECKED fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info);

/* Local. Opens, loads and closes a data set; its bytes are in *memory, which free() releases. As
 * fmd_source_open and fmd_source_load; FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_source_read(fmd_dataset *out, void **memory, const char *name,
                                       const char *dir);

/* Local. The file or files of a part on disk, possibly gzipped. */
fmd_source_file fmd_source_file_at(const fmd_source *s, int part);

/* Local. The published data set that matches a loaded one by name or by one of its parts; NULL:
 * none. same[i]: whether part i equals the published one. */
const char *fmd_source_published(const fmd_dataset_info *info, bool same[FMD_DATASET_FILES]);

/* Local. The name, the class names and, if found, the folder of a data set, without loading it; the
 * other members of *info are unchanged. FMD_EDATA for a faulty classes.txt. */
FMD_CHECKED fmd_status fmd_source_names(fmd_dataset_info *info, const char *name, const char *dir);

#endif
