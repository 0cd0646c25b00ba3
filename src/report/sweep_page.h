/* The page of a sweep. */
#ifndef FMD_REPORT_SWEEP_PAGE_H
#define FMD_REPORT_SWEEP_PAGE_H

#include "measure/sweep/sweep.h"

/* Local. Writes report.html from the collected sweep and the histories of its runs. FMD_EIO,
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_sweep_write_page(const fmd_sweep *s);

#endif
