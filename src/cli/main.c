/* fmnist-dist [COMMAND] [OPTIONS]: parses on rank 0, runs one command, returns one exit code. */
#include "run/config.h"
#include "run/weights_file.h"
#include "fmd/comm.h"
#include "train/watchdog.h"
#include "math/gemm.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const fmd_command fmd_commands[] = {
    {.name = "train",
     .usage = "[OPTIONS]",
     .help = "train a model (the default command)",
     .section = FMD_TO_TRAIN,
     .example = "--hidden 512 --validation-split 0.1 --patience 3",
     .groups = "data|training "
               "data|amount|model|weights|training|stopping|checkpoints|distribution|run|output",
     .needs_mpi = true,
     .run = fmd_cmd_train},
    {.name = "evaluate",
     .usage = "RUN_DIR|FILE [OPTIONS]",
     .help = "loss, accuracy, scores of each class and confusion matrix on the test images",
     .section = FMD_TO_TRAIN,
     .example = "runs/20260131-120000",
     .groups = "data|model|weights|images|metrics|json|output",
     .words = "weights",
     .needs_mpi = true,
     .run = fmd_cmd_evaluate},
    {.name = "predict",
     .usage = "RUN_DIR|FILE [IMAGES ...] [OPTIONS]",
     .help = "probabilities and classes of test images, or of PNG and IDX files",
     .section = FMD_TO_TRAIN,
     .example = "runs/20260131-120000 --misclassified --sort confidence",
     .groups = "data|model|weights|images|selection|predictions|amount|json|output",
     .words = "weights|images",
     .needs_mpi = true,
     .run = fmd_cmd_predict},
    {.name = "show",
     .usage = "[N,...] [OPTIONS]",
     .help = "images of a data set in the terminal, as numbers or as a PNG file",
     .section = FMD_TO_LOOK,
     .example = "0,42 --split train",
     .groups = "data|images|selection|picture|file",
     .words = "index",
     .run = fmd_cmd_show},
    {.name = "summary",
     .usage = "[RUN_DIR|FILE] [OPTIONS]",
     .help = "the layers of a model, their shapes and parameters",
     .section = FMD_TO_LOOK,
     .example = "--hidden 512,256",
     .groups = "model|weights|json",
     .words = "weights",
     .run = fmd_cmd_summary},
    {.name = "inspect",
     .usage = "RUN_DIR|FILE [RUN_DIR|FILE] [OPTIONS]",
     .help = "what a checkpoint holds, or how two of them differ",
     .section = FMD_TO_LOOK,
     .example = "runs/20260131-120000",
     .groups = "weights|comparison",
     .words = "weights|against",
     .run = fmd_cmd_inspect},
    {.name = "watch",
     .usage = "[RUN_DIR] [OPTIONS]",
     .help = "how a run gets on: progress, loss, rates, who is slow; from anywhere",
     .section = FMD_TO_LOOK,
     .example = "runs/20260131-120000 --interval 5",
     .groups = "watching",
     .words = "run",
     .run = fmd_cmd_watch},
    {.name = "plot",
     .usage = "RUN_DIR [OPTIONS]",
     .help = "pictures of a run: curves, confusion matrix, predictions, weights",
     .section = FMD_TO_LOOK,
     .example = "runs/20260131-120000 --what curves --format svg",
     .groups = "data|weights|pictures",
     .words = "weights",
     .needs_mpi = true,
     .run = fmd_cmd_plot},
    {.name = "report",
     .usage = "RUN_DIR [OPTIONS]",
     .help = "one HTML file of a run: verdict, curves, mistakes, how to repeat it",
     .section = FMD_TO_LOOK,
     .example = "runs/20260131-120000 --output report.html",
     .groups = "data|weights|file",
     .words = "weights",
     .needs_mpi = true,
     .run = fmd_cmd_report},
    {.name = "bench",
     .usage = "[OPTIONS]",
     .help = "how fast training is here, where the time goes, and its parts alone",
     .section = FMD_TO_MEASURE,
     .example = "--batch-size 32 --reduce native",
     .groups = "benchmark|data|training data|amount|model|training|distribution|json",
     .needs_mpi = true,
     .run = fmd_cmd_bench},
    {.name = "data",
     .usage = "[list] | info [NAME|DIR] | verify [NAME|DIR] [OPTIONS]",
     .help = "which data sets there are, what is in one, and whether its files are sound",
     .example = "verify fashion-mnist",
     .groups = "action|data|json",
     .words = "action|dataset",
     .run = fmd_cmd_data},
    {.name = "scaling",
     .usage = "[OPTIONS]",
     .help = "what more ranks bring: measures, compares, draws, advises",
     .section = FMD_TO_MEASURE,
     .example = "--ranks 1,2,4,8 --batch-size 1024 --repetitions 6",
     .groups = "study|benchmark|data|training data|model|training|distribution",
     .run = fmd_cmd_scaling},
    {.name = "doctor",
     .usage = "[OPTIONS]",
     .help = "what is wrong with this machine, MPI or the data, and the cure",
     .groups = "data|distribution|run|json|output",
     .needs_mpi = true,
     .run = fmd_cmd_doctor},
    {.name = "tutorial",
     .usage = "[list|all|LESSON]",
     .help = "the steps and exercises of the Keras tutorial, run and explained",
     .example = "all",
     .groups = "tutorial",
     .words = "lesson",
     .needs_mpi = true,
     .run = fmd_cmd_tutorial},
    {.name = "completion",
     .usage = "[bash]",
     .help = "a script that lets the shell complete commands, options and values",
     .example = "bash > ~/.local/share/bash-completion/completions/fmnist-dist",
     .groups = "completion",
     .words = "shell",
     .run = fmd_cmd_completion},
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
        if (strcmp(fmd_commands[i].name, name) == 0) {
            *out = &fmd_commands[i];
            return FMD_OK;
        }
        used += (size_t)snprintf(names + used, sizeof names - used, "|%s", fmd_commands[i].name);
    }
    return FMD_FAIL(FMD_EUSAGE, "'%.100s' is not a command%s; see fmnist-dist --help", name,
                    fmd_did_you_mean(names, name, hint));
}

static void print_version(void)
{
    const char *blas;
    if (fmd_math_blas(&blas) != FMD_OK)
        blas = fmd_error_message();
    printf("fmnist-dist " FMD_VERSION "\nMPI   %s\nBLAS  %s\n", fmd_comm_library(), blas);
}

/* A process that a launcher started as anything but the first one. */
static bool is_follower(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank != NULL)
            return atoi(rank) != 0;
    }
    return false;
}

/* Whether the user asks about the program itself. */
static bool is_question(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            strcmp(argv[i], "--version") == 0 || (i == 1 && strcmp(argv[i], "help") == 0))
            return true;
    return false;
}

/* Answers it, without MPI. `command` is what it was asked of; NULL: of the program. */
static fmd_status answer(const fmd_command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--version") == 0) {
            print_version();
            return FMD_OK;
        }
    const char *about = argc > 2 && strcmp(argv[1], "help") == 0 ? argv[2] : "";
    if (strcmp(about, "--man") == 0) {
        fmd_help_manual();
        return FMD_OK;
    }
    if (*about != '\0' && *about != '-' && strcmp(about, "help") != 0)
        FMD_TRY(fmd_command_find(&command, about));
    if (command != NULL)
        fmd_help_command(command);
    else
        fmd_help_overview();
    return FMD_OK;
}

/* Collective, where there is MPI. What rank 0 has read, and what came of that, on all ranks. */
static fmd_status adopt(fmd_comm *c, fmd_status st, fmd_config *config)
{
    if (c != NULL) {
        FMD_TRY(fmd_comm_agree(c, st));
        fmd_comm_bcast(c, config, sizeof *config);
    }
    if (st != FMD_OK)
        return st;
    fmd_log_open((fmd_log_level)config->log_level, c != NULL ? fmd_comm_rank(c) : 0);
    st = fmd_math_open((fmd_gemm_kind)config->gemm, (int)config->threads);
    return c != NULL ? fmd_comm_agree(c, st) : st;
}

static bool is_first(fmd_comm *c)
{
    return c == NULL || fmd_comm_rank(c) == 0;
}

fmd_status fmd_command_configure(const fmd_command *command, fmd_comm *c, int argc, char **argv,
                                 fmd_config *config)
{
    const fmd_status st = is_first(c) ? fmd_config_parse(config, command, argc, argv) : FMD_OK;
    return adopt(c, st, config);
}

/* What is done while there is no MPI yet, by the process that is likely to be rank 0. A configuration
 * may come from a pipe: it is read once. */
typedef struct early {
    bool done;
    fmd_status status;
    fmd_config config;
} early;

static void prepare(early *e, const fmd_command *command, int argc, char **argv)
{
    e->done = !is_follower();
    e->status = FMD_OK;
    if (e->done)
        e->status = fmd_config_parse(&e->config, command, argc, argv);
    if (e->done && e->status == FMD_OK)
        e->status = fmd_weights_try(&e->config);
}

/* Collective, where there is MPI. */
static fmd_status run(const fmd_command *command, fmd_comm *c, int argc, char **argv, early *e)
{
    if (is_first(c) && !e->done)
        e->status = fmd_config_parse(&e->config, command, argc, argv);
    FMD_TRY(adopt(c, is_first(c) ? e->status : FMD_OK, &e->config));
    return command->run(c, &e->config);
}

/* Prints the message of a failure as one line, whatever was in a name that the user gave. */
static void print_error(void)
{
    char line[FMD_ERROR_BYTES];
    snprintf(line, sizeof line, "%s", fmd_error_message());
    for (char *c = line; *c != '\0'; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    if (*line != '\0')
        fprintf(stderr, "fmnist-dist: error: %s\n", line);
}

/* The last word on stdout and stderr; returns the exit code. */
static fmd_status conclude(fmd_status st)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && st == FMD_OK)
        st = FMD_FAIL(FMD_EIO, "cannot write to stdout: %s", strerror(errno));
    if (st != FMD_OK)
        print_error();
    return st;
}

/* A file that is opened while stdin, stdout or stderr is closed would get its number, and the next
 * message. What takes their places cannot be read or written, as a closed one. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static fmd_status run_with_mpi(const fmd_command *command, int argc, char **argv)
{
    fmd_comm *c = NULL;
    if (command->run == fmd_cmd_train || command->run == fmd_cmd_tutorial)
        fmd_guardian_prepare();
    early e;
    prepare(&e, command, argc, argv);
    fmd_status st = fmd_comm_open(&c);
    if (st == FMD_OK && command->run != fmd_cmd_doctor) /* that reports it */
        st = fmd_comm_check_launcher(c);
    if (st == FMD_OK)
        st = run(command, c, argc, argv, &e);
    if (c == NULL || fmd_comm_rank(c) == 0)
        st = conclude(st);
    fmd_comm_close(c);
    return st;
}

int main(int argc, char **argv)
{
    hold_standard_files();
    const fmd_command *command = &fmd_commands[0];
    const bool named = argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0;
    const int first = named ? 2 : 1;
    const bool question = is_question(argc, argv);
    fmd_status st = named ? fmd_command_find(&command, argv[1]) : FMD_OK;
    if (st == FMD_OK && !question && command->needs_mpi)
        return (int)run_with_mpi(command, argc - first, argv + first);

    /* Without MPI the launcher's first process speaks for all. To fail beside it would make mpirun
     * end it, maybe before it has spoken. */
    if (is_follower())
        return FMD_OK;
    if (st == FMD_OK && question)
        st = answer(named ? command : NULL, argc, argv);
    else if (st == FMD_OK) {
        early e;
        prepare(&e, command, argc - first, argv + first);
        st = run(command, NULL, argc - first, argv + first, &e);
    }
    return (int)conclude(st);
}
