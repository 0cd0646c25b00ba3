#include "measure/engine.h"

#include "base/system/print.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

fmd_status fmd_engine_open(fmd_engine *e, const fmd_config *config)
{
    e->config = config;
    e->progress = stdout;
    const ssize_t n = readlink("/proc/self/exe", e->program, sizeof e->program - 1);
    if (n <= 0)
        return FMD_FAIL(FMD_EIO, "cannot find the path of this program: %s", strerror(errno));
    e->program[n] = '\0';
    return FMD_OK;
}

fmd_status fmd_engine_check(const char *command)
{
    static const char *const launched[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                           "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof launched / sizeof *launched; i++) {
        const char *n = getenv(launched[i]);
        if (n != NULL && (i < 2 || atoi(n) > 1))
            return FMD_FAIL(FMD_EUSAGE,
                            "%s starts mpirun or srun itself: run it without a launcher", command);
    }
    return FMD_OK;
}

const char *fmd_engine_path(const fmd_engine *e, const char *name, const char *ending,
                            char path[FMD_ENGINE_PATH])
{
    snprintf(path, FMD_ENGINE_PATH, "%s/%s.%s", e->folder, name, ending);
    return path;
}

static int launcher_of(const fmd_engine *e)
{
    return e->config->study.launcher;
}

bool fmd_engine_too_many_here(const fmd_engine *e, int ranks)
{
    const int launcher = launcher_of(e);
    const bool elsewhere = launcher == FMD_LAUNCH_SRUN || launcher == FMD_LAUNCH_SBATCH ||
                           strstr(e->config->study.launcher_options, "host") != NULL;
    if (elsewhere || getenv("SLURM_JOB_ID") != NULL)
        return false;
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return false;
    return (long)ranks * e->config->distribution.threads > CPU_COUNT(&cores);
}

/* Whether the program at the other end needs to hear of the option. A preset must not replace a
 * default that the user has set; of two options for the same thing, one is in force. */
static bool is_in_force(const fmd_option *o, const fmd_config *config, const char *value)
{
    static const char *const of_presets = "epochs|batch-size|optimizer|lr-schedule|warmup-epochs";
    const bool per_rank = config->training.batch_size_per_rank != FMD_UNSET_INT;
    if (strcmp(o->name, "hidden") == 0 && *config->model.layers != '\0')
        return false;
    if (strcmp(o->name, "batch-size") == 0 && per_rank)
        return false;
    return strcmp(value, o->initial) != 0 ||
           (fmd_word_is_among(of_presets, o->name) && config->given[o - fmd_config_table]);
}

fmd_status fmd_engine_add_options(fmd_command_line *c, const fmd_config *config, const char *groups,
                                  const char *without)
{
    for (size_t i = 0; i < fmd_config_table_length; i++) {
        const fmd_option *o = &fmd_config_table[i];
        char text[FMD_OPTION_TEXT_BYTES];
        if (!fmd_config_has(groups, o) || fmd_word_is_among(without, o->name))
            continue;
        const char *value = fmd_option_text(o, config, text);
        if (!is_in_force(o, config, value))
            continue;
        if (o->kind == FMD_OPTION_BOOL)
            FMD_TRY(fmd_command_line_add(c, "--%s%s", *value == 't' ? "" : "no-", o->name));
        else
            FMD_TRY(fmd_command_line_add(c, "--%s=%s", o->name, value));
    }
    return FMD_OK;
}

/* The launcher's words, and those of the program. A command that is printed for this machine may have
 * more ranks than mpirun would start by itself. */
static fmd_status build(const fmd_engine *e, const fmd_engine_job *job, fmd_command_line *c)
{
    const int launcher = launcher_of(e);
    const bool srun = launcher == FMD_LAUNCH_SRUN || launcher == FMD_LAUNCH_SBATCH;
    const bool shares = e->config->study.oversubscribe ||
                        (launcher == FMD_LAUNCH_DRY && fmd_engine_too_many_here(e, job->ranks));
    FMD_TRY(fmd_command_line_add(c, srun ? "srun" : "mpirun"));
    if (srun)
        FMD_TRY(fmd_command_line_add(c, "--mpi=pmix"));
    FMD_TRY(fmd_command_line_add(c, srun ? "-n" : "-np"));
    FMD_TRY(fmd_command_line_add(c, "%d", job->ranks));
    if (shares)
        FMD_TRY(fmd_command_line_add(c, srun ? "--overcommit" : "--oversubscribe"));
    if (launcher != FMD_LAUNCH_SBATCH)
        FMD_TRY(fmd_command_line_split(c, e->config->study.launcher_options));
    FMD_TRY(fmd_command_line_add(c, "%s", e->program));
    for (int i = 0; i < job->words.n; i++)
        FMD_TRY(fmd_command_line_add(c, "%s", job->words.argv[i]));
    return FMD_OK;
}

/* The script of a batch job: runs the command, and renames its output file when complete. */
static fmd_status write_script(const fmd_engine *e, const fmd_engine_job *job,
                               const fmd_command_line *inner, FILE *out)
{
    char path[FMD_ENGINE_PATH];
    for (int i = 0; i < inner->n; i++) {
        fmd_shell_word(out, inner->argv[i]);
        fputc(' ', out);
    }
    fputs("> ", out);
    fmd_shell_word(out, fmd_engine_path(e, job->name, "part", path));
    fputs(" && mv ", out);
    fmd_shell_word(out, path);
    fputc(' ', out);
    fmd_shell_word(out, fmd_engine_path(e, job->name, e->ending, path));
    fputs(" || echo $? > ", out);
    fmd_shell_word(out, fmd_engine_path(e, job->name, "failed", path));
    return fclose(out) == 0 ? FMD_OK : FMD_FAIL(FMD_ENOMEM, "out of memory: the job of a study");
}

/* A path in a file name pattern of Slurm, where % has a meaning. */
static void escape(const char *path, char pattern[2 * FMD_ENGINE_PATH])
{
    size_t n = 0;
    for (; *path != '\0'; path++) {
        if (*path == '%')
            pattern[n++] = '%';
        pattern[n++] = *path;
    }
    pattern[n] = '\0';
}

static fmd_status build_batch(const fmd_engine *e, const fmd_engine_job *job, fmd_command_line *c)
{
    fmd_command_line inner = {.n = 0};
    char path[FMD_ENGINE_PATH], pattern[2 * FMD_ENGINE_PATH], *script = NULL;
    size_t bytes;
    FMD_TRY(build(e, job, &inner));
    escape(fmd_engine_path(e, job->name, "err", path), pattern);
    FMD_TRY(fmd_command_line_add(c, "sbatch"));
    FMD_TRY(fmd_command_line_add(c, "--parsable"));
    FMD_TRY(fmd_command_line_add(c, "--job-name=%s-%s", e->study, job->name));
    FMD_TRY(fmd_command_line_add(c, "--ntasks=%d", job->ranks));
    FMD_TRY(fmd_command_line_add(c, "--output=/dev/null"));
    FMD_TRY(fmd_command_line_add(c, "--error=%s", pattern));
    FMD_TRY(fmd_command_line_split(c, e->config->study.launcher_options));
    FILE *out = open_memstream(&script, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the job of a study");
    fmd_status st = write_script(e, job, &inner, out);
    if (st == FMD_OK)
        st = fmd_command_line_add(c, "--wrap=%s", script);
    free(script);
    return st;
}

/* The command with its output file, for users who run it themselves. */
static fmd_status print(const fmd_engine *e, const fmd_engine_job *job, const fmd_command_line *c)
{
    char path[FMD_ENGINE_PATH];
    fmd_command_line file = {.n = 0};
    fmd_command_line_print(c);
    FMD_TRY(fmd_command_line_add(&file, "%s", fmd_engine_path(e, job->name, e->ending, path)));
    fmd_print(" > ");
    fmd_command_line_print(&file);
    putchar('\n');
    return FMD_OK;
}

void fmd_engine_message(const fmd_engine *e, const char *name, char text[FMD_JOB_MESSAGE])
{
    static const char ours[] = "fmnist-dist: error: ";
    char path[FMD_ENGINE_PATH], line[512];
    FILE *file = fopen(fmd_engine_path(e, name, "err", path), "r");
    text[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, ours, sizeof ours - 1) == 0) {
            snprintf(text, FMD_JOB_MESSAGE, "%.250s", line + sizeof ours - 1);
            break;
        }
        if (*text == '\0' && line[strspn(line, " -")] != '\0')
            snprintf(text, FMD_JOB_MESSAGE, "%.250s", line);
    }
    if (file != NULL)
        fclose(file);
}

/* Leaves the exit code of a failed job, and its message as the error text. */
static fmd_status fail(const fmd_engine *e, const fmd_engine_job *job, int code)
{
    char path[FMD_ENGINE_PATH], said[FMD_JOB_MESSAGE];
    FILE *file = fopen(fmd_engine_path(e, job->name, "failed", path), "w");
    if (file != NULL)
        fprintf(file, "%d\n", code);
    if (file == NULL || fclose(file) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(errno));
    fmd_engine_message(e, job->name, said);
    fmd_engine_path(e, job->name, "err", path);
    return FMD_FAIL(FMD_EIO, "run %s failed with exit code %d: %s; see '%s'", job->name, code, said,
                    path);
}

/* Waits for the run, and renames its output file when complete. */
static fmd_status wait_for(const fmd_engine *e, const fmd_engine_job *job,
                           const fmd_command_line *c, fmd_job_state *state)
{
    char part[FMD_ENGINE_PATH], whole[FMD_ENGINE_PATH], err[FMD_ENGINE_PATH],
        failed[FMD_ENGINE_PATH];
    const bool submits = launcher_of(e) == FMD_LAUNCH_SBATCH;
    int code;
    unlink(fmd_engine_path(e, job->name, "failed", failed));
    fmd_engine_path(e, job->name, submits ? "submitting" : "part", part);
    fmd_engine_path(e, job->name, submits ? "job" : e->ending, whole);
    FMD_TRY(fmd_subprocess_run(c, part, fmd_engine_path(e, job->name, "err", err), &code));
    if (code != 0) {
        *state = FMD_JOB_FAILED;
        return fail(e, job, code);
    }
    if (rename(part, whole) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", whole, strerror(errno));
    *state = submits ? FMD_JOB_QUEUED : FMD_JOB_COMPLETE;
    return FMD_OK;
}

/* Whether the job that a .job file names is still in the queue. */
static fmd_status is_queued(const fmd_engine *e, const fmd_engine_job *job, bool *queued)
{
    fmd_command_line c = {.n = 0};
    char path[FMD_ENGINE_PATH], answer[FMD_ENGINE_PATH], err[FMD_ENGINE_PATH], id[64] = "";
    int code;
    *queued = false;
    FILE *file = fopen(fmd_engine_path(e, job->name, "job", path), "r");
    if (file == NULL)
        return FMD_OK;
    if (fgets(id, sizeof id, file) != NULL)
        id[strcspn(id, ";\n")] = '\0';
    fclose(file);
    FMD_TRY(fmd_command_line_add(&c, "squeue"));
    FMD_TRY(fmd_command_line_add(&c, "--noheader"));
    FMD_TRY(fmd_command_line_add(&c, "--jobs=%s", id));
    fmd_engine_path(e, "squeue", "out", answer);
    FMD_TRY(fmd_subprocess_run(&c, answer, fmd_engine_path(e, "squeue", "err", err), &code));
    file = fopen(answer, "r");
    *queued = code == 0 && file != NULL && fgets(id, sizeof id, file) != NULL;
    if (file != NULL)
        fclose(file);
    unlink(answer);
    unlink(err);
    return FMD_OK;
}

fmd_status fmd_engine_run(fmd_engine *e, const fmd_engine_job *job, fmd_job_state *state)
{
    fmd_command_line c = {.n = 0};
    char path[FMD_ENGINE_PATH];
    const int launcher = launcher_of(e);
    *state = FMD_JOB_COMPLETE;
    if (access(fmd_engine_path(e, job->name, e->ending, path), F_OK) == 0)
        return FMD_OK;
    *state = FMD_JOB_NEW;
    FMD_TRY(launcher == FMD_LAUNCH_SBATCH ? build_batch(e, job, &c) : build(e, job, &c));
    if (launcher == FMD_LAUNCH_DRY) {
        *state = FMD_JOB_PRINTED;
        return print(e, job, &c);
    }
    if (launcher == FMD_LAUNCH_SBATCH) {
        bool queued;
        e->queued++;
        FMD_TRY(is_queued(e, job, &queued));
        if (queued) {
            *state = FMD_JOB_QUEUED;
            return FMD_OK;
        }
    }
    fmd_print_to(e->progress, "%s ", job->name);
    fflush(e->progress);
    const fmd_status st = wait_for(e, job, &c, state);
    fmd_print_to(e->progress, "%s\n",
                 st == FMD_OK         ? "ok"
                 : st == FMD_ESTOPPED ? "stopped"
                                      : "failed");
    fflush(e->progress);
    return st == FMD_EIO && *state == FMD_JOB_FAILED ? FMD_OK : st;
}
