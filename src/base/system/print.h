/* Text for people, on a terminal that obeys control characters. Names come from files, folders and
 * users, so everything that is printed goes through here, but for JSON, CSV and colours. */
#ifndef FMD_BASE_SYSTEM_PRINT_H
#define FMD_BASE_SYSTEM_PRINT_H

#include <stdio.h>

/* Local. Replaces in place what a terminal must not see by '?': control characters of ASCII and of
 * Unicode (C1), invalid UTF-8, invisible characters and those that reverse the direction of text;
 * where the locale is not UTF-8, all that is not ASCII. The text never gets longer. Returns it. */
char *fmd_printable(char *text);

/* Local. printf of printable text. Only the newlines that begin or end `format` are printed: one in
 * an argument cannot start a line. */
void fmd_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fmd_print_to(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. Prints a fact of a line, behind " · " or, where 80 columns are not enough, on an indented line of
 * its own. *at is the column of the cursor: up to FMD_LABEL_COLUMNS the line has a label only. */
enum { FMD_LABEL_COLUMNS = 7 };
void fmd_print_fact(int *at, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Local. Columns that UTF-8 text takes, a column a character. */
int fmd_columns(const char *text);

/* Local. Prints text and spaces up to `width` columns; negative: spaces first. */
void fmd_print_padded(const char *text, int width);

#endif
