/* --help, made of the tables of commands and options. */
#include "cli/help.h"
#include "fmd/version.h"
#include "nn/layer.h"
#include "nn/metrics/metric.h"
#include "nn/optimizers/optimizer.h"
#include "nn/schedule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Width of the page, and where texts begin; a longer name has a line of its own. */
enum { WIDTH = 80, COMMAND_COLUMN = 14, OPTION_COLUMN = 30, DETAILS_BYTES = 128 };

void fmd_print_text(int at, int column, const char *text)
{
    if (at > 0 && at >= column) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", column - at, "");
    at = column;
    while (*text != '\0') {
        /* text in brackets stays on one line */
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

/* "1 to 65536", "0 or more"; empty without limits, and for times, which have units. */
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

/* " [256; 1 to 1048576]": default and range. */
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
    if (value != NULL) /* a list of choices may end in "|" */
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

static bool takes(const fmd_command *command, const char *option)
{
    return fmd_command_takes(command,
                             fmd_option_find(fmd_config_table, fmd_config_table_length, option));
}

/* Prints a layer, optimizer or schedule, broken between arguments; returns the column of the cursor. */
static int print_spec(const char *name, const fmd_option *args, size_t n_args)
{
    char text[FMD_HELP_BYTES];
    int at = printf("  ");
    for (const char *part = fmd_help_spec(name, args, n_args, text); *part != '\0';) {
        const int n = 1 + (int)strcspn(part + 1, "[");
        if (at + n > WIDTH)
            at = printf("\n    ") - 1;
        at += printf("%.*s", n, part);
        part += n;
    }
    return at;
}

/* "relu|tanh|" as "relu, tanh". */
static const char *list_text(const char *choices, char text[FMD_HELP_BYTES])
{
    size_t used = 0;
    for (const char *c = choices; *c != '\0' && used + 3 < FMD_HELP_BYTES; c++) {
        text[used++] = (char)(*c == '|' ? ',' : *c);
        if (*c == '|')
            text[used++] = ' ';
    }
    text[used] = '\0';
    if (used > 1 && text[used - 2] == ',')
        text[used - 2] = '\0';
    return text;
}

/* The choices of layers' arguments, such as activations; layers that share a name share the choices. */
static void print_choices(void)
{
    char text[FMD_HELP_BYTES], seen[FMD_HELP_BYTES] = "";
    const fmd_layer_ops *layer;
    for (size_t i = 0; (layer = fmd_layer_ops_at(i)) != NULL; i++)
        for (size_t k = 0; k < layer->n_args; k++) {
            const fmd_option *o = &layer->args[k];
            if (o->kind != FMD_OPTION_CHOICE || fmd_word_is_among(seen, o->name))
                continue;
            const size_t used = strlen(seen);
            snprintf(seen + used, sizeof seen - used, "%s|", o->name);
            fmd_print_text(printf("  %s", o->name), OPTION_COLUMN, list_text(o->choices, text));
        }
}

/* The parts of --layers, --loss, --metrics, --optimizer and --lr-schedule, for a command that takes them. */
static void print_specs(const fmd_command *command)
{
    const fmd_layer_ops *layer;
    const fmd_optimizer_ops *optimizer;
    const fmd_option *args;
    const char *name;
    size_t n;
    if (takes(command, "layers")) {
        printf("\nlayers (arguments in brackets are optional)\n");
        for (size_t i = 0; (layer = fmd_layer_ops_at(i)) != NULL; i++)
            fmd_print_text(print_spec(layer->name, layer->args, layer->n_args), OPTION_COLUMN,
                           layer->help);
        printf("\nvalues of their arguments\n");
        print_choices();
    }
    if (takes(command, "loss")) {
        const fmd_loss_ops *loss;
        const fmd_metric_ops *metric;
        printf("\nlosses\n");
        for (size_t i = 0; (loss = fmd_loss_ops_at(i)) != NULL; i++)
            fmd_print_text(print_spec(loss->name, loss->args, loss->n_args), OPTION_COLUMN,
                           loss->help);
        printf("\nmetrics\n");
        fmd_print_text(printf("  accuracy"), OPTION_COLUMN, "share of images classified correctly");
        for (size_t i = 0; (metric = fmd_metric_ops_at(i)) != NULL; i++)
            fmd_print_text(printf("  %s%s", metric->name, metric->default_k > 0 ? "[:K]" : ""),
                           OPTION_COLUMN, metric->help);
    }
    if (takes(command, "optimizer")) {
        printf("\noptimizers\n");
        for (size_t i = 0; (optimizer = fmd_optimizer_ops_at(i)) != NULL; i++) {
            fmd_print_text(print_spec(optimizer->name, optimizer->args, optimizer->n_args),
                           OPTION_COLUMN, optimizer->help);
        }
        args = fmd_optimizer_common_args(&n);
        fmd_print_text(print_spec("any", args, n), OPTION_COLUMN,
                       "what every optimizer takes; adamw: weight_decay=0.004");
    }
    if (takes(command, "lr-schedule")) {
        printf("\nschedules\n");
        for (size_t i = 0; (name = fmd_schedule_at(i, &args, &n)) != NULL; i++) {
            print_spec(name, args, n);
            putchar('\n');
        }
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
    const int at = printf("usage: %sfmnist-dist %s", launcher, command->name);
    fmd_print_text(at, at + 1, command->usage);
    putchar('\n');
    fmd_print_text(0, 0, command->help);
    if (command->example != NULL)
        printf("\nfor example\n  fmnist-dist %s %s\n", command->name, command->example);
    print_options(command);
    print_specs(command);
    printf("\nconfiguration\n");
    fmd_print_text(printf("  --config FILE"), OPTION_COLUMN,
                   "a JSON file with any of these options");
    fmd_print_text(printf("  FMNIST_DIST_<OPTION>"), OPTION_COLUMN,
                   "any of them as an environment variable, e.g. FMNIST_DIST_BATCH_SIZE=32; a flag "
                   "overrides it, and it overrides the file");
    printf("\nBrackets: default and allowed range. Parentheses: a different name in Keras.\n");
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
    print_section(FMD_TO_LOOK, "inspect");
    print_section(FMD_TO_MEASURE, "measure");
    print_section(FMD_TO_SET_UP, "set up and learn");
    fmd_print_text(printf("  help"), COMMAND_COLUMN,
                   "explains the program or a command; --man: the manual page");
    printf("\nexamples\n"
           "  mpirun -np 8 fmnist-dist              train the model of the Keras tutorial\n"
           "  mpirun -np 8 fmnist-dist --hidden 512 --stop-when 'loss<0.4'\n"
           "                                        a larger model that stops early\n"
           "  fmnist-dist evaluate runs/20260131-120000\n"
           "                                        evaluate a trained model\n"
           "\nSee also: fmnist-dist help train (options), fmnist-dist doctor (checks the\n"
           "machine), fmnist-dist tutorial (a guided start)\n");
}
