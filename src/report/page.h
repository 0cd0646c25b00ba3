/* The sections of the report of a run, in the order in which they come. Rank 0. */
#ifndef FMD_REPORT_PAGE_H
#define FMD_REPORT_PAGE_H

#include "io/pictures/picture.h"
#include "report/html.h"
#include "run/run_view.h"

/* The model itself, for pictures of the reader. FMD_EUSAGE: there is none, or it is too large. */
FMD_CHECKED fmd_status fmd_page_live(fmd_html *h, const fmd_run_view *v, const fmd_config *config);

/* Up to so many classes a confusion matrix can be read. */
enum { FMD_PAGE_MOST_CLASSES = 40 };

/* A picture, `scale` times as large, which is then released; `on_white` and `alt` as fmd_html_png has
 * them. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_page_picture(fmd_html *h, fmd_picture *p, size_t scale, bool on_white,
                                        const char *alt);

/* Test accuracy in large, the facts of the run, the contents; then a summary: how the run ended, and
 * what to do next. */
void fmd_page_verdict(fmd_html *h, const fmd_run_view *v);

/* Loss and accuracy of each epoch, as curves and as a table. */
FMD_CHECKED fmd_status fmd_page_training(fmd_html *h, const fmd_run_view *v);

/* Scores of each class and the confusion matrix; the mistakes with the highest probability. */
void fmd_page_test(fmd_html *h, const fmd_run_view *v);
FMD_CHECKED fmd_status fmd_page_mistakes(fmd_html *h, const fmd_run_view *v);

/* Which pixels count in the worst mistakes, and the nearest training images. */
FMD_CHECKED fmd_status fmd_page_explanations(fmd_html *h, const fmd_run_view *v);

/* The layers, and the weights of the first one as images. */
FMD_CHECKED fmd_status fmd_page_model(fmd_html *h, const fmd_run_view *v);

/* Times by phase; options; how to repeat the run; environment. */
void fmd_page_time(fmd_html *h, const fmd_run_view *v);
void fmd_page_configuration(fmd_html *h, const fmd_run_view *v);
FMD_CHECKED fmd_status fmd_page_repeat(fmd_html *h, const fmd_run_view *v);
void fmd_page_environment(fmd_html *h, const fmd_run_view *v);

/* All numbers of the page, for programs. */
FMD_CHECKED fmd_status fmd_page_data(fmd_html *h, const fmd_run_view *v);

#endif
