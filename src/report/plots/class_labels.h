/* The names of the classes in a script of gnuplot. */
#ifndef FMD_REPORT_PLOTS_CLASS_LABELS_H
#define FMD_REPORT_PLOTS_CLASS_LABELS_H

#include "report/plots/plot_draft.h"
#include "run/run_view.h"

/* Local. Defines the function name(k) of the script: the name of class k, from 0, cut to `most`
 * characters. In PNG files a name with a character that no font here has is "class 3", and a
 * warning names the picture; for SVG files browsers find the fonts. */
void fmd_class_labels(fmd_plot_draft *d, const fmd_run_view *v, size_t most, const char *formats,
                      const char *picture);

/* Local. Pixels that the longest of these names takes, at a font of 14 pixels. */
int fmd_class_labels_width(const fmd_run_view *v, size_t most);

#endif
