/* A page of HTML that stands alone: no network, no script that runs, no font from elsewhere.
 *
 * Text is escaped, markup is not: what users wrote (names, paths) is text. The page follows the
 * reader's choice of light or dark, can be read by keyboard and screen reader, and prints. */
#ifndef FMD_REPORT_HTML_H
#define FMD_REPORT_HTML_H

#include "fmd/error.h"
#include "io/json/json_object.h"

#include <stddef.h>

typedef struct fmd_html fmd_html;

/* Local. An empty page; `title` is its heading as well. The first failure in building it is kept
 * and reported by fmd_html_write. FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_create(fmd_html **out, const char *title);
void fmd_html_destroy(fmd_html *h);

/* Local. Markup as it is, and text: escaped, and what is not UTF-8 replaced. */
void fmd_html_markup(fmd_html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fmd_html_text(fmd_html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. A paragraph of text; `kind` is its class: "", "note", "good", "bad". */
void fmd_html_paragraph(fmd_html *h, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Local. Ends the section before and begins one; the page's contents link to it by `id`. */
void fmd_html_section(fmd_html *h, const char *id, const char *title);

/* Local. A table: the caption, then columns "Layer|Shape|#Parameters", where # marks numbers. Each
 * row has as many cells as there are columns; the first one names the row. */
void fmd_html_table_begin(fmd_html *h, const char *id, const char *caption, const char *columns);
void fmd_html_row(fmd_html *h, const char *const *cells);
void fmd_html_table_end(fmd_html *h);

/* Local. A picture in the page itself; `alt` says what is to be seen in it. Pixels are shown as
 * squares when it is larger than itself. */
void fmd_html_png(fmd_html *h, const void *png, size_t bytes, int width, int height,
                  const char *alt);

/* Local. What the page shows, for programs: <script type="application/json" id="data">. */
void fmd_html_data(fmd_html *h, const fmd_json *data);

/* Local. Writes the page, whole or not at all. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_write(fmd_html *h, const char *path);

#endif
