/* The page of a scaling study. */
#ifndef FMD_REPORT_STUDY_PAGE_H
#define FMD_REPORT_STUDY_PAGE_H

#include "measure/study.h"

/* Local. Writes report.html from the study, its scaling.json and, where they are drawn, its pictures.
 * FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_study_write_page(const fmd_study *s, bool drawn);

#endif
