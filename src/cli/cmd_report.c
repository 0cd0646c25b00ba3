/* report: one HTML file about a run. */
#include "base/format.h"
#include "base/log.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "report/page.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Rank 0. All sections; a section without its data says why. */
static fmd_status build(fmd_html *h, const fmd_run_view *v, const fmd_config *config)
{
    fmd_page_verdict(h, v);
    if (config->output.live)
        FMD_TRY(fmd_page_live(h, v, config));
    FMD_TRY(fmd_page_training(h, v));
    fmd_page_test(h, v);
    FMD_TRY(fmd_page_mistakes(h, v));
    FMD_TRY(fmd_page_explanations(h, v));
    FMD_TRY(fmd_page_model(h, v));
    fmd_page_time(h, v);
    fmd_page_configuration(h, v);
    FMD_TRY(fmd_page_repeat(h, v));
    fmd_page_environment(h, v);
    return fmd_page_data(h, v);
}

/* A page with a large model loads slowly, and is slow to send. */
static void warn_of_size(const char *path)
{
    enum { LARGE_MB = 16 };
    char text[32];
    struct stat s;
    if (stat(path, &s) == 0 && s.st_size > (off_t)LARGE_MB << 20)
        fmd_warn("the page has %s, most of them the model: it loads slowly",
                 fmd_format_bytes((size_t)s.st_size, text));
}

/* Rank 0. */
static fmd_status write_report(const fmd_run_view *v, const fmd_config *config)
{
    char path[FMD_RUN_PATH_BYTES], title[FMD_PATH_BYTES + 32];
    fmd_html *h;
    const char *slash = strrchr(v->path, '/');
    snprintf(path, sizeof path, "%s/report.html", v->path);
    snprintf(title, sizeof title, "Training report: %s",
             slash != NULL && slash[1] != '\0' ? slash + 1 : v->path);
    if (*config->output.path != '\0')
        snprintf(path, sizeof path, "%s", config->output.path);
    FMD_TRY(fmd_html_create(&h, title));
    fmd_status st = build(h, v, config);
    if (st == FMD_OK)
        st = fmd_html_write(h, path);
    fmd_html_destroy(h);
    if (st != FMD_OK)
        return st;
    fmd_print("%s\n", path);
    warn_of_size(path);
    return FMD_OK;
}

static fmd_status run_report(fmd_comm *c, const fmd_config *config)
{
    fmd_run_view *v = NULL;
    fmd_status st = fmd_run_view_open(c, &v, config, FMD_VIEW_DATA);
    if (st == FMD_OK)
        st = fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? write_report(v, config) : FMD_OK);
    fmd_run_view_close(v);
    return st;
}

const fmd_command fmd_command_report = {
    .name = "report",
    .usage = "RUN_DIR [OPTIONS]",
    .help = "writes one HTML file about a run: test accuracy, curves, mistakes, how to repeat it",
    .section = FMD_TO_LOOK,
    .example = "runs/20260131-120000 --output report.html",
    .groups = "data|weights|page|file",
    .words = "weights",
    .needs_mpi = true,
    .run = run_report,
};
