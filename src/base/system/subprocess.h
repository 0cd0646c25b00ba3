/* Child processes, started without a shell, and quoting of words for a shell. */
#ifndef FMD_BASE_SYSTEM_SUBPROCESS_H
#define FMD_BASE_SYSTEM_SUBPROCESS_H

#include "fmd/error.h"

#include <stddef.h>
#include <stdio.h>

enum { FMD_SUBPROCESS_ARGS = 128, FMD_SUBPROCESS_TEXT = 81920 };

/* The words of a command; argv points into `text`. */
typedef struct fmd_command_line {
    char *argv[FMD_SUBPROCESS_ARGS + 1]; /* NULL after the last */
    int n;
    char text[FMD_SUBPROCESS_TEXT];
    size_t used;
} fmd_command_line;

/* Local. add: adds one word. split: adds all words, separated by blanks. FMD_EUSAGE: too many. */
FMD_CHECKED fmd_status fmd_command_line_add(fmd_command_line *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
FMD_CHECKED fmd_status fmd_command_line_split(fmd_command_line *c, const char *words);

/* Local. Writes a word for a POSIX shell, in single quotes if necessary. */
void fmd_shell_word(FILE *out, const char *word);

/* Local. Prints the command as a line for bash, without the newline. */
void fmd_command_line_print(const fmd_command_line *c);

/* Local. Runs the command with stdout and stderr redirected to files, and waits. *code is the exit
 * code, or 128 plus the number of the fatal signal. A stop signal to this process also ends the child:
 * FMD_ESTOPPED. FMD_EUSAGE: no such program; FMD_EIO. */
FMD_CHECKED fmd_status fmd_subprocess_run(const fmd_command_line *c, const char *out,
                                          const char *err, int *code);

/* Local. Runs the command in `folder` (NULL: the current one) and waits. *text is the output on
 * `stream` (1: stdout, 2: stderr), released by free(); the other stream is discarded, stdin is empty.
 * *code as above. FMD_EUSAGE: no such program; FMD_EIO, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_subprocess_capture(const char *folder, const fmd_command_line *c,
                                              int stream, char **text, int *code);

#endif
