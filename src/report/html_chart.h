/* Charts of a page: lines as inline SVG, bars as a table. Both use the colours of the page, and have a
 * description in words; lines also differ in dashes and points. The key
 * of more than two lines, or of long names, is below the chart. */
#ifndef FMD_REPORT_HTML_CHART_H
#define FMD_REPORT_HTML_CHART_H

#include "report/html.h"

enum { FMD_CHART_SERIES = 8 };

/* Lines over a common x. Borrows everything. */
typedef struct fmd_chart {
    const char *id, *title, *x_name;
    const char *caption; /* under it */
    size_t n;            /* points of each line */
    const double *x;     /* ascending */
    size_t n_series;
    struct {
        const char *name;
        const double *y; /* NAN: no point */
    } series[FMD_CHART_SERIES];
    double mark; /* a vertical line at this x; NAN: none */
} fmd_chart;

/* Local. Draws the lines; nothing where there is no point. */
void fmd_html_chart(fmd_html *h, const fmd_chart *c);

/* A bar, 0 to 1, with its name and its value in words; `colour` is a class of the style sheet: one,
 * two, three, four, rest. */
typedef struct fmd_bar {
    char name[96], text[48];
    double share;
    const char *colour;
} fmd_bar;

/* Local. A bar to a row. */
void fmd_html_bars(fmd_html *h, const char *caption, const fmd_bar *bars, size_t n);

#endif
