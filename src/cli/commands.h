/* The table of commands. */
#ifndef FMD_CLI_COMMANDS_H
#define FMD_CLI_COMMANDS_H

#include "dist/comm.h"
#include "run/config.h"

/* Headings of the overview; the first, which is printed last, is the default. */
typedef enum fmd_section {
    FMD_TO_SET_UP,
    FMD_TO_TRAIN,
    FMD_TO_LOOK,
    FMD_TO_MEASURE,
} fmd_section;

/* A command: one file with this struct, and one line in commands.def. */
typedef struct fmd_command {
    const char *name, *usage, *help;
    fmd_section section;
    const char *example; /* arguments for the help; NULL: none */
    const char *groups;  /* groups of options that it takes: "data|model" */
    const char *words;   /* options for words without a name, in order: "weights|against" */
    bool needs_mpi;
    bool trains;          /* signals are held for the watchdog from the start */
    bool judges_launcher; /* reports a wrong launcher by itself */
    fmd_status (*run)(fmd_comm *c, const fmd_config *config);
} fmd_command;

/* The table, and its length. */
extern const fmd_command *const fmd_commands[];
extern const size_t fmd_commands_length;

/* Local. FMD_EUSAGE suggests the nearest name. */
FMD_CHECKED fmd_status fmd_command_find(const fmd_command **out, const char *name);

/* Local. Whether the command takes the option. */
bool fmd_command_takes(const fmd_command *command, const fmd_option *o);

#endif
