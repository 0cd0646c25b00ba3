/* compare: several runs side by side, and whether they differ by more than chance. */
#include "base/mem.h"
#include "base/system/path_list.h"
#include "base/system/print.h"
#include "cli/commands.h"
#include "io/run_names.h"
#include "measure/compare.h"
#include "report/compare_page.h"
#include "run/reader/model_title.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_COLUMNS = 24 };

static const char default_page[] = "comparison.html";

static void print_runs(const fmd_comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const fmd_run_view *v = c->runs[i];
        const char *layers = fmd_run_view_text(v, FMD_KEY_MODEL, FMD_KEY_LAYERS);
        char letter[2], title[FMD_MODEL_TITLE];
        fmd_print("%s  %s\n", fmd_comparison_letter(i, letter), v->path);
        fmd_print("   %s\n",
                  fmd_model_title(v->config.model.name,
                                  layers != NULL ? layers : v->config.model.layers, title));
        if (isnan(c->accuracy[i]))
            fmd_print("   no test accuracy: %s\n", v->no_data.why);
        else
            fmd_print("   test accuracy %.4f (95 %% interval %.4f to %.4f) · %zu epoch%s\n",
                      c->accuracy[i], c->low[i], c->high[i], v->history.n,
                      v->history.n == 1 ? "" : "s");
    }
}

/* A value in its column; long ones are cut. */
static void print_value(const char *value)
{
    char text[4 * VALUE_COLUMNS + 1];
    if (fmd_columns(value) <= VALUE_COLUMNS)
        snprintf(text, sizeof text, "%s", *value != '\0' ? value : "(empty)");
    else
        snprintf(text, sizeof text, "%.*s...", fmd_bytes_in_columns(value, VALUE_COLUMNS - 3),
                 value);
    fmd_print("  ");
    fmd_print_padded(text, VALUE_COLUMNS);
}

static void print_group(const fmd_comparison *c, const char *group, const char *title)
{
    if (fmd_comparison_count(c, group) == 0) {
        fmd_print("\n%s: the same\n", title);
        return;
    }
    fmd_print("\n%-20s", title);
    for (size_t i = 0; i < c->n; i++) {
        char letter[2];
        print_value(fmd_comparison_letter(i, letter));
    }
    putchar('\n');
    for (size_t i = 0; i < c->n_differences; i++) {
        const fmd_difference *d = &c->differences[i];
        if (strcmp(d->group, group) != 0)
            continue;
        fmd_print("%-20s", d->name);
        for (size_t k = 0; k < c->n; k++)
            print_value(d->values[k]);
        putchar('\n');
    }
}

static void print_tests(const fmd_comparison *c)
{
    char text[256];
    putchar('\n');
    for (size_t i = 0; i < c->n_pairs; i++) {
        const fmd_compared_pair *p = &c->pairs[i];
        char a[2], b[2];
        if (*p->why == '\0')
            fmd_print("images right in one model only: %zu in %s, %zu in %s; ", p->test.only_first,
                      fmd_comparison_letter(p->first, a), p->test.only_second,
                      fmd_comparison_letter(p->second, b));
        fmd_print("%s\n", fmd_comparison_sentence(p, text, sizeof text));
    }
    if (c->n_tested > 0)
        fmd_print("(McNemar's test%s)\n",
                  c->n_tested > 1 ? ", adjusted for the number of pairs by Holm's method" : "");
}

static fmd_status print_json(const fmd_comparison *c)
{
    fmd_json *j;
    FMD_TRY(fmd_comparison_json(&j, c));
    const fmd_status st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* Rank 0. */
static fmd_status tell(fmd_comparison *c, const fmd_config *config)
{
    const bool named = *config->output.path != '\0';
    const char *page = named ? config->output.path : default_page;
    FMD_TRY(fmd_comparison_make(c));
    if (named || !config->view.json)
        FMD_TRY(fmd_compare_write_page(c, page));
    if (config->view.json)
        return print_json(c);
    print_runs(c);
    print_tests(c);
    print_group(c, "options", "options");
    print_group(c, "data", "data");
    print_group(c, "program", "program");
    print_group(c, "result", "result");
    fmd_print("\npage   %s\n", page);
    return FMD_OK;
}

/* Rank 0. The paths of the runs. */
static fmd_status read_paths(char (*paths)[FMD_PATH_BYTES], size_t *n, const char *list)
{
    for (const char *at = list; *at != '\0'; ++*n) {
        if (*n == FMD_COMPARE_RUNS)
            return FMD_FAIL(FMD_EUSAGE, "compare: more than %d runs", FMD_COMPARE_RUNS);
        if (!fmd_path_list_next(&at, paths[*n], FMD_PATH_BYTES))
            return FMD_FAIL(FMD_EUSAGE, "compare: '%.100s' is not a list of run folders", list);
    }
    return *n >= 2 ? FMD_OK
                   : FMD_FAIL(FMD_EUSAGE, "compare needs two runs or more: name their folders");
}

/* Collective. Opens the runs in turn. */
static fmd_status open_runs(fmd_comparison *c, fmd_comm *comm, const fmd_config *config)
{
    fmd_config *one;
    char paths[FMD_COMPARE_RUNS][FMD_PATH_BYTES];
    size_t n = 0;
    FMD_TRY(fmd_comm_agree(comm, fmd_comm_rank(comm) == 0 ? read_paths(paths, &n, config->runs.list)
                                                          : FMD_OK));
    fmd_comm_bcast(comm, &n, sizeof n);
    fmd_comm_bcast(comm, paths, sizeof paths);
    FMD_TRY(fmd_comm_agree(comm, fmd_alloc(&one, 1, sizeof *one, "the options")));
    *one = *config;
    fmd_status st = FMD_OK;
    for (size_t i = 0; i < n && st == FMD_OK; i++) {
        snprintf(one->model.weights, sizeof one->model.weights, "%s", paths[i]);
        st = fmd_run_view_open(comm, &c->runs[c->n++], one, FMD_VIEW_DATA);
    }
    free(one);
    return st;
}

static fmd_status run_compare(fmd_comm *comm, const fmd_config *config)
{
    fmd_comparison *c;
    FMD_TRY(fmd_comm_agree(comm, fmd_alloc(&c, 1, sizeof *c, "the comparison")));
    fmd_status st = open_runs(c, comm, config);
    if (st == FMD_OK)
        st = fmd_comm_agree(comm, fmd_comm_rank(comm) == 0 ? tell(c, config) : FMD_OK);
    fmd_comparison_free(c);
    for (size_t i = 0; i < c->n; i++)
        fmd_run_view_close(c->runs[i]);
    free(c);
    return st;
}

const fmd_command fmd_command_compare = {
    .name = "compare",
    .usage = "RUN_DIR RUN_DIR ... [OPTIONS]",
    .help = "compares runs: what differs, and whether by more than chance",
    .section = FMD_TO_LOOK,
    .example = "runs/20260131-120000 runs/20260131-130000",
    .groups = "compared runs|data|file|json",
    .words = "runs",
    .needs_mpi = true,
    .run = run_compare,
};
