/* Programs that this one starts without a shell, and waits for; and words as a shell reads them. */
#ifndef FMD_BASE_SYSTEM_SUBPROCESS_H
#define FMD_BASE_SYSTEM_SUBPROCESS_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdio.h>

enum { FMD_SUBPROCESS_ARGS = 64, FMD_SUBPROCESS_TEXT = 16384 };

/* The words of a command; they live in `text`. */
typedef struct fmd_command_line {
    char *argv[FMD_SUBPROCESS_ARGS + 1]; /* NULL past the last */
    int n;
    char text[FMD_SUBPROCESS_TEXT];
    size_t used;
} fmd_command_line;

/* Local. Adds a word; and all words between blanks. FMD_EUSAGE where there are too many. */
FMD_CHECKED fmd_status fmd_command_line_add(fmd_command_line *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
FMD_CHECKED fmd_status fmd_command_line_split(fmd_command_line *c, const char *words);

/* Local. A word for a POSIX shell: plain, or in single quotes. */
void fmd_shell_word(FILE *out, const char *word);

/* Local. Prints the command as a line for bash, without its end. */
void fmd_command_line_print(const fmd_command_line *c);

/* Local. Runs it with its stdout and stderr in these files and waits. *code is its exit code, or 128
 * and the number of the signal that ended it. A signal to this process that asks it to end ends the
 * child, by its number: FMD_ESTOPPED. FMD_EUSAGE where there is no such program, FMD_EIO. */
FMD_CHECKED fmd_status fmd_subprocess_run(const fmd_command_line *c, const char *out,
                                          const char *err, int *code);

/* Local. Runs it in `folder` (NULL: this one) and waits. *text is all
 * that it writes to `stream` (1: stdout, 2: stderr), released by free(); the other stream goes
 * nowhere, and it has nothing to read. *code as above. FMD_EUSAGE where there is no such program,
 * FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_subprocess_capture(const char *folder, const fmd_command_line *c,
                                              int stream, char **text, int *code);

#endif
