/* Runs the measurements of a scaling study one after another, each as a job of its own. */
#include "base/system/print.h"
#include "measure/study.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fmd_study_path(const fmd_study *s, char path[FMD_STUDY_PATH], const char *format, ...)
{
    const int used = snprintf(path, FMD_STUDY_PATH, "%s/", s->folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + used, (size_t)(FMD_STUDY_PATH - used), format, args);
    va_end(args);
    return path;
}

/* The arguments of bench for a measurement: "strong", "weak" or "allreduce". */
static fmd_status add_program(const fmd_study *s, const char *kind, fmd_command_line *c)
{
    const fmd_config *config = s->config;
    const bool weak = strcmp(kind, "weak") == 0;
    FMD_TRY(fmd_command_line_add(c, "bench"));
    FMD_TRY(fmd_engine_add_options(c, config, FMD_STUDY_MEASURED,
                                   "op|repetitions|batch-size|batch-size-per-rank"));
    if (strcmp(kind, "allreduce") == 0) {
        FMD_TRY(fmd_command_line_add(c, "--op=allreduce"));
    } else {
        const bool per_rank = config->training.batch_size_per_rank != FMD_UNSET_INT;
        FMD_TRY(fmd_command_line_add(c, "--repetitions=1"));
        FMD_TRY(
            fmd_command_line_add(c, "--%s=%lld", weak ? "batch-size-per-rank" : "batch-size",
                                 (long long)(weak && per_rank ? config->training.batch_size_per_rank
                                                              : config->training.batch_size)));
    }
    return fmd_command_line_add(c, "--json");
}

static fmd_status measure(fmd_study *s, const char *kind, int ranks, int number)
{
    fmd_engine_job job = {.ranks = ranks};
    fmd_job_state state;
    if (number > 0)
        snprintf(job.name, sizeof job.name, "%s-%d-%d", kind, ranks, number);
    else
        snprintf(job.name, sizeof job.name, "%s-%d", kind, ranks);
    FMD_TRY(add_program(s, kind, &job.words));
    FMD_TRY(fmd_engine_run(&s->engine, &job, &state));
    return state == FMD_JOB_FAILED ? FMD_EIO : FMD_OK; /* with the message of the engine */
}

/* Measures all numbers of ranks once, then again, so that drift affects all of them alike. */
fmd_status fmd_study_measure(fmd_study *s)
{
    for (int64_t number = 1; number <= s->config->bench.repetitions; number++)
        for (int mode = 0; mode < FMD_STUDY_WAYS; mode++)
            for (int i = 0; i < s->n_ranks && s->modes[mode].asked; i++)
                FMD_TRY(measure(s, s->modes[mode].name, s->ranks[i], (int)number));
    for (int i = 0; i < s->n_ranks; i++)
        if (s->ranks[i] > 1)
            FMD_TRY(measure(s, "allreduce", s->ranks[i], 0));
    if (s->engine.queued > 0)
        fmd_print("%d jobs are in the queue; when they are done, repeat the command with "
                  "--study-dir %s\n",
                  s->engine.queued, s->folder);
    return FMD_OK;
}
