#include "cli/completion/completion.h"
#include "fmd/version.h"

#include <stdio.h>
#include <string.h>

/* Text within single quotes and the brackets of _arguments. */
static void print_text(const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '\'': printf("'\\''"); break;
        case '[':
        case ']':
        case ':':
        case '\\': printf("\\%c", *text); break;
        default: putchar(*text);
        }
}

static void print_action(const fmd_option *o)
{
    char words[FMD_WORDS_BYTES], word[FMD_OPTION_TEXT_BYTES];
    const char *at = fmd_completion_words(o, words);
    printf(":%s: _fmnist_dist_value", o->name);
    while (fmd_completion_next(&at, word))
        printf(" %s", word);
    putchar('\'');
}

static void print_option(const fmd_option *o)
{
    char name[FMD_OPTION_TEXT_BYTES];
    printf(" \\\n            '--%s%s[", fmd_completion_name(o, name),
           o->kind == FMD_OPTION_BOOL ? "" : "=");
    print_text(o->help);
    putchar(']');
    if (o->kind == FMD_OPTION_BOOL)
        putchar('\'');
    else
        print_action(o);
}

static void print_command(const fmd_command *command)
{
    const fmd_option *o;
    printf("    %s)\n        _arguments '--help[print the options]' \\\n"
           "            '--config=[a JSON file with options]:file:_files'",
           command->name);
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (fmd_command_takes(command, &fmd_config_table[i]))
            print_option(&fmd_config_table[i]);
    for (int i = 0; (o = fmd_completion_positional(command, i)) != NULL; i++) {
        if (o->repeats)
            printf(" \\\n            '*");
        else
            printf(" \\\n            '%d", i + 1);
        print_action(o);
    }
    printf(" ;;\n");
}

void fmd_completion_zsh(void)
{
    printf("#compdef fmnist-dist\n"
           "# zsh completion of fmnist-dist " FMD_VERSION ", from: fmnist-dist completion zsh\n"
           "# For one session: source <(fmnist-dist completion zsh)\n"
           "_fmnist_dist_value() {\n"
           "    local word\n"
           "    local -a plain\n"
           "    compset -P '*,' # the last item of a list\n"
           "    for word; do\n"
           "        case $word in\n"
           "        FILE) _files ;;\n"
           "        DIR) _files -/ ;;\n"
           "        *) plain+=($word) ;;\n"
           "        esac\n"
           "    done\n"
           "    (($#plain == 0)) || compadd -a plain\n"
           "}\n"
           "_fmnist_dist() {\n"
           "    local command=train\n"
           "    local -a commands=(\n");
    for (size_t i = 0; i < fmd_commands_length; i++) {
        printf("        '%s:", fmd_commands[i]->name);
        print_text(fmd_commands[i]->help);
        printf("'\n");
    }
    printf("        'help:explains the program or a command'\n"
           "    )\n"
           "    if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then\n"
           "        _describe command commands\n"
           "        return\n"
           "    fi\n"
           "    if [[ $words[2] != -* ]]; then\n"
           "        command=$words[2]\n"
           "        shift words\n"
           "        ((CURRENT--))\n"
           "    fi\n"
           "    case $command in\n");
    for (size_t i = 0; i < fmd_commands_length; i++)
        print_command(fmd_commands[i]);
    printf("    help)\n"
           "        commands+=('models:the presets of --model')\n"
           "        ((CURRENT != 2)) || _describe command commands ;;\n"
           "    esac\n"
           "}\n"
           "if [[ $funcstack[1] == _fmnist-dist ]]; then\n"
           "    _fmnist_dist \"$@\"\n"
           "else\n"
           "    compdef _fmnist_dist fmnist-dist\n"
           "fi\n");
}
