/* Help, printed from the tables of commands and options. */
#ifndef FMD_CLI_HELP_H
#define FMD_CLI_HELP_H

#include "cli/commands.h"

/* Local. Print the --help of the program, one screen, and of a command. */
void fmd_help_overview(void);
void fmd_help_command(const fmd_command *command);

/* Local. An option as typed, "--reduce exact|native" or "--no-shuffle"; and its description with
 * default, range and the name in Keras. */
enum { FMD_HELP_BYTES = 512 };
const char *fmd_help_usage(const fmd_option *o, char text[FMD_HELP_BYTES]);
const char *fmd_help_text(const fmd_option *o, char text[FMD_HELP_BYTES]);

/* Local. A layer, optimizer or schedule as typed, "dropout:RATE" or "leaky_re_lu[:negative_slope=0.3]". */
const char *fmd_help_spec(const char *name, const fmd_option *args, size_t n,
                          char text[FMD_HELP_BYTES]);

/* Local. Prints `text` from `column` on, broken between words, and ends the line; the cursor is at
 * column `at`. */
void fmd_print_text(int at, int column, const char *text);

#endif
