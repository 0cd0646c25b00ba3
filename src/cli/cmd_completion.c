/* completion: a bash script, made of the tables of commands and options. */
#include "cli/commands.h"
#include "cli/tutorial/lessons.h"

#include <stdio.h>
#include <string.h>

/* " FILE": a placeholder in capitals is a kind of thing, else the words that there are. */
static void print_values(const fmd_option *o)
{
    const char *values = o->kind == FMD_OPTION_CHOICE ? o->choices : o->value;
    if (strcmp(o->name, "lesson") == 0) {
        printf(" list all");
        for (int i = 0; i < fmd_lessons_length; i++)
            printf(" %s", fmd_lessons[i].name);
        return;
    }
    for (const char *at = values; at != NULL && *at != '\0'; at += *at == '|') {
        printf(" %.*s", (int)strcspn(at, "| "), at); /* "FILE ..." */
        at += strcspn(at, "|");
    }
    if (o->unset != NULL)
        printf(" %s", o->unset);
}

static void print_name(const fmd_option *o)
{
    const bool on = o->kind == FMD_OPTION_BOOL && strcmp(o->initial, "true") == 0;
    printf("--%s%s", on ? "no-" : "", o->name);
}

/* The options of a command, and the values of the words that it takes without a name. */
static void print_command(const fmd_command *command)
{
    printf("    %s)\n        options='--help --config", command->name);
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (fmd_command_takes(command, &fmd_config_table[i])) {
            putchar(' ');
            print_name(&fmd_config_table[i]);
        }
    printf("'\n        words='");
    char names[FMD_OPTION_TEXT_BYTES] = "", *rest = names;
    if (command->words != NULL)
        snprintf(names, sizeof names, "%s", command->words);
    const char *last = "";
    while (*names != '\0' && rest != NULL) {
        const fmd_option *o =
            fmd_option_find(fmd_config_table, fmd_config_table_length, strsep(&rest, "|"));
        const char *value = o->value != NULL ? o->value : o->choices;
        if (strncmp(value, last, strcspn(value, " ")) != 0) /* files are offered once */
            print_values(o);
        last = value;
    }
    printf("' ;;\n");
}

static void print_command_names(void)
{
    for (size_t i = 0; i < fmd_commands_length; i++)
        printf("%s ", fmd_commands[i]->name);
}

static fmd_status run_completion(fmd_comm *c, const fmd_config *config)
{
    (void)c, (void)config;
    printf("# bash completion of fmnist-dist " FMD_VERSION
           ", made by: fmnist-dist completion bash\n"
           "# For one session: source <(fmnist-dist completion bash). Behind mpirun as well:\n"
           "# complete -o default -F _fmnist_dist mpirun srun\n"
           "_fmnist_dist() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local first=0 command=train options='' words='' values='' value\n"
           "    COMPREPLY=()\n"
           "    # behind a launcher; not there: not our business\n"
           "    while [[ ${COMP_WORDS[first]##*/} != fmnist-dist ]]; do\n"
           "        ((++first < COMP_CWORD)) || return 0\n"
           "    done\n"
           "    # bash takes --name=value for three words\n"
           "    [[ $current != '=' ]] || current=''\n"
           "    [[ $option != '=' ]] || option=${COMP_WORDS[COMP_CWORD - 2]}\n"
           "    if ((COMP_CWORD == first + 1)) && [[ $current != -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W '");
    print_command_names();
    printf("help' -- \"$current\")\n"
           "        return\n"
           "    fi\n"
           "    [[ ${COMP_WORDS[first + 1]} == -* ]] || command=${COMP_WORDS[first + 1]}\n"
           "    case $command in\n");
    for (size_t i = 0; i < fmd_commands_length; i++)
        print_command(fmd_commands[i]);
    printf("    help) options=--man words='");
    print_command_names();
    printf("' ;;\n    esac\n    case $option in\n    --config) values=FILE ;;\n");
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        if (o->kind == FMD_OPTION_BOOL)
            continue;
        printf("    ");
        print_name(o);
        printf(") values='");
        print_values(o);
        printf("' ;;\n");
    }
    printf("    *)\n"
           "        values=$words\n"
           "        [[ $current != -* ]] || values=$options ;;\n"
           "    esac\n"
           "    for value in $values; do\n"
           "        case $value in\n"
           "        FILE) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
           "\"$current\") ;;\n"
           "        DIR) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- \"$current\") "
           ";;\n"
           "        \"$current\"*) [[ $value == [A-Z]* ]] || COMPREPLY+=(\"$value\") ;;\n"
           "        esac\n"
           "    done\n"
           "    [[ $values != *@(FILE|DIR)* ]] || compopt -o filenames 2>/dev/null\n"
           "    return 0\n"
           "}\n"
           "complete -F _fmnist_dist fmnist-dist\n");
    return FMD_OK;
}

const fmd_command fmd_command_completion = {
    .name = "completion",
    .usage = "[bash]",
    .help = "a script that lets the shell complete commands, options and values",
    .example = "bash > ~/.local/share/bash-completion/completions/fmnist-dist",
    .groups = "completion",
    .words = "shell",
    .run = run_completion,
};
