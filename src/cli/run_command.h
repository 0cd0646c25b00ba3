/* One call of the program: parse on rank 0, run one command, return one exit code. */
#ifndef FMD_CLI_RUN_COMMAND_H
#define FMD_CLI_RUN_COMMAND_H

#include "cli/commands.h"

/* Collective where `c` is not NULL. Rank 0 reads the command's arguments into every rank's *config;
 * log and arithmetic are opened as it says. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_command_configure(const fmd_command *command, fmd_comm *c, int argc,
                                             char **argv, fmd_config *config);

/* Collective under MPI. The whole program; returns its exit code. */
fmd_status fmd_program_run(int argc, char **argv);

#endif
