/* The commands of the program: one row of a table each. */
#ifndef FMD_CLI_COMMANDS_H
#define FMD_CLI_COMMANDS_H

#include "fmd/comm.h"
#include "run/config.h"

/* Headings of the overview; the last one is the first in the enum, for those that name none. */
typedef enum fmd_section {
    FMD_TO_SET_UP,
    FMD_TO_TRAIN,
    FMD_TO_LOOK,
    FMD_TO_MEASURE,
} fmd_section;

/* A command of the program; each lies in its own file, and is a line of commands.def. */
typedef struct fmd_command {
    const char *name, *usage, *help;
    fmd_section section;
    const char *example; /* its arguments, as one might give them; NULL: it needs none */
    const char *groups;  /* of options that it takes: "data|model" */
    const char *words;   /* options that words without a name are for, in turn: "weights|against" */
    bool needs_mpi;
    bool trains;          /* signals that end a job wait for the watchdog from the start */
    bool judges_launcher; /* tells by itself that ranks were started the wrong way */
    fmd_status (*run)(fmd_comm *c, const fmd_config *config);
} fmd_command;

/* The table, and its length. */
extern const fmd_command *const fmd_commands[];
extern const size_t fmd_commands_length;

/* Local. FMD_EUSAGE, with the nearest name, where there is no such command. */
FMD_CHECKED fmd_status fmd_command_find(const fmd_command **out, const char *name);

/* Local. Whether the command takes the option. */
bool fmd_command_takes(const fmd_command *command, const fmd_option *o);

#endif
