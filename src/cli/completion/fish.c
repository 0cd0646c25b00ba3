#include "cli/completion/completion.h"
#include "fmd/version.h"

#include <stdio.h>
#include <string.h>

/* A text in single quotes. */
static void print_text(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++)
        printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('\'');
}

/* What completes a value: -a with words, as the last item of a list; files only where they may be. */
static void print_values(const fmd_option *o)
{
    char words[FMD_WORDS_BYTES], word[FMD_OPTION_TEXT_BYTES];
    const char *at = fmd_completion_words(o, words);
    const char *begin = " -a '(__fish_append ,", *end = "";
    bool files = false, folders = false;
    while (fmd_completion_next(&at, word)) {
        const bool file = strcmp(word, "FILE") == 0, folder = strcmp(word, "DIR") == 0;
        files = files || file;
        folders = folders || folder;
        if (file || folder)
            continue;
        printf("%s %s", begin, word);
        begin = "";
        end = ")'";
    }
    printf("%s%s", end, files ? " -F" : " -f");
    if (folders)
        printf(" -a '(__fish_complete_directories)'");
}

/* The commands that take an option. */
static void print_takers(const fmd_option *o)
{
    for (size_t i = 0; i < fmd_commands_length; i++)
        if (o == NULL || fmd_command_takes(fmd_commands[i], o))
            printf(" %s", fmd_commands[i]->name);
}

static void print_option(const fmd_option *o)
{
    char name[FMD_OPTION_TEXT_BYTES];
    printf("complete -c fmnist-dist -n '__fmnist_dist_is");
    print_takers(o);
    printf("' -l %s -d ", fmd_completion_name(o, name));
    print_text(o->help);
    if (o->kind != FMD_OPTION_BOOL) {
        printf(" -r");
        print_values(o);
    }
    putchar('\n');
}

static void print_words(const fmd_command *command)
{
    const fmd_option *o;
    for (int i = 0; (o = fmd_completion_positional(command, i)) != NULL; i++) {
        printf("complete -c fmnist-dist -n '__fmnist_dist_is %s; and not __fmnist_dist_first'",
               command->name);
        print_values(o);
        putchar('\n');
    }
}

void fmd_completion_fish(void)
{
    printf("# fish completion of fmnist-dist " FMD_VERSION ", from: fmnist-dist completion fish\n"
           "# For one session: fmnist-dist completion fish | source\n"
           "function __fmnist_dist_first # whether a command may come\n"
           "    test (count (commandline -opc)) -eq 1\n"
           "end\n"
           "function __fmnist_dist_is # whether the command is one of these\n"
           "    set -l tokens (commandline -opc)\n"
           "    set -l command train\n"
           "    if set -q tokens[2]; and not string match -q -- '-*' $tokens[2]\n"
           "        set command $tokens[2]\n"
           "    end\n"
           "    contains -- $command $argv\n"
           "end\n"
           "complete -c fmnist-dist -f\n");
    for (size_t i = 0; i < fmd_commands_length; i++) {
        printf("complete -c fmnist-dist -n __fmnist_dist_first -a %s -d ", fmd_commands[i]->name);
        print_text(fmd_commands[i]->help);
        putchar('\n');
    }
    printf("complete -c fmnist-dist -n __fmnist_dist_first -a help "
           "-d 'explains the program or a command'\n"
           "complete -c fmnist-dist -n '__fmnist_dist_is help; and not __fmnist_dist_first' -a '");
    print_takers(NULL);
    printf(" models'\n"
           "complete -c fmnist-dist -l help -d 'print the options'\n"
           "complete -c fmnist-dist -l config -r -F -d 'a JSON file with options'\n");
    for (size_t i = 0; i < fmd_config_table_length; i++)
        print_option(&fmd_config_table[i]);
    for (size_t i = 0; i < fmd_commands_length; i++)
        print_words(fmd_commands[i]);
}
