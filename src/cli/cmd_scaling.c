/* scaling: measures the same training on several numbers of ranks. */
#include "base/system/print.h"
#include "cli/commands.h"
#include "io/json/json_file.h"
#include "measure/study.h"
#include "report/plots/study_plots.h"
#include "report/study_page.h"
#include "run/run_folder.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const measured_groups[] = {"benchmark", "data",     "training data",
                                              "model",     "training", "distribution"};

/* "1,2,4,8" */
static fmd_status read_ranks(fmd_study *s)
{
    const char *at = s->config->study.ranks;
    while (s->n_ranks < FMD_STUDY_COUNTS) {
        char *end;
        const long n = strtol(at, &end, 10);
        if (end == at || n < 1 || n > 1000000 || (*end != ',' && *end != '\0') ||
            (s->n_ranks > 0 && n <= s->ranks[s->n_ranks - 1]))
            break;
        s->ranks[s->n_ranks++] = (int)n;
        if (*end == '\0')
            return FMD_OK;
        at = end + 1;
    }
    return FMD_FAIL(FMD_EUSAGE,
                    "--ranks: '%s' is not a list of up to %d rising numbers such as "
                    "1,2,4,8",
                    s->config->study.ranks, FMD_STUDY_COUNTS);
}

/* Leaves out numbers of ranks that would share cores, unless they are to be measured and marked. */
static fmd_status leave_out(fmd_study *s)
{
    int n = 0, out[FMD_STUDY_COUNTS] = {0}, n_out = 0;
    if (s->config->study.launcher == FMD_LAUNCH_DRY || s->config->study.oversubscribe)
        return FMD_OK;
    for (int i = 0; i < s->n_ranks; i++)
        if (fmd_study_too_many_here(s, s->ranks[i]))
            out[n_out++] = s->ranks[i];
        else
            s->ranks[n++] = s->ranks[i];
    s->n_ranks = n;
    if (n == 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "--ranks: %d ranks would share cores here, which shows no scaling; "
                        "--oversubscribe measures and marks them",
                        out[0]);
    for (int i = 0; i < n_out; i++)
        fmd_warn("%d ranks are left out: they would share cores here, which shows no scaling; "
                 "--oversubscribe measures and marks them",
                 out[i]);
    return FMD_OK;
}

/* Refuses settings that cannot be measured. */
static fmd_status check(const fmd_config *c)
{
    static const char *const launched[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                           "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof launched / sizeof *launched; i++) {
        const char *n = getenv(launched[i]);
        if (n != NULL && (i < 2 || atoi(n) > 1))
            return FMD_FAIL(FMD_EUSAGE, "scaling starts mpirun or srun itself: run it without "
                                        "a launcher");
    }
    if (c->study.mode == 0 && c->training.batch_size_per_rank != FMD_UNSET_INT)
        return FMD_FAIL(FMD_EUSAGE,
                        "--batch-size-per-rank: strong scaling has a fixed global batch; give "
                        "--batch-size, which weak scaling uses for each rank");
    if (c->bench.op != 0)
        return FMD_FAIL(FMD_EUSAGE, "--op: scaling always measures whole training steps and the "
                                    "allreduce");
    return FMD_OK;
}

static void choose_modes(fmd_study *s)
{
    char name[FMD_OPTION_TEXT_BYTES];
    fmd_choice_text(FMD_STUDY_MODES, s->config->study.mode, name);
    const bool strong = strcmp(name, "weak") != 0, weak = strcmp(name, "strong") != 0;
    s->modes[0] = (fmd_study_mode){.name = "strong", .strong = true, .asked = strong};
    s->modes[1] = (fmd_study_mode){.name = "weak", .asked = weak};
    if (weak)
        fmd_warn(
            "in weak scaling the batch grows with the ranks: an epoch has fewer steps, and the "
            "learning rate may need --lr-scaling and --warmup-epochs; compare rates, not "
            "accuracies");
}

static bool is_measured(const fmd_option *o)
{
    if (strcmp(o->name, "repetitions") == 0) /* a study may be extended */
        return false;
    for (size_t i = 0; i < sizeof measured_groups / sizeof *measured_groups; i++)
        if (strcmp(o->group, measured_groups[i]) == 0)
            return true;
    return false;
}

/* Refuses a folder whose study has other options. */
static fmd_status compare_config(const fmd_study *s, const char *path)
{
    fmd_config before;
    memset(&before, 0, sizeof before);
    bool *given = NULL;
    FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, &before));
    FMD_TRY(fmd_alloc(&given, fmd_config_table_length, sizeof *given, "the options of a study"));
    const fmd_status st =
        fmd_options_read_json(path, fmd_config_table, fmd_config_table_length, &before, given);
    free(given);
    FMD_TRY(st);
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        char there[FMD_OPTION_TEXT_BYTES], here[FMD_OPTION_TEXT_BYTES];
        const char *a = fmd_option_text(o, &before, there),
                   *b = fmd_option_text(o, s->config, here);
        if (is_measured(o) && strcmp(a, b) != 0)
            return FMD_FAIL(FMD_EBUSY,
                            "'%s' holds another study: %s is %.200s there, %.200s here: "
                            "name another --study-dir",
                            s->folder, o->name, a, b);
    }
    return FMD_OK;
}

/* Writes the options for bench. */
static fmd_status write_config(const fmd_study *s, const char *path)
{
    fmd_option *table = NULL;
    size_t n = 0;
    FMD_TRY(fmd_alloc(&table, fmd_config_table_length, sizeof *table, "the options of a study"));
    for (size_t i = 0; i < fmd_config_table_length; i++)
        if (is_measured(&fmd_config_table[i]))
            table[n++] = fmd_config_table[i];
    const fmd_status st = fmd_options_write_json(path, table, n, s->config);
    free(table);
    return st;
}

static fmd_status open_folder(fmd_study *s)
{
    char path[FMD_STUDY_PATH];
    const time_t now = time(NULL);
    struct tm local;
    if (*s->config->study.dir == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--study-dir: the name is empty: expected a folder, or auto");
    if (strcmp(s->config->study.dir, "auto") == 0)
        strftime(s->folder, sizeof s->folder, "scaling/%Y%m%d-%H%M%S", localtime_r(&now, &local));
    else
        snprintf(s->folder, sizeof s->folder, "%s", s->config->study.dir);
    FMD_TRY(fmd_make_folders(fmd_study_path(s, path, "points"), "folder"));
    fmd_study_path(s, path, "config.json");
    if (access(path, F_OK) == 0)
        return compare_config(s, path);
    return write_config(s, path);
}

/* The path of this program, for the runs. */
static fmd_status find_program(fmd_study *s)
{
    const ssize_t n = readlink("/proc/self/exe", s->program, sizeof s->program - 1);
    if (n <= 0)
        return FMD_FAIL(FMD_EIO, "cannot find the path of this program: %s", strerror(errno));
    s->program[n] = '\0';
    return FMD_OK;
}

static fmd_status report(fmd_study *s)
{
    char path[FMD_STUDY_PATH];
    bool drawn;
    FMD_TRY(fmd_study_collect(s));
    FMD_TRY(fmd_study_write(s));
    FMD_TRY(fmd_study_draw(s, &drawn));
    FMD_TRY(fmd_study_write_page(s, drawn));
    for (int i = 0; i < FMD_STUDY_WAYS; i++) {
        if (s->modes[i].n == 0)
            continue;
        putchar('\n');
        fmd_study_print_tables(&s->modes[i], stdout);
        putchar('\n');
        fmd_study_advice(s, &s->modes[i], stdout);
    }
    fmd_print("\nreport %s\n", fmd_study_path(s, path, "report.html"));
    return FMD_OK;
}

static fmd_status run(fmd_study *s)
{
    const time_t now = time(NULL);
    struct tm utc;
    strftime(s->when, sizeof s->when, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    FMD_TRY(check(s->config));
    FMD_TRY(read_ranks(s));
    FMD_TRY(leave_out(s));
    choose_modes(s);
    FMD_TRY(find_program(s));
    FMD_TRY(open_folder(s));
    fmd_print("%sstudy  %s\n", s->config->study.launcher == FMD_LAUNCH_DRY ? "# " : "", s->folder);
    fflush(stdout);
    int queued;
    const fmd_status st = fmd_study_measure(s, &queued);
    if (st == FMD_ESTOPPED) {
        fmd_print("stopped; to resume, repeat the command with --study-dir %s\n", s->folder);
        return FMD_FAIL_SILENTLY(FMD_ESTOPPED);
    }
    if (st != FMD_OK || s->config->study.launcher == FMD_LAUNCH_DRY || queued > 0)
        return st;
    return report(s);
}

static fmd_status run_scaling(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    fmd_study *s = NULL;
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "the study"));
    s->config = config;
    const fmd_status st = run(s);
    free(s);
    return st;
}

const fmd_command fmd_command_scaling = {
    .name = "scaling",
    .usage = "[OPTIONS]",
    .help = "scaling study: measures a training on several numbers of ranks, and advises",
    .section = FMD_TO_MEASURE,
    .example = "--ranks 1,2,4,8 --batch-size 1024 --repetitions 6",
    .groups = "study|benchmark|data|training data|model|training|distribution",
    .run = run_scaling,
};
