/* The pictures of a scaling study. */
#ifndef FMD_REPORT_PLOTS_STUDY_PLOTS_H
#define FMD_REPORT_PLOTS_STUDY_PLOTS_H

#include "measure/study.h"

/* Local. Draws them in the folder plots of the study; *drawn as in fmd_gnuplot_draw. FMD_EIO,
 * FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_study_draw(const fmd_study *s, bool *drawn);

#endif
