/* --help, made of the tables of commands and options. */
#include "cli/help.h"
#include "fmd/optimizer.h"
#include "nn/layer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Columns of the whole, and where texts begin; a name that needs more has a line of its own. */
enum { WIDTH = 80, COMMAND_COLUMN = 14, OPTION_COLUMN = 30, DETAILS_BYTES = 128 };

void fmd_print_text(int at, int column, const char *text)
{
    if (at >= column) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", column - at, "");
    at = column;
    while (*text != '\0') {
        /* what is in brackets stays together */
        const char *end = *text == '[' ? "]" : *text == '(' ? ")" : " ";
        int n = (int)strcspn(text, end);
        n += (int)strcspn(text + n, " ");
        if (at > column && at + 1 + n > WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putchar(' ');
            at++;
        }
        printf("%.*s", n, text);
        at += n;
        text += n + (text[n] == ' ');
    }
    putchar('\n');
}

/* "1 to 65536", "0 or more"; empty where any value will do or none is a good example. */
static void range_text(const fmd_option *o, char text[DETAILS_BYTES])
{
    const double large = 1e9;
    text[0] = '\0';
    if ((o->min == 0 && o->max == 0) || o->min <= -large || o->kind == FMD_OPTION_DURATION)
        return;
    if (o->max >= large)
        snprintf(text, DETAILS_BYTES, "%.10g or more", o->min);
    else
        snprintf(text, DETAILS_BYTES, "%.10g to %.10g", o->min, o->max);
}

/* " [256; 1 to 1048576]": the default and the range. */
static void details_text(const fmd_option *o, char text[DETAILS_BYTES])
{
    char range[DETAILS_BYTES];
    const bool has_default =
        o->kind != FMD_OPTION_BOOL && o->initial != NULL && *o->initial != '\0';
    range_text(o, range);
    text[0] = '\0';
    if (has_default && *range != '\0')
        snprintf(text, DETAILS_BYTES, " [%.60s; %.60s]", o->initial, range);
    else if (has_default)
        snprintf(text, DETAILS_BYTES, " [%.60s]", o->initial);
}

const char *fmd_help_usage(const fmd_option *o, char text[FMD_HELP_BYTES])
{
    const bool on = o->kind == FMD_OPTION_BOOL && strcmp(o->initial, "true") == 0;
    const char *value = o->value != NULL ? o->value : o->choices;
    int at = snprintf(text, FMD_HELP_BYTES, "--%s%s", on ? "no-" : "", o->name);
    if (value != NULL) /* a table of choices may end in "|" */
        snprintf(text + at, FMD_HELP_BYTES - (size_t)at, " %.*s",
                 (int)(strlen(value) - (value[strlen(value) - 1] == '|')), value);
    return text;
}

const char *fmd_help_text(const fmd_option *o, char text[FMD_HELP_BYTES])
{
    char details[DETAILS_BYTES];
    details_text(o, details);
    const int at = snprintf(text, FMD_HELP_BYTES, "%s%s", o->help, details);
    if (o->keras != NULL && strcmp(o->keras, o->name) != 0)
        snprintf(text + at, FMD_HELP_BYTES - (size_t)at, " (Keras: %s)", o->keras);
    return text;
}

const char *fmd_help_spec(const char *name, const fmd_option *args, size_t n,
                          char text[FMD_HELP_BYTES])
{
    size_t at = (size_t)snprintf(text, FMD_HELP_BYTES, "%s", name);
    for (size_t i = 0; i < n && at < FMD_HELP_BYTES; i++) {
        const fmd_option *o = &args[i];
        const bool on = o->initial != NULL && strcmp(o->initial, "true") == 0;
        if (o->initial == NULL) {
            text[at++] = ':';
            for (const char *c = o->name; *c != '\0' && at < FMD_HELP_BYTES - 1; c++)
                text[at++] = (char)toupper((unsigned char)*c);
            text[at] = '\0';
        } else if (o->kind == FMD_OPTION_BOOL)
            at += (size_t)snprintf(text + at, FMD_HELP_BYTES - at, "[:%s%s]", on ? "no" : "",
                                   o->name);
        else
            at += (size_t)snprintf(text + at, FMD_HELP_BYTES - at, "[:%s=%s]", o->name, o->initial);
    }
    return text;
}

/* What --layers and --optimizer are made of, for a command that takes them. */
static void print_specs(const fmd_command *command)
{
    char text[FMD_HELP_BYTES];
    const fmd_layer_ops *layer;
    const fmd_optimizer_ops *optimizer;
    const size_t n = fmd_config_table_length;
    if (fmd_command_takes(command, fmd_option_find(fmd_config_table, n, "layers"))) {
        printf("\nlayers; in brackets what may be left out\n");
        for (size_t i = 0; (layer = fmd_layer_ops_at(i)) != NULL; i++)
            fmd_print_text(
                printf("  %s", fmd_help_spec(layer->name, layer->args, layer->n_args, text)),
                OPTION_COLUMN, layer->help);
    }
    if (fmd_command_takes(command, fmd_option_find(fmd_config_table, n, "optimizer"))) {
        printf("\noptimizers\n");
        for (size_t i = 0; (optimizer = fmd_optimizer_ops_at(i)) != NULL; i++)
            printf("  %s\n",
                   fmd_help_spec(optimizer->name, optimizer->args, optimizer->n_args, text));
    }
}

static void print_option(const fmd_option *o)
{
    char usage[FMD_HELP_BYTES], text[FMD_HELP_BYTES];
    fmd_print_text(printf("  %s", fmd_help_usage(o, usage)), OPTION_COLUMN, fmd_help_text(o, text));
}

static void print_options(const fmd_command *command)
{
    const char *group = "";
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        if (!fmd_command_takes(command, o))
            continue;
        if (strcmp(group, o->group) != 0)
            printf("\n%s\n", o->group);
        group = o->group;
        print_option(o);
    }
}

void fmd_help_command(const fmd_command *command)
{
    const char *launcher = command->needs_mpi ? "[mpirun -np N] " : "";
    printf("usage: %sfmnist-dist %s %s\n\n%s\n", launcher, command->name, command->usage,
           command->help);
    if (command->example != NULL)
        printf("\nfor example\n  fmnist-dist %s %s\n", command->name, command->example);
    print_options(command);
    print_specs(command);
    printf("\nconfiguration\n");
    fmd_print_text(printf("  --config FILE"), OPTION_COLUMN,
                   "a JSON file with any of these options");
    fmd_print_text(
        printf("  FMNIST_DIST_<OPTION>"), OPTION_COLUMN,
        "the same in the environment, as in FMNIST_DIST_BATCH_SIZE=32; flags win over it, "
        "it wins over the file");
    printf("\nIn brackets: the default, and what numbers may be.\n"
           "In parentheses: the name in Keras, where it is another.\n");
}

static void print_section(fmd_section section, const char *heading)
{
    bool begun = false;
    for (size_t i = 0; i < fmd_commands_length; i++) {
        if (fmd_commands[i]->section != section)
            continue;
        if (!begun)
            printf("\n%s\n", heading);
        begun = true;
        fmd_print_text(printf("  %s", fmd_commands[i]->name), COMMAND_COLUMN,
                       fmd_commands[i]->help);
    }
}

void fmd_help_overview(void)
{
    printf("fmnist-dist " FMD_VERSION ": trains image classifiers, data-parallel over MPI\n\n"
           "usage: [mpirun -np N] fmnist-dist [COMMAND] [OPTIONS]\n");
    print_section(FMD_TO_TRAIN, "train and use");
    print_section(FMD_TO_LOOK, "look");
    print_section(FMD_TO_MEASURE, "measure");
    print_section(FMD_TO_SET_UP, "set up and learn");
    fmd_print_text(printf("  help"), COMMAND_COLUMN,
                   "this text, or with a command its options; help --man: a manual page");
    printf("\nexamples\n"
           "  mpirun -np 8 fmnist-dist              the training of the Keras tutorial\n"
           "  mpirun -np 8 fmnist-dist --hidden 512 --stop-when 'loss<0.4'\n"
           "                                        another model, and a callback\n"
           "  fmnist-dist evaluate runs/20260131-120000\n"
           "                                        a model that was trained\n"
           "\nnext: fmnist-dist help train (its options), fmnist-dist doctor (is all in\n"
           "order?), fmnist-dist tutorial\n");
}
