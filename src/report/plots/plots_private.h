/* Shared by the files that draw a run. */
#ifndef FMD_REPORT_PLOTS_PLOTS_PRIVATE_H
#define FMD_REPORT_PLOTS_PLOTS_PRIVATE_H

#include "report/plots/plot_draft.h"
#include "report/plots/plots.h"

/* Draws from the draft, releases it, and prints the names of the files. */
fmd_status fmd_plot_write(fmd_plot_draft *d, const fmd_plot_target *t, const char *name, int width,
                          int height);

/* Writes a picture that a script reads, and prints its name. */
fmd_status fmd_plot_write_picture(const fmd_plot_target *t, const char *name,
                                  const fmd_picture *picture);

#endif
