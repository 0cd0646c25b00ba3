/* Pictures by gnuplot. Data and script lie beside each picture, so that users can restyle it: edit
 * NAME.gp, then run `gnuplot NAME.gp` in that folder.
 *
 * gnuplot runs as a child without a shell and without the user's own gnuplot settings. A script is
 * code, also for those who run it again: names from files enter it through fmd_gnuplot_string only,
 * as values of variables, never as part of a command, a format or a label of a tic. */
#ifndef FMD_REPORT_PLOTS_GNUPLOT_H
#define FMD_REPORT_PLOTS_GNUPLOT_H

#include "fmd/error.h"

#include <stdbool.h>
#include <stdio.h>

/* A picture to be drawn. Borrows everything. */
typedef struct fmd_gnuplot {
    const char *folder;  /* it exists */
    const char *name;    /* "curves" for curves.csv, curves.gp, curves.svg, curves.png */
    const char *formats; /* "svg", "png" or "svg png" */
    int width, height;   /* of the SVG; the PNG has twice as many pixels each way */
    const char *data;    /* the text of NAME.csv */
    const char *strings; /* definitions of variables, which the commands use */
    const char
        *commands; /* they draw. `data` is the name of the CSV file, `format` svg or png. Line
                             types 1 to 8 have the colours of Okabe and Ito. */
} fmd_gnuplot;

/* Local. Writes `text` as an expression of gnuplot that has it as its value: in single quotes gnuplot
 * expands nothing. Control characters, invisible ones and bytes that are not UTF-8 become '?'. */
void fmd_gnuplot_string(FILE *out, const char *text);

/* Local. Writes data and script, and runs gnuplot. Without gnuplot *drawn is false, the files are
 * written, and a warning says how to draw them. FMD_EIO, with gnuplot's own message. */
FMD_CHECKED fmd_status fmd_gnuplot_draw(const fmd_gnuplot *picture, bool *drawn);

#endif
