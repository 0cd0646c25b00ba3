/* A picture under construction: its data, one record a line, and the commands of gnuplot. */
#ifndef FMD_REPORT_PLOT_DRAFT_H
#define FMD_REPORT_PLOT_DRAFT_H

#include "report/gnuplot.h"

#include <stdio.h>

typedef struct fmd_plot_draft {
    FILE *data, *commands;
    char *data_text, *commands_text;
    size_t data_bytes, commands_bytes;
} fmd_plot_draft;

/* Local. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_plot_begin(fmd_plot_draft *d);

/* Local. Draws what `picture` names, from the draft, and releases the draft; *drawn as
 * fmd_gnuplot_draw tells it. FMD_ENOMEM, or what drawing fails with. */
FMD_CHECKED fmd_status fmd_plot_finish(fmd_plot_draft *d, fmd_gnuplot picture, bool *drawn);

/* Local. ",0.25" into the data; ",nan" for NAN, which is not drawn. */
void fmd_plot_number(fmd_plot_draft *d, double value);

#endif
