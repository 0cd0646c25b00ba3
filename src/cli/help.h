/* What the program says of itself: help, from the tables of commands and options. */
#ifndef FMD_CLI_HELP_H
#define FMD_CLI_HELP_H

#include "cli/commands.h"

/* Local. The program's --help, a screen of it; and that of a command. */
void fmd_help_overview(void);
void fmd_help_command(const fmd_command *command);

/* Local. An option as it is typed, "--reduce exact|native" or "--no-shuffle"; and what it does, with
 * default, range and Keras' name. */
enum { FMD_HELP_BYTES = 512 };
const char *fmd_help_usage(const fmd_option *o, char text[FMD_HELP_BYTES]);
const char *fmd_help_text(const fmd_option *o, char text[FMD_HELP_BYTES]);

/* Local. A layer or an optimizer as it is typed, "dropout:RATE" or "leaky_re_lu[:negative_slope=0.3]". */
const char *fmd_help_spec(const char *name, const fmd_option *args, size_t n,
                          char text[FMD_HELP_BYTES]);

/* Local. Ends the line that stands at column `at` with `text`, which begins at `column` and is broken
 * between words. */
void fmd_print_text(int at, int column, const char *text);

#endif
