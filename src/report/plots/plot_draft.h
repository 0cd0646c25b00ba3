/* A picture under construction: its data, its strings, and the commands of gnuplot. */
#ifndef FMD_REPORT_PLOTS_PLOT_DRAFT_H
#define FMD_REPORT_PLOTS_PLOT_DRAFT_H

#include "report/plots/gnuplot.h"

typedef struct fmd_plot_draft {
    FILE *data, *strings, *commands;
    char *data_text, *strings_text, *commands_text;
    size_t data_bytes, strings_bytes, commands_bytes;
} fmd_plot_draft;

/* Local. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_plot_begin(fmd_plot_draft *d);

/* Local. Draws `picture` from the draft, and releases the draft; *drawn as in fmd_gnuplot_draw.
 * FMD_ENOMEM, or the status of drawing. */
FMD_CHECKED fmd_status fmd_plot_finish(fmd_plot_draft *d, fmd_gnuplot picture, bool *drawn);

/* Local. Defines a string variable of the script. */
void fmd_plot_string(fmd_plot_draft *d, const char *variable, const char *text);

/* Local. ",0.25" into the data; ",nan" for NAN, which is not drawn. */
void fmd_plot_number(fmd_plot_draft *d, double value);

/* Local. A field of text into the data, in quotes. A spreadsheet takes text that begins with one of
 * =+-@ for a formula, so such text gets an apostrophe in front. */
void fmd_plot_text(fmd_plot_draft *d, const char *text);

#endif
