/* Runs the measurements of a scaling study one after another, each as a job of its own. */
#include "base/system/print.h"
#include "base/system/subprocess.h"
#include "measure/study.h"

#include "base/log.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A run. */
typedef struct task {
    const char *kind; /* "strong", "weak", "allreduce" */
    int ranks, number;
    char name[64]; /* of its files in points/ */
} task;

const char *fmd_study_path(const fmd_study *s, char path[FMD_STUDY_PATH], const char *format, ...)
{
    const int used = snprintf(path, FMD_STUDY_PATH, "%s/", s->folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + used, (size_t)(FMD_STUDY_PATH - used), format, args);
    va_end(args);
    return path;
}

static bool is_allocated(void)
{
    return getenv("SLURM_JOB_ID") != NULL;
}

bool fmd_study_too_many_here(const fmd_study *s, int ranks)
{
    const int launcher = s->config->study.launcher;
    const bool elsewhere = launcher == FMD_LAUNCH_SRUN || launcher == FMD_LAUNCH_SBATCH ||
                           strstr(s->config->study.launcher_options, "host") != NULL;
    if (elsewhere || is_allocated())
        return false;
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return false;
    return (long)ranks * s->config->distribution.threads > CPU_COUNT(&cores);
}

/* The command of the measurement, after the launcher's words. */
static fmd_status add_program(const fmd_study *s, const task *t, fmd_command_line *c)
{
    const fmd_config *config = s->config;
    const bool weak = strcmp(t->kind, "weak") == 0;
    FMD_TRY(fmd_command_line_add(c, "%s", s->program));
    FMD_TRY(fmd_command_line_add(c, "bench"));
    FMD_TRY(fmd_command_line_add(c, "--config"));
    FMD_TRY(fmd_command_line_add(c, "%s/config.json", s->folder));
    if (strcmp(t->kind, "allreduce") == 0) {
        FMD_TRY(fmd_command_line_add(c, "--op"));
        FMD_TRY(fmd_command_line_add(c, "allreduce"));
    } else {
        FMD_TRY(fmd_command_line_add(c, "--repetitions"));
        FMD_TRY(fmd_command_line_add(c, "1"));
        FMD_TRY(fmd_command_line_add(c, weak ? "--batch-size-per-rank" : "--batch-size"));
        const bool per_rank = config->training.batch_size_per_rank != FMD_UNSET_INT;
        FMD_TRY(
            fmd_command_line_add(c, "%lld",
                                 (long long)(weak && per_rank ? config->training.batch_size_per_rank
                                                              : config->training.batch_size)));
    }
    return fmd_command_line_add(c, "--json");
}

static fmd_status add_launcher(const fmd_study *s, const task *t, fmd_command_line *c)
{
    const bool srun = s->config->study.launcher == FMD_LAUNCH_SRUN ||
                      s->config->study.launcher == FMD_LAUNCH_SBATCH;
    FMD_TRY(fmd_command_line_add(c, srun ? "srun" : "mpirun"));
    if (srun)
        FMD_TRY(fmd_command_line_add(c, "--mpi=pmix"));
    FMD_TRY(fmd_command_line_add(c, srun ? "-n" : "-np"));
    FMD_TRY(fmd_command_line_add(c, "%d", t->ranks));
    if (s->config->study.oversubscribe)
        FMD_TRY(fmd_command_line_add(c, srun ? "--overcommit" : "--oversubscribe"));
    return s->config->study.launcher == FMD_LAUNCH_SBATCH
               ? FMD_OK
               : fmd_command_line_split(c, s->config->study.launcher_options);
}

/* The script of a job: runs the command, and renames its output file when complete. */
static fmd_status write_script(FILE *out, const fmd_command_line *inner, const char *path)
{
    char part[FMD_STUDY_PATH + 8], whole[FMD_STUDY_PATH + 8];
    snprintf(part, sizeof part, "%s.part", path);
    snprintf(whole, sizeof whole, "%s.json", path);
    for (int i = 0; i < inner->n; i++) {
        fmd_shell_word(out, inner->argv[i]);
        fputc(' ', out);
    }
    fputs("> ", out);
    fmd_shell_word(out, part);
    fputs(" && mv ", out);
    fmd_shell_word(out, part);
    fputc(' ', out);
    fmd_shell_word(out, whole);
    return fclose(out) == 0 ? FMD_OK : FMD_FAIL(FMD_ENOMEM, "out of memory: the job of a study");
}

static fmd_status add_wrapped(const fmd_study *s, const task *t, fmd_command_line *c)
{
    fmd_command_line inner = {.n = 0};
    char path[FMD_STUDY_PATH], *script = NULL;
    size_t bytes;
    fmd_study_path(s, path, "points/%s", t->name);
    FMD_TRY(add_launcher(s, t, &inner));
    FMD_TRY(add_program(s, t, &inner));
    FMD_TRY(fmd_command_line_add(c, "sbatch"));
    FMD_TRY(fmd_command_line_add(c, "--parsable"));
    FMD_TRY(fmd_command_line_add(c, "--job-name=scaling-%s", t->name));
    FMD_TRY(fmd_command_line_add(c, "--ntasks=%d", t->ranks));
    FMD_TRY(fmd_command_line_add(c, "--output=/dev/null"));
    FMD_TRY(fmd_command_line_add(c, "--error=%s.err", path));
    FMD_TRY(fmd_command_line_split(c, s->config->study.launcher_options));
    FILE *out = open_memstream(&script, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the job of a study");
    fmd_status st = write_script(out, &inner, path);
    if (st == FMD_OK)
        st = fmd_command_line_add(c, "--wrap=%s", script);
    free(script);
    return st;
}

/* The command with its output file, for users who run it themselves. */
static void print_task(const fmd_study *s, const task *t, const fmd_command_line *c)
{
    char path[FMD_STUDY_PATH];
    fmd_command_line file = {.n = 0};
    fmd_command_line_print(c);
    if (fmd_command_line_add(&file, "%s", fmd_study_path(s, path, "points/%s.json", t->name)) ==
        FMD_OK) {
        fmd_print(" > ");
        fmd_command_line_print(&file);
    }
    putchar('\n');
}

static fmd_status build_command(const fmd_study *s, const task *t, fmd_command_line *c)
{
    *c = (fmd_command_line){.n = 0};
    if (s->config->study.launcher == FMD_LAUNCH_SBATCH)
        return add_wrapped(s, t, c);
    FMD_TRY(add_launcher(s, t, c));
    return add_program(s, t, c);
}

/* The error line of the program, else the first line that is not a separator line of mpirun. */
static void find_error(const char *path, char text[256])
{
    char line[512];
    FILE *file = fopen(path, "r");
    text[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "fmnist-dist: error: ", 20) == 0) {
            snprintf(text, 256, "%.250s", line + 20);
            break;
        }
        if (*text == '\0' && line[strspn(line, " -")] != '\0')
            snprintf(text, 256, "%.250s", line);
    }
    if (file != NULL)
        fclose(file);
}

/* Waits for the run, and renames its output file when complete. */
static fmd_status run_task(const fmd_study *s, const task *t, const fmd_command_line *c)
{
    char part[FMD_STUDY_PATH], whole[FMD_STUDY_PATH], err[FMD_STUDY_PATH], said[256];
    const bool submits = s->config->study.launcher == FMD_LAUNCH_SBATCH;
    int code;
    fmd_study_path(s, part, "points/%s.%s", t->name, submits ? "submitting" : "part");
    fmd_study_path(s, whole, "points/%s.%s", t->name, submits ? "job" : "json");
    fmd_study_path(s, err, "points/%s.err", t->name);
    FMD_TRY(fmd_subprocess_run(c, part, err, &code));
    if (code != 0) {
        find_error(err, said);
        return FMD_FAIL(FMD_EIO, "run %s failed with exit code %d: %s; see '%s'", t->name, code,
                        said, err);
    }
    if (rename(part, whole) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", whole, strerror(errno));
    return FMD_OK;
}

/* Whether the job that a .job file names is still in the queue. */
static fmd_status is_queued(const fmd_study *s, const task *t, bool *queued)
{
    fmd_command_line c;
    char path[FMD_STUDY_PATH], answer[FMD_STUDY_PATH], err[FMD_STUDY_PATH], id[64] = "";
    *queued = false;
    FILE *file = fopen(fmd_study_path(s, path, "points/%s.job", t->name), "r");
    if (file == NULL)
        return FMD_OK;
    if (fgets(id, sizeof id, file) != NULL)
        id[strcspn(id, ";\n")] = '\0';
    fclose(file);
    c = (fmd_command_line){.n = 0};
    int code;
    FMD_TRY(fmd_command_line_add(&c, "squeue"));
    FMD_TRY(fmd_command_line_add(&c, "--noheader"));
    FMD_TRY(fmd_command_line_add(&c, "--jobs=%s", id));
    fmd_study_path(s, answer, "points/squeue");
    FMD_TRY(fmd_subprocess_run(&c, answer, fmd_study_path(s, err, "points/squeue.err"), &code));
    file = fopen(answer, "r");
    *queued = code == 0 && file != NULL && fgets(id, sizeof id, file) != NULL;
    if (file != NULL)
        fclose(file);
    unlink(answer);
    unlink(err);
    return FMD_OK;
}

/* *waiting counts the jobs that a batch system has not finished. */
static fmd_status do_task(const fmd_study *s, const task *t, int *waiting)
{
    fmd_command_line c;
    char path[FMD_STUDY_PATH];
    if (access(fmd_study_path(s, path, "points/%s.json", t->name), F_OK) == 0)
        return FMD_OK;
    FMD_TRY(build_command(s, t, &c));
    if (s->config->study.launcher == FMD_LAUNCH_DRY) {
        print_task(s, t, &c);
        return FMD_OK;
    }
    if (s->config->study.launcher == FMD_LAUNCH_SBATCH) {
        bool queued;
        ++*waiting;
        FMD_TRY(is_queued(s, t, &queued));
        if (queued)
            return FMD_OK;
    }
    fmd_print("%s ", t->name);
    fflush(stdout);
    const fmd_status st = run_task(s, t, &c);
    fmd_print("%s\n", st == FMD_OK ? "ok" : st == FMD_ESTOPPED ? "stopped" : "failed");
    fflush(stdout);
    return st;
}

/* Measures all numbers of ranks once, then again, so that drift affects all of them alike. */
fmd_status fmd_study_measure(fmd_study *s, int *queued)
{
    *queued = 0;
    for (int64_t number = 1; number <= s->config->bench.repetitions; number++)
        for (int mode = 0; mode < FMD_STUDY_WAYS; mode++)
            for (int i = 0; i < s->n_ranks && s->modes[mode].asked; i++) {
                task t = {.kind = s->modes[mode].name, .ranks = s->ranks[i], .number = (int)number};
                snprintf(t.name, sizeof t.name, "%s-%d-%d", t.kind, t.ranks, t.number);
                FMD_TRY(do_task(s, &t, queued));
            }
    for (int i = 0; i < s->n_ranks; i++) {
        task t = {.kind = "allreduce", .ranks = s->ranks[i]};
        snprintf(t.name, sizeof t.name, "allreduce-%d", t.ranks);
        if (t.ranks > 1)
            FMD_TRY(do_task(s, &t, queued));
    }
    if (*queued > 0)
        fmd_print("%d jobs are in the queue; when they are done, repeat the command with "
                  "--study-dir %s\n",
                  *queued, s->folder);
    return FMD_OK;
}
