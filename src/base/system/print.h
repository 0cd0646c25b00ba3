/* Safe output of text on terminals. Names from files, folders and users may contain control
 * characters, so all output except JSON, CSV and colours goes through these functions. */
#ifndef FMD_BASE_SYSTEM_PRINT_H
#define FMD_BASE_SYSTEM_PRINT_H

#include <stdio.h>

/* Local. Replaces unsafe characters by '?', in place: control characters (ASCII and C1), invalid
 * UTF-8, invisible characters and direction marks; in a locale without UTF-8, all characters beyond
 * ASCII. The text never gets longer. Returns `text`. */
char *fmd_printable(char *text);

/* Local. printf of printable text. Only the newlines at the ends of `format` are printed: a newline
 * in an argument cannot start a line. */
void fmd_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fmd_print_to(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. Prints one fact of a line: after " · ", or on a new indented line if it exceeds 80 columns.
 * *at is the column of the cursor; up to FMD_LABEL_COLUMNS the line has only a label. */
enum { FMD_LABEL_COLUMNS = 7 };
void fmd_print_fact(int *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. Width of UTF-8 text in columns, one per character. */
int fmd_columns(const char *text);

/* Local. Bytes of the first `columns` characters of UTF-8 text, at most all. */
int fmd_bytes_in_columns(const char *text, int columns);

/* Local. Pads text with spaces to `width` columns; negative: pads on the left. */
void fmd_print_padded(const char *text, int width);

#endif
