/* Pictures by gnuplot. The commands and the data that make a picture lie beside it, so that anybody
 * can restyle it: edit NAME.gp, then `gnuplot NAME.gp` in that folder.
 *
 * gnuplot runs as a child without a shell and without the user's own gnuplot settings. */
#ifndef FMD_REPORT_GNUPLOT_H
#define FMD_REPORT_GNUPLOT_H

#include "fmd/error.h"

#include <stdbool.h>

/* A picture to be drawn. Borrows everything. */
typedef struct fmd_gnuplot {
    const char *folder;   /* it exists */
    const char *name;     /* "curves" for curves.csv, curves.gp, curves.svg, curves.png */
    const char *formats;  /* "svg", "png" or "svg png" */
    int width, height;    /* of the SVG; the PNG has twice as many pixels each way */
    const char *data;     /* the text of NAME.csv */
    const char *commands; /* that draw; `data` is a variable of theirs, the name of the CSV file.
                             Line types 1 to 8 have the colours of Okabe and Ito. */
} fmd_gnuplot;

/* Local. Writes data and script, and runs gnuplot. *drawn is false where there is no gnuplot: then
 * the files are written, and a warning says how to draw them. FMD_EIO, with what gnuplot said. */
FMD_CHECKED fmd_status fmd_gnuplot_draw(const fmd_gnuplot *picture, bool *drawn);

#endif
