/* Completion of commands, options and values by a shell. */
#ifndef FMD_CLI_COMPLETION_COMPLETION_H
#define FMD_CLI_COMPLETION_COMPLETION_H

#include "cli/commands.h"

enum { FMD_WORDS_BYTES = 1024 };

/* Local. Words that complete the value of an option, "auto|none|FILE"; FILE and DIR stand for files
 * and folders. Empty where there are none. */
const char *fmd_completion_words(const fmd_option *o, char text[FMD_WORDS_BYTES]);

/* Local. The next word of such a list from *at on, copied; false past the last. */
bool fmd_completion_next(const char **at, char word[FMD_OPTION_TEXT_BYTES]);

/* Local. The option called by `index`-th word without a name of a command; NULL past the last. */
const fmd_option *fmd_completion_positional(const fmd_command *command, int index);

/* Local. An option without dashes as the user would change its default: "no-shuffle". */
const char *fmd_completion_name(const fmd_option *o, char text[FMD_OPTION_TEXT_BYTES]);

/* Local. Print the script for a shell. */
void fmd_completion_bash(void);
void fmd_completion_zsh(void);
void fmd_completion_fish(void);

#endif
