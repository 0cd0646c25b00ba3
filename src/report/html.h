/* A page of HTML that stands alone: no network, no font from elsewhere, and no script that runs unless
 * fmd_html_scripts allows its own. A content security policy enforces this.
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

/* Local. An object for programs: <script type="application/json" id="...">; the numbers of a page have
 * the id "data". Bytes as base64, in a block of the same kind. */
void fmd_html_data(fmd_html *h, const char *id, const fmd_json *data);
void fmd_html_base64(fmd_html *h, const char *id, const void *data, size_t bytes);

/* Local. Bytes as base64, released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_base64_text(char **out, const void *data, size_t bytes);

/* Local. Replaces the content security policy, under which no script runs, and adds to the style sheet;
 * both live as long as the page. Then a script of the program. */
void fmd_html_scripts(fmd_html *h, const char *policy, const char *style);
void fmd_html_script(fmd_html *h, const char *id, const char *text);

/* Local. The page as text, released by free(). FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_print(fmd_html *h, char **out, size_t *bytes);

/* Local. Writes the page, whole or not at all. FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_html_write(fmd_html *h, const char *path);

#endif
