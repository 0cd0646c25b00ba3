/* The manual page in the language of man(7), made of the tables of commands and options. */
#include "cli/manual.h"
#include "fmd/version.h"
#include "nn/layer.h"
#include "nn/metrics/metric.h"
#include "nn/optimizers/optimizer.h"
#include "nn/schedule.h"

#include "cli/help.h"

#include <stdio.h>
#include <string.h>

typedef struct entry {
    const char *name, *text;
} entry;

static const struct {
    fmd_status status;
    const char *text;
} exit_codes[] = {
    {FMD_OK, "finished, or stopped by a criterion such as --stop-when; serve: stopped by a signal"},
    {FMD_EDIFFER, "inspect A B: the two checkpoints differ"},
    {FMD_EUSAGE, "invalid option, or options that contradict each other"},
    {FMD_EDATA, "invalid or damaged data or weights file"},
    {FMD_ENOINPUT, "data or weights not found"},
    {FMD_EINTERNAL, "internal error of this program or of MPI"},
    {FMD_ENOMEM, "out of memory, or not enough space in /dev/shm"},
    {FMD_EBUSY, "the run folder is in use, already holds a run, was moved, or cannot be created"},
    {FMD_EIO, "reading or writing failed; serve cannot listen on its port"},
    {FMD_ESTOPPED,
     "stopped by a signal or by --max-time; with a run folder, the same command resumes"},
    {FMD_EDIVERGED, "diverged: loss or gradient is not finite"},
    {FMD_EDESYNC, "ranks differ where they must agree"},
    {FMD_EUNFIT, "doctor found a problem"},
    {FMD_EHANG, "no progress for longer than --hang-timeout"},
};

static const entry environment[] = {
    {"FMNIST_DIST_<OPTION>", "the value of an option, e.g. FMNIST_DIST_BATCH_SIZE=32"},
    {"FMNIST_DIST_DATA", "folder with data sets, searched without --data-dir"},
    {"NO_COLOR, CLICOLOR_FORCE", "no colours; colours even if stdout is not a terminal"},
    {"OMPI_MCA_..., OPENBLAS_CORETYPE", "settings of Open MPI and OpenBLAS"},
};

static const entry files[] = {
    {"runs/<date>-<time>/", "folder of a run without --run-dir"},
    {"config.json", "in the run folder: all options, for --config"},
    {"history.csv", "one line per epoch, in the format of Keras' CSVLogger"},
    {"events.jsonl", "log of events, one JSON object per line"},
    {"run.json, STATUS.json", "environment and result of the run; its present or final state"},
    {"checkpoints/*.weights.h5", "the state of the training, in files that Keras opens"},
    {"data/, ~/.keras/datasets/, ~/.local/share/fmnist-dist/, /usr/share/datasets/",
     "searched for data sets, in this order"},
};

static const entry examples[] = {
    {"mpirun -np 8 fmnist-dist", "train the model of the Keras tutorial on 8 ranks"},
    {"mpirun -np 8 fmnist-dist --hidden 512 --stop-when 'loss<0.4'",
     "a larger model that stops early"},
    {"mpirun -np 4 fmnist-dist --run-dir runs/a --epochs 100",
     "start a run, or resume it after it was stopped or killed"},
    {"fmnist-dist evaluate runs/a", "evaluate the trained model"},
    {"fmnist-dist doctor", "check the machine, MPI and the data"},
};

/* Plain text: escapes what roff would take for a request or an escape. */
static void print_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        printf("\\&");
    for (; *text != '\0'; text++)
        switch (*text) {
        case '\\': printf("\\e"); break;
        case '-': printf("\\-"); break;
        case '\'': printf("\\(aq"); break;
        case '"': printf("\\(dq"); break;
        case '`': printf("\\(ga"); break;
        case '^': printf("\\(ha"); break;
        case '~': printf("\\(ti"); break;
        case '|': printf("|\\:"); break; /* a line may break behind it */
        case '[': printf("\\:["); break; /* and before it */
        default: putchar(*text);
        }
}

/* A request and its text: ".SH NAME". */
static void print_request(const char *request, const char *text)
{
    printf("%s ", request);
    print_text(text);
    putchar('\n');
}

/* A paragraph with a name in front of it. */
static void print_entry(const char *name, const char *text)
{
    printf(".TP\n");
    print_request(".B", name);
    print_text(text);
    putchar('\n');
}

static void print_entries(const char *heading, const entry *entries, size_t n)
{
    print_request(".SH", heading);
    for (size_t i = 0; i < n; i++)
        print_entry(entries[i].name, entries[i].text);
}

static void print_commands(void)
{
    print_request(".SH", "COMMANDS");
    for (size_t i = 0; i < fmd_commands_length; i++) {
        const fmd_command *command = fmd_commands[i];
        printf(".TP\n.B ");
        print_text(command->name);
        printf("\\fR ");
        print_text(command->usage);
        putchar('\n');
        print_text(command->help);
        printf("%s\n", command->needs_mpi ? "; with or without mpirun" : "");
    }
    print_entry("help", "explains the program or a command; help --man: this page");
}

/* Prints the heading of a group of options and the commands that take it. */
static void print_group(const fmd_option *first)
{
    const char *before = "";
    print_request(".SS", first->group);
    printf("Options of ");
    for (size_t i = 0; i < fmd_commands_length; i++)
        if (fmd_command_takes(fmd_commands[i], first)) {
            printf("%s%s", before, fmd_commands[i]->name);
            before = ", ";
        }
    printf(".\n");
}

static void print_options(void)
{
    char usage[FMD_HELP_BYTES], text[FMD_HELP_BYTES];
    const char *group = "";
    print_request(".SH", "OPTIONS");
    print_text(
        "Each option can be given as a flag, as an environment variable or in a file. Flags "
        "override the environment, and the environment overrides the file. Brackets: default and "
        "allowed range. Parentheses: a different name in Keras.");
    putchar('\n');
    print_entry("--config FILE", "a JSON file with any of these options");
    print_entry("--help, --version", "print the options of a command; print the versions of this "
                                     "program, MPI and BLAS");
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        if (strcmp(group, o->group) != 0)
            print_group(o);
        group = o->group;
        print_entry(fmd_help_usage(o, usage), fmd_help_text(o, text));
    }
}

/* Prints a layer or an optimizer with its arguments. */
static void print_spec(const char *name, const char *help, const fmd_option *args, size_t n)
{
    char text[FMD_HELP_BYTES], line[FMD_HELP_BYTES];
    print_entry(fmd_help_spec(name, args, n, text), help);
    for (size_t i = 0; i < n; i++) {
        const bool chosen = args[i].kind == FMD_OPTION_CHOICE;
        snprintf(line, sizeof line, "%s: %s%s%s", args[i].name, fmd_help_text(&args[i], text),
                 chosen ? "; one of " : "", chosen ? args[i].choices : "");
        if (line[strlen(line) - 1] == '|')
            line[strlen(line) - 1] = '\0';
        printf(".br\n");
        print_text(line);
        putchar('\n');
    }
}

static void print_common_args(void)
{
    size_t n;
    const fmd_option *args = fmd_optimizer_common_args(&n);
    print_spec("any", "what every optimizer takes; adamw: weight_decay=0.004", args, n);
}

static void print_specs(void)
{
    char help[FMD_HELP_BYTES];
    const fmd_layer_ops *layer;
    const fmd_optimizer_ops *optimizer;
    const fmd_loss_ops *loss;
    const fmd_metric_ops *metric;
    print_request(".SH", "LAYERS");
    print_text("The parts of --layers, separated by commas. Arguments are given by position or as "
               "name=value; those in brackets are optional.");
    putchar('\n');
    for (size_t i = 0; (layer = fmd_layer_ops_at(i)) != NULL; i++)
        print_spec(layer->name, layer->help, layer->args, layer->n_args);
    print_request(".SH", "LOSSES");
    for (size_t i = 0; (loss = fmd_loss_ops_at(i)) != NULL; i++)
        print_spec(loss->name, loss->help, loss->args, loss->n_args);
    print_request(".SH", "METRICS");
    for (size_t i = 0; (metric = fmd_metric_ops_at(i)) != NULL; i++)
        print_spec(metric->name, metric->help, NULL, 0);
    print_request(".SH", "OPTIMIZERS");
    for (size_t i = 0; (optimizer = fmd_optimizer_ops_at(i)) != NULL; i++) {
        snprintf(help, sizeof help, "%s (%s)", optimizer->help,
                 optimizer->keras_class != NULL ? optimizer->keras_class : "not in Keras");
        print_spec(optimizer->name, help, optimizer->args, optimizer->n_args);
    }
    print_common_args();
}

static void print_schedules(void)
{
    const fmd_option *args;
    const char *name;
    size_t n;
    print_request(".SH", "SCHEDULES");
    for (size_t i = 0; (name = fmd_schedule_at(i, &args, &n)) != NULL; i++)
        print_spec(name, "for --lr-schedule; the arguments are those of Keras", args, n);
}

static void print_exit_codes(void)
{
    print_request(".SH", "EXIT STATUS");
    for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", (int)exit_codes[i].status);
        print_entry(number, exit_codes[i].text);
    }
}

void fmd_help_manual(void)
{
    printf(".TH FMNIST\\-DIST 1 \"\" \"fmnist\\-dist " FMD_VERSION "\" \"User Commands\"\n"
           ".nh\n.ad l\n"); /* no hyphenation, ragged right */
    print_request(".SH", "NAME");
    print_text("fmnist-dist - trains image classifiers, data-parallel over MPI");
    putchar('\n');
    print_request(".SH", "SYNOPSIS");
    print_request(".B", "[mpirun -np N] fmnist-dist [COMMAND] [OPTIONS]");
    print_request(".SH", "DESCRIPTION");
    print_text(
        "Without a command the program trains. The default is the model of the Keras tutorial, "
        "Flatten, Dense(128, relu), Dense(10, softmax), on Fashion-MNIST. The weights are the "
        "same, "
        "bit for bit, on any number of ranks. Keras opens the checkpoints, and repeating the "
        "command resumes a stopped run. Rank 0 prints results on stdout, warnings and errors on "
        "stderr.");
    putchar('\n');
    print_commands();
    print_options();
    print_specs();
    print_schedules();
    print_entries("ENVIRONMENT", environment, sizeof environment / sizeof *environment);
    print_entries("FILES", files, sizeof files / sizeof *files);
    print_exit_codes();
    print_entries("EXAMPLES", examples, sizeof examples / sizeof *examples);
    print_request(".SH", "SEE ALSO");
    printf(".BR mpirun (1),\n.BR sbatch (1)\n");
}
