/* The page of a comparison of runs. */
#ifndef FMD_REPORT_COMPARE_PAGE_H
#define FMD_REPORT_COMPARE_PAGE_H

#include "measure/compare.h"

/* Rank 0. Writes the page to `path`. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_compare_write_page(const fmd_comparison *c, const char *path);

#endif
