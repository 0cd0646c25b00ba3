/* Files with the names of a data set's classes, one a line, in the order of the labels. */
#ifndef FMD_DATA_CLASS_NAMES_H
#define FMD_DATA_CLASS_NAMES_H

#include "data/dataset.h"

/* Local. Reads the names from `file` in `folder`; *n: their number, 0 if the file does not exist.
 * FMD_EIO; FMD_EDATA names file, line and fault. */
FMD_CHECKED fmd_status fmd_class_names_read(int *n, char names[][FMD_CLASS_NAME_BYTES],
                                            const char *folder, const char *file);

/* Local. The same for EMNIST's mapping: lines with a label and the codes of the characters that it stands
 * for, as in "1 65 97", which becomes "A a". Labels without a line are named "-". */
FMD_CHECKED fmd_status fmd_class_names_read_mapping(int *n, char names[][FMD_CLASS_NAME_BYTES],
                                                    const char *path);

#endif
