/* sweep: trains with each setting of a grid, and compares the settings by validation. */
#include "base/log.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "measure/sweep/sweep.h"
#include "report/sweep_page.h"
#include "train/callbacks/callback.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Validation where the user has set none: the last tenth of the training images. */
static const double default_split = 0.1;

static fmd_status read_ranks(fmd_sweep *s)
{
    const char *text = s->config->study.ranks;
    char *end;
    if (strcmp(text, "auto") == 0)
        text = "1";
    const long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < 1 || n > 1000000)
        return FMD_FAIL(FMD_EUSAGE,
                        "--ranks: '%s' is not one number: all runs of a sweep have the "
                        "same number of ranks",
                        text);
    s->ranks = (int)n;
    if (s->config->study.launcher == FMD_LAUNCH_MPIRUN && !s->config->study.oversubscribe &&
        fmd_engine_too_many_here(&s->engine, s->ranks))
        return FMD_FAIL(FMD_EUSAGE,
                        "--ranks: %d ranks would share cores here; --oversubscribe starts them all "
                        "the same",
                        s->ranks);
    return FMD_OK;
}

/* What decides must be measured on validation images that are not the test images. */
static fmd_status choose_metric(fmd_sweep *s, fmd_config *config)
{
    if (config->data.validation_data == FMD_VALIDATION_TEST)
        return FMD_FAIL(FMD_EUSAGE, "--validation-data test: a setting that is chosen by the test "
                                    "images looks better than it is: give --validation-split 0.1");
    if (config->data.validation_split == 0 && fmd_config_gives(config, "validation-split"))
        return FMD_FAIL(FMD_EUSAGE, "--validation-split 0: a sweep compares its settings by "
                                    "validation images: give a share such as 0.1");
    if (config->data.validation_split == 0)
        config->data.validation_split = default_split;
    FMD_TRY(fmd_metric_list_parse(&s->metrics, config->objective.metrics, FMD_LOSS_CLASSES));
    FMD_TRY(fmd_metric_check(&s->metrics, config->study.choose_by, true, "--choose-by"));
    s->metric = fmd_metric_name(&s->metrics, config->study.choose_by);
    if (strncmp(s->metric, "val_", 4) != 0)
        return FMD_FAIL(FMD_EUSAGE,
                        "--choose-by: '%s' is measured on training images: name a validation "
                        "metric, such as val_accuracy",
                        s->metric);
    s->other = strcmp(s->metric, "val_loss") == 0 ? "val_accuracy" : "val_loss";
    return FMD_OK;
}

static fmd_status open_folder(fmd_sweep *s)
{
    char without[256] = "resume";
    const char *dir = s->config->study.dir;
    const time_t now = time(NULL);
    struct tm local;
    if (*dir == '\0')
        return FMD_FAIL(FMD_EUSAGE, "--study-dir: the name is empty: expected a folder, or auto");
    if (strcmp(dir, "auto") == 0)
        strftime(s->folder, sizeof s->folder, "sweeps/%Y%m%d-%H%M%S", localtime_r(&now, &local));
    else
        snprintf(s->folder, sizeof s->folder, "%s", dir);
    for (size_t i = 0; i < s->n_axes; i++) {
        const size_t n = strlen(without);
        snprintf(without + n, sizeof without - n, "|%s", s->axes[i].option->name);
    }
    return fmd_engine_claim(&s->engine, s->folder, "logs", FMD_SWEEP_SHARED, without);
}

/* What is about to happen. The output of --json is JSON only. */
static fmd_status announce(const fmd_sweep *s, bool prints)
{
    FILE *out = s->engine.progress;
    const char *mark = prints ? "# " : "";
    fmd_print_to(out, "%ssweep  %s · %zu setting%s, %zu run%s of %d rank%s\n", mark, s->folder,
                 s->n_settings, s->n_settings == 1 ? "" : "s", s->n_runs, s->n_runs == 1 ? "" : "s",
                 s->ranks, s->ranks == 1 ? "" : "s");
    fmd_print_to(out, "%schosen by %s on %g %% of the training images\n", mark, s->metric,
                 100 * s->config->data.validation_split);
    if (prints) {
        fmd_command_line c = {.n = 0};
        FMD_TRY(fmd_command_line_add(&c, "mkdir"));
        FMD_TRY(fmd_command_line_add(&c, "-p"));
        FMD_TRY(fmd_command_line_add(&c, "%s", s->engine.folder));
        fmd_command_line_print(&c);
        putchar('\n');
    }
    fflush(out);
    return FMD_OK;
}

static fmd_status print_json(const fmd_sweep *s)
{
    fmd_json *j;
    FMD_TRY(fmd_sweep_json(&j, s));
    const fmd_status st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

static fmd_status print_text(const fmd_sweep *s)
{
    char path[FMD_SWEEP_PATH];
    putchar('\n');
    fmd_sweep_print(s, stdout);
    if (s->best != SIZE_MAX) {
        fmd_command_line c = {.n = 0};
        bool all_images;
        FMD_TRY(fmd_sweep_best_command(s, &c, &all_images));
        fmd_print("\nto train with it%s:\n", all_images ? " on all training images" : "");
        fmd_print("  ");
        fmd_command_line_print(&c);
        putchar('\n');
    }
    fmd_print("\nreport %s\n", fmd_sweep_path(s, path, "report.html"));
    return FMD_OK;
}

/* Files, then the output. Commands that are printed come alone. */
static fmd_status report(fmd_sweep *s, bool prints)
{
    char path[FMD_SWEEP_PATH];
    size_t n_done;
    FMD_TRY(fmd_sweep_collect(s, &n_done));
    if (n_done == 0 && prints)
        return FMD_OK;
    if (n_done == 0 && s->engine.queued == 0)
        return FMD_FAIL(FMD_ENOINPUT, "no run of '%s' has finished: see '%s'", s->folder,
                        s->engine.folder);
    if (n_done == 0)
        return FMD_OK;
    FMD_TRY(fmd_sweep_write(s));
    FMD_TRY(fmd_sweep_write_page(s));
    if (prints) {
        fmd_print("# table  %s\n", fmd_sweep_path(s, path, "table.txt"));
        return FMD_OK;
    }
    return s->config->view.json ? print_json(s) : print_text(s);
}

static fmd_status run(fmd_sweep *s, fmd_config *config)
{
    const time_t now = time(NULL);
    const bool prints = config->study.launcher == FMD_LAUNCH_DRY;
    struct tm utc;
    strftime(s->when, sizeof s->when, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    if (prints && config->view.json)
        return FMD_FAIL(FMD_EUSAGE, "--json and --launcher dry exclude each other");
    FMD_TRY(fmd_engine_check("sweep"));
    FMD_TRY(fmd_engine_open(&s->engine, config));
    s->engine.study = "sweep";
    s->engine.ending = "log";
    s->engine.progress = config->view.json ? stderr : stdout;
    FMD_TRY(choose_metric(s, config));
    FMD_TRY(read_ranks(s));
    FMD_TRY(fmd_sweep_plan(s, config->view.grid, config->study.random));
    FMD_TRY(open_folder(s));
    FMD_TRY(announce(s, prints));
    const fmd_status st = fmd_sweep_train(s);
    if (st == FMD_ESTOPPED) {
        fmd_print_to(s->engine.progress,
                     "stopped; to resume, repeat the command with --study-dir %s\n", s->folder);
        return FMD_FAIL_SILENTLY(FMD_ESTOPPED);
    }
    FMD_TRY(st);
    FMD_TRY(report(s, prints));
    if (s->engine.queued > 0)
        fmd_print_to(s->engine.progress,
                     "%d jobs are in the queue; when they are done, repeat the command with "
                     "--study-dir %s\n",
                     s->engine.queued, s->folder);
    return FMD_OK;
}

static fmd_status run_sweep(fmd_comm *c, const fmd_config *config)
{
    (void)c;
    fmd_sweep *s = NULL;
    fmd_config *own = NULL;
    FMD_TRY(fmd_alloc(&own, 1, sizeof *own, "the options of a sweep"));
    *own = *config;
    fmd_status st = fmd_alloc(&s, 1, sizeof *s, "the sweep");
    if (st == FMD_OK) {
        s->config = own;
        st = run(s, own);
        fmd_sweep_free(s);
    }
    free(s);
    free(own);
    return st;
}

const fmd_command fmd_command_sweep = {
    .name = "sweep",
    .usage = "--grid GRID [OPTIONS]",
    .help = "trains with each setting of a grid, and compares the settings",
    .section = FMD_TO_MEASURE,
    .example = "--grid 'learning-rate=1e-3,3e-3 seed=0..4' --epochs 5",
    .groups = "grid|sweep|ranks|study|" FMD_SWEEP_SHARED "|json",
    .run = run_sweep,
};
