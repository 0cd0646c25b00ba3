/* The command line, the environment and the file of --config, read into the options. */
#ifndef FMD_CLI_PARSE_H
#define FMD_CLI_PARSE_H

#include "cli/commands.h"

/* Local. Fills *config for `command` from its arguments, the environment and the config file, in
 * this order of precedence. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_config_parse(fmd_config *config, const fmd_command *command, int argc,
                                        char **argv);

#endif
