#include "cli/completion/completion.h"
#include "fmd/version.h"

#include <stdio.h>
#include <string.h>

static void print_words(const fmd_option *o)
{
    char words[FMD_WORDS_BYTES], word[FMD_OPTION_TEXT_BYTES];
    const char *at = fmd_completion_words(o, words);
    while (fmd_completion_next(&at, word))
        printf(" %s", word);
}

/* The options of a command, and the values of its words without a name. */
static void print_command(const fmd_command *command)
{
    char name[FMD_OPTION_TEXT_BYTES], words[FMD_WORDS_BYTES], last[FMD_WORDS_BYTES] = "";
    printf("    %s)\n        options='--help --config", command->name);
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (fmd_command_takes(command, &fmd_config_table[i]))
            printf(" --%s", fmd_completion_name(&fmd_config_table[i], name));
    printf("'\n        words='");
    const fmd_option *o;
    for (int i = 0; (o = fmd_completion_positional(command, i)) != NULL; i++) {
        if (strcmp(fmd_completion_words(o, words), last) != 0) /* files are offered once */
            print_words(o);
        snprintf(last, sizeof last, "%s", words);
    }
    printf("' ;;\n");
}

static void print_command_names(void)
{
    for (size_t i = 0; i < fmd_commands_length; i++)
        printf("%s ", fmd_commands[i]->name);
}

static void print_option(const fmd_option *o)
{
    char name[FMD_OPTION_TEXT_BYTES];
    if (o->kind == FMD_OPTION_BOOL)
        return;
    printf("    --%s) values='", fmd_completion_name(o, name));
    print_words(o);
    printf("' ;;\n");
}

void fmd_completion_bash(void)
{
    printf(
        "# bash completion of fmnist-dist " FMD_VERSION ", from: fmnist-dist completion bash\n"
        "# For one session: source <(fmnist-dist completion bash). For mpirun and srun as well:\n"
        "# complete -o default -F _fmnist_dist mpirun srun\n"
        "_fmnist_dist() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local first=0 command=train options='' words='' values='' value before=''\n"
        "    COMPREPLY=()\n"
        "    # skip a launcher; complete nothing for another program\n"
        "    while [[ ${COMP_WORDS[first]##*/} != fmnist-dist ]]; do\n"
        "        ((++first < COMP_CWORD)) || return 0\n"
        "    done\n"
        "    # bash splits --name=value into three words\n"
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
    printf("    help) options=--man words='models ");
    print_command_names();
    printf("' ;;\n    esac\n    case $option in\n    --config) values=FILE ;;\n");
    for (size_t i = 0; i < fmd_config_table_length; i++)
        print_option(&fmd_config_table[i]);
    printf("    *)\n"
           "        values=$words\n"
           "        [[ $current != -* ]] || values=$options ;;\n"
           "    esac\n"
           "    # the last item of a list\n"
           "    [[ $current != *,* ]] || before=${current%%,*}, current=${current##*,}\n"
           "    for value in $values; do\n"
           "        case $value in\n"
           "        FILE) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
           "<(compgen -P \"$before\" -f -- \"$current\") ;;\n"
           "        DIR) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
           "<(compgen -P \"$before\" -d -- \"$current\") ;;\n"
           "        \"$current\"*) COMPREPLY+=(\"$before$value\") ;;\n"
           "        esac\n"
           "    done\n"
           "    [[ $values != *@(FILE|DIR)* ]] || compopt -o filenames 2>/dev/null\n"
           "    return 0\n"
           "}\n"
           "complete -F _fmnist_dist fmnist-dist\n");
}
