/* fmnist-dist [COMMAND] [OPTIONS]: parses on rank 0, runs one command, returns one exit code. */
#include "app/config.h"
#include "fmd/comm.h"
#include "math/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fmd_command commands[] = {
    {.name = "train",
     .usage = "[OPTIONS]",
     .help = "train a model (the default command)",
     .groups = "data|model|training|stopping|distribution|run|output",
     .needs_mpi = true,
     .run = fmd_cmd_train},
    {.name = "evaluate",
     .usage = "RUN_DIR|FILE [OPTIONS]",
     .help = "loss and accuracy of a trained model on the test images",
     .groups = "data|weights|output",
     .needs_mpi = true,
     .run = fmd_cmd_evaluate},
    {.name = "summary",
     .usage = "[RUN_DIR|FILE] [OPTIONS]",
     .help = "the layers of a model, their shapes and parameters",
     .groups = "model|weights",
     .run = fmd_cmd_summary},
    {.name = "doctor",
     .usage = "[OPTIONS]",
     .help = "what there is to work with: MPI, cores, BLAS, data; and what is wrong with it",
     .groups = "data|distribution|output",
     .needs_mpi = true,
     .run = fmd_cmd_doctor},
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const fmd_command *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_overview(void)
{
    printf("fmnist-dist " FMD_VERSION ": distributed data-parallel training over MPI\n\n"
           "usage: [mpirun -np N] fmnist-dist [COMMAND] [OPTIONS]\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("  %-10s %s\n", "help", "this text, or with a command its options");
}

static void print_help(const fmd_command *command)
{
    printf("usage: [mpirun -np N] fmnist-dist %s %s\n%s\n", command->name, command->usage,
           command->help);
    fmd_config_print_help(command);
}

static void print_version(void)
{
    printf("fmnist-dist " FMD_VERSION "\nMPI   %s\nBLAS  %s\n", fmd_comm_library(),
           fmd_math_library());
}

/* A process that a launcher started as anything but the first one. */
static bool is_follower(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]) != NULL)
            return atoi(getenv(names[i])) != 0;
    return false;
}

/* Answers questions about the program itself, without MPI; false: there was none. */
static bool answer(const fmd_command *command, int argc, char **argv)
{
    bool help = false, version = false;
    for (int i = 1; i < argc; i++) {
        help = help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
               (i == 1 && strcmp(argv[i], "help") == 0);
        version = version || strcmp(argv[i], "--version") == 0;
    }
    if (!help && !version)
        return false;
    if (is_follower())
        return true;
    if (version)
        print_version();
    else if (command != NULL)
        print_help(command);
    else if (argc > 2 && find_command(argv[2]) != NULL)
        print_help(find_command(argv[2]));
    else
        print_overview();
    return true;
}

/* Collective, where there is MPI. */
static fmd_status run(const fmd_command *command, fmd_comm *c, int argc, char **argv)
{
    static fmd_config config;
    fmd_status st = FMD_OK;
    if (c == NULL || fmd_comm_rank(c) == 0)
        st = fmd_config_parse(&config, command, argc, argv);
    if (c != NULL) {
        FMD_TRY(fmd_comm_agree(c, st));
        fmd_comm_bcast(c, &config, sizeof config);
    }
    if (st != FMD_OK)
        return st;
    fmd_log_open((fmd_log_level)config.log_level, c != NULL ? fmd_comm_rank(c) : 0);
    fmd_math_open((int)config.threads);
    return command->run(c, &config);
}

int main(int argc, char **argv)
{
    const fmd_command *command = &commands[0];
    int first = 1;
    if (argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0) {
        command = find_command(argv[1]);
        first = 2;
    }
    if (answer(first == 2 ? command : NULL, argc, argv))
        return FMD_OK;
    if (command == NULL) {
        if (!is_follower())
            fprintf(stderr, "fmnist-dist: error: '%s' is not a command; see fmnist-dist --help\n",
                    argv[1]);
        return FMD_EUSAGE;
    }
    if (!command->needs_mpi && is_follower())
        return FMD_OK;

    fmd_comm *c = NULL;
    fmd_status st = command->needs_mpi ? fmd_comm_open(&c) : FMD_OK;
    if (st == FMD_OK)
        st = run(command, c, argc - first, argv + first);
    fflush(stdout);
    const bool first_rank = c == NULL || fmd_comm_rank(c) == 0;
    if (st != FMD_OK && first_rank && *fmd_error_message() != '\0')
        fprintf(stderr, "fmnist-dist: error: %s\n", fmd_error_message());
    fmd_comm_close(c);
    return (int)st;
}
