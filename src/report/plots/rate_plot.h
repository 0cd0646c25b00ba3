/* The picture of a learning rate range test. */
#ifndef FMD_REPORT_PLOTS_RATE_PLOT_H
#define FMD_REPORT_PLOTS_RATE_PLOT_H

#include "fmd/error.h"
#include "measure/rate_test.h"

/* Local. Draws loss over rate to `path`, which ends in .svg or .png; its CSV and gnuplot script lie
 * beside it. *drawn as in fmd_gnuplot_draw. FMD_EUSAGE: another ending; FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_rate_plot(const fmd_rate_test *t, const char *path, bool *drawn);

/* Local. FMD_EUSAGE unless `path` ends in .svg or .png. */
FMD_CHECKED fmd_status fmd_rate_plot_check(const char *path);

#endif
