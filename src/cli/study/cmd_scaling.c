/* scaling: measures the same training on several numbers of ranks. */
#include "base/system/print.h"
#include "cli/commands.h"
#include "measure/study.h"
#include "report/plots/study_plots.h"
#include "report/study_page.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "1,2,4,8" */
static fmd_status read_ranks(fmd_study *s)
{
    const char *given = s->config->study.ranks;
    const char *at = strcmp(given, "auto") == 0 ? "1,2,4,8" : given;
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
                    given, FMD_STUDY_COUNTS);
}

/* Leaves out numbers of ranks that would share cores, unless they are to be measured and marked. */
static fmd_status leave_out(fmd_study *s)
{
    int n = 0, out[FMD_STUDY_COUNTS] = {0}, n_out = 0;
    if (s->config->study.launcher == FMD_LAUNCH_DRY || s->config->study.oversubscribe)
        return FMD_OK;
    for (int i = 0; i < s->n_ranks; i++)
        if (fmd_engine_too_many_here(&s->engine, s->ranks[i]))
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
    FMD_TRY(fmd_engine_check("scaling"));
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

static fmd_status open_folder(fmd_study *s)
{
    const time_t now = time(NULL);
    struct tm local;
    if (*s->config->study.dir == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--study-dir: the name is empty: expected a folder, or auto");
    if (strcmp(s->config->study.dir, "auto") == 0)
        strftime(s->folder, sizeof s->folder, "scaling/%Y%m%d-%H%M%S", localtime_r(&now, &local));
    else
        snprintf(s->folder, sizeof s->folder, "%s", s->config->study.dir);
    return fmd_engine_claim(&s->engine, s->folder, "points", FMD_STUDY_MEASURED, "repetitions");
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

/* The first lines of the commands: the folder, which they need. */
static fmd_status print_folder(const fmd_study *s)
{
    fmd_command_line c = {.n = 0};
    FMD_TRY(fmd_command_line_add(&c, "mkdir"));
    FMD_TRY(fmd_command_line_add(&c, "-p"));
    FMD_TRY(fmd_command_line_add(&c, "%s", s->engine.folder));
    fmd_print("# study  %s\n", s->folder);
    fmd_command_line_print(&c);
    putchar('\n');
    return FMD_OK;
}

static fmd_status run(fmd_study *s)
{
    const time_t now = time(NULL);
    const bool prints = s->config->study.launcher == FMD_LAUNCH_DRY;
    struct tm utc;
    strftime(s->when, sizeof s->when, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    FMD_TRY(check(s->config));
    FMD_TRY(fmd_engine_open(&s->engine, s->config));
    s->engine.study = "scaling";
    s->engine.ending = "json";
    FMD_TRY(read_ranks(s));
    FMD_TRY(leave_out(s));
    choose_modes(s);
    FMD_TRY(open_folder(s));
    if (prints)
        FMD_TRY(print_folder(s));
    else
        fmd_print("study  %s\n", s->folder);
    fflush(stdout);
    const fmd_status st = fmd_study_measure(s);
    if (st == FMD_ESTOPPED) {
        fmd_print("stopped; to resume, repeat the command with --study-dir %s\n", s->folder);
        return FMD_FAIL_SILENTLY(FMD_ESTOPPED);
    }
    return st != FMD_OK || prints || s->engine.queued > 0 ? st : report(s);
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
    .help = "measures a training on several numbers of ranks, and advises",
    .section = FMD_TO_MEASURE,
    .example = "--ranks 1,2,4,8 --batch-size 1024 --repetitions 6",
    .groups = "ranks|study|scaling|" FMD_STUDY_MEASURED,
    .run = run_scaling,
};
