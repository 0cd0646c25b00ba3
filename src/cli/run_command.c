#include "cli/run_command.h"
#include "fmd/version.h"

#include "base/system/print.h"
#include "base/system/procfs.h"
#include "base/version.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/parse.h"
#include "cli/preset/preset.h"
#include "math/gemm.h"
#include "run/probe.h"
#include "run/start.h"
#include "train/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_version(void)
{
    const char *blas;
    char cpu[FMD_SYSTEM_LINE], parts[FMD_PARTS_TEXT];
    if (fmd_math_blas(&blas) != FMD_OK)
        blas = fmd_error_message();
    printf("fmnist-dist " FMD_VERSION "\ncommit %s\nMPI    %s\nBLAS   %s\nCPU    %s\nparts  %s\n",
           fmd_version_commit(), fmd_comm_library(), blas, fmd_procfs_cpu("", cpu),
           fmd_part_list(parts));
}

/* Whether a launcher started this process as another rank than the first. */
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

/* Whether the user asks for help or version. */
static bool is_question(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            strcmp(argv[i], "--version") == 0 || (i == 1 && strcmp(argv[i], "help") == 0))
            return true;
    return false;
}

/* Prints help or version, without MPI; `command` NULL: of the program. */
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
    if (strcmp(about, "models") == 0)
        return fmd_preset_list();
    if (*about != '\0' && *about != '-' && strcmp(about, "help") != 0)
        FMD_TRY(fmd_command_find(&command, about));
    if (command != NULL)
        fmd_help_command(command);
    else
        fmd_help_overview();
    return FMD_OK;
}

/* Collective with MPI. Gives all ranks the options that rank 0 has parsed, or its failure. */
static fmd_status adopt(fmd_comm *c, fmd_status st, fmd_config *config)
{
    if (c != NULL) {
        FMD_TRY(fmd_comm_agree(c, st));
        fmd_comm_bcast(c, config, sizeof *config);
    }
    if (st != FMD_OK)
        return st;
    fmd_log_open((fmd_log_level)config->output.log_level, c != NULL ? fmd_comm_rank(c) : 0);
    st = fmd_math_open((fmd_gemm_kind)config->distribution.gemm, (int)config->distribution.threads);
    fmd_bf16_choose((fmd_precision)config->model.precision);
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

/* Work of the presumed rank 0 before MPI starts. The configuration may come from a pipe, so it is read
 * once only. */
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
        e->status = fmd_weights_probe(&e->config);
}

/* Collective with MPI. */
static fmd_status run(const fmd_command *command, fmd_comm *c, int argc, char **argv, early *e)
{
    if (is_first(c) && !e->done)
        e->status = fmd_config_parse(&e->config, command, argc, argv);
    FMD_TRY(adopt(c, is_first(c) ? e->status : FMD_OK, &e->config));
    if (c != NULL)
        FMD_TRY(fmd_start_compare(c, command->name, argc, argv));
    return command->run(c, &e->config);
}

/* Flushes stdout and prints the message of a failure; returns the exit code. */
static fmd_status conclude(fmd_status st)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && st == FMD_OK)
        st = FMD_FAIL(FMD_EIO, "cannot write to stdout: %s", strerror(errno));
    if (st != FMD_OK && !fmd_error_is_silent())
        fmd_print_to(stderr, "fmnist-dist: error: %s\n", fmd_error_message());
    return st;
}

/* A file opened while stdin, stdout or stderr is closed would take its number, and then its messages.
 * /dev/null takes their places, opened the wrong way round: like a closed file it fails. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static void do_nothing(int signal)
{
    (void)signal;
}

/* A file larger than the user's limit (ulimit -f) is an error of write(), not the end of the process. */
static void survive_file_size_limit(void)
{
    const struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigaction(SIGXFSZ, &action, NULL);
}

static fmd_status run_with_mpi(const fmd_command *command, int argc, char **argv)
{
    fmd_comm *c = NULL;
    if (command->trains)
        fmd_watchdog_prepare();
    early e;
    prepare(&e, command, argc, argv);
    fmd_status st = fmd_comm_open(&c);
    if (st == FMD_OK && !command->judges_launcher)
        st = fmd_comm_check_launcher(c);
    if (st == FMD_OK)
        st = run(command, c, argc, argv, &e);
    if (c == NULL || fmd_comm_rank(c) == 0)
        st = conclude(st);
    fmd_comm_close(c);
    return st;
}

fmd_status fmd_program_run(int argc, char **argv)
{
    fmd_log_open(FMD_LOG_WARNING, 0);
    hold_standard_files();
    survive_file_size_limit();
    const fmd_command *command = fmd_commands[0];
    const bool named = argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0;
    const int first = named ? 2 : 1;
    const bool question = is_question(argc, argv);
    fmd_status st = named ? fmd_command_find(&command, argv[1]) : FMD_OK;
    if (st == FMD_OK && !question && command->needs_mpi)
        return run_with_mpi(command, argc - first, argv + first);

    /* Without MPI the first process of a launcher speaks for all. If another one failed, mpirun might end
     * the first before it has printed. */
    if (is_follower())
        return FMD_OK;
    if (st == FMD_OK && question)
        st = answer(named ? command : NULL, argc, argv);
    else if (st == FMD_OK) {
        early e;
        prepare(&e, command, argc - first, argv + first);
        st = run(command, NULL, argc - first, argv + first, &e);
    }
    return conclude(st);
}
