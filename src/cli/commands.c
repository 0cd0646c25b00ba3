#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#define FMD_COMMAND(name) extern const fmd_command fmd_command_##name;
#include "cli/commands.def"
#undef FMD_COMMAND

const fmd_command *const fmd_commands[] = {
#define FMD_COMMAND(name) &fmd_command_##name,
#include "cli/commands.def"
#undef FMD_COMMAND
};

const size_t fmd_commands_length = sizeof fmd_commands / sizeof *fmd_commands;

fmd_status fmd_command_find(const fmd_command **out, const char *name)
{
    /* what Keras and others call them */
    static const char *const other_names[][2] = {
        {"fit", "train"}, {"run", "train"}, {"test", "evaluate"}, {"eval", "evaluate"}};
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (strcmp(name, other_names[i][0]) == 0)
            return FMD_FAIL(FMD_EUSAGE, "'%s' is not a command (did you mean '%s'?)", name,
                            other_names[i][1]);
    char names[256] = "help", hint[FMD_OPTION_TEXT_BYTES];
    size_t used = strlen(names);
    for (size_t i = 0; i < fmd_commands_length && used < sizeof names; i++) {
        if (strcmp(fmd_commands[i]->name, name) == 0) {
            *out = fmd_commands[i];
            return FMD_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "|%s", fmd_commands[i]->name);
    }
    return FMD_FAIL(FMD_EUSAGE, "'%.100s' is not a command%s; see fmnist-dist --help", name,
                    fmd_did_you_mean(names, name, hint));
}

bool fmd_command_takes(const fmd_command *command, const fmd_option *o)
{
    return fmd_config_has(command->groups, o);
}
