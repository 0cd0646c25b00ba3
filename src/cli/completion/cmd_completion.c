/* completion: prints a script for a shell, from the tables of commands and options. */
#include "cli/completion/completion.h"

static fmd_status run_completion(fmd_comm *c, const fmd_config *config)
{
    static void (*const shells[])(void) = {fmd_completion_bash, fmd_completion_zsh,
                                           fmd_completion_fish};
    (void)c;
    shells[config->tool.shell]();
    return FMD_OK;
}

const fmd_command fmd_command_completion = {
    .name = "completion",
    .usage = "[bash|zsh|fish]",
    .help = "prints a script that completes commands and options in a shell",
    .example = "bash > ~/.local/share/bash-completion/completions/fmnist-dist",
    .groups = "completion",
    .words = "shell",
    .run = run_completion,
};
