/* Lists of paths in one text, separated by commas. */
#ifndef FMD_BASE_SYSTEM_PATH_LIST_H
#define FMD_BASE_SYSTEM_PATH_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Local. Copies the path at *at, and moves *at behind it and its comma. A path may contain commas: of
 * the beginnings that exist as files or folders, the longest is taken; if none exists, the text up to
 * the first comma. False: the path is empty or has `size` bytes or more. */
bool fmd_path_list_next(const char **at, char *path, size_t size);

#endif
