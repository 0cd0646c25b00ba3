/* A page of HTML that stands alone: no network, no script that runs, no font from elsewhere.
 *
 * Text is escaped, markup is not: names and paths are always text. The page follows the reader's
 * choice of light or dark, fits phones, works with keyboard and screen reader, and prints. */
#ifndef FMD_REPORT_HTML_H
#define FMD_REPORT_HTML_H

#include "fmd/error.h"
#include "io/json/json_object.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct fmd_html fmd_html;

/* Local. An empty page; `title` is its heading too. fmd_html_write reports the first failure of the
 * calls before it. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_create(fmd_html **out, const char *title);
void fmd_html_destroy(fmd_html *h);

/* Local. Markup as it is; text, which is escaped, with U+FFFD for bytes that are not UTF-8 and for
 * characters that no reader sees. */
void fmd_html_markup(fmd_html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fmd_html_text(fmd_html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. A paragraph of text; `kind` is its class: "", "note", "good", "bad". */
void fmd_html_paragraph(fmd_html *h, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. The headline of the page, before its contents: a large figure, and a sentence about it. */
void fmd_html_figure(fmd_html *h, const char *figure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. The next fact of a list of names and values; begin and end the list. */
void fmd_html_facts_begin(fmd_html *h);
void fmd_html_fact(fmd_html *h, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void fmd_html_facts_end(fmd_html *h);

/* Local. Puts the list of contents here; without a call it comes first. */
void fmd_html_contents(fmd_html *h);

/* Local. Ends the section before and begins one; the page's contents link to it by `id`. */
void fmd_html_section(fmd_html *h, const char *id, const char *title);

/* Local. A table: the caption, then columns "Layer|Shape|#Parameters", where # marks numbers. Each
 * row has as many cells as there are columns; the first one names the row. */
void fmd_html_table_begin(fmd_html *h, const char *id, const char *caption, const char *columns);
void fmd_html_row(fmd_html *h, const char *const *cells);
void fmd_html_table_end(fmd_html *h);

/* How a picture is shown: as squares where it is larger than its pixels; smoothly. */
typedef enum fmd_html_scaling { FMD_HTML_PIXELS, FMD_HTML_SMOOTH } fmd_html_scaling;

/* Local. A picture in the page itself; `alt` describes it in words. `on_white`: its ground is white,
 * so that its brightness is turned around in dark mode. */
void fmd_html_png(fmd_html *h, const void *png, size_t bytes, int width, int height,
                  fmd_html_scaling scaling, bool on_white, const char *alt);

/* Local. The numbers of the page, for programs: <script type="application/json" id="data">. */
void fmd_html_data(fmd_html *h, const fmd_json *data);

/* Local. Writes the page, whole or not at all. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_write(fmd_html *h, const char *path);

#endif
