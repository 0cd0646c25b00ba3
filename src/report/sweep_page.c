#include "report/sweep_page.h"

#include "base/mem.h"
#include "io/run_names.h"
#include "report/html_chart.h"
#include "run/history.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 400 };

/* Curves of a metric: for each setting the mean over its runs, epoch by epoch. */
typedef struct curves {
    double *x, *y[FMD_CHART_SERIES];
    size_t epochs, n;
    char names[FMD_CHART_SERIES][FMD_SWEEP_CELL];
} curves;

static void put_verdict(fmd_html *h, const fmd_sweep *s)
{
    char figure[32], text[512];
    if (s->best == SIZE_MAX) {
        fmd_html_figure(h, "-", "no setting has all its runs done");
        return;
    }
    const fmd_sweep_setting *g = &s->settings[s->best];
    const bool share = strstr(s->metric, "accuracy") != NULL;
    snprintf(figure, sizeof figure, share ? "%.2f %%" : "%.4f",
             share ? 100 * g->metric.mean : g->metric.mean);
    fmd_html_figure(h, figure, "%s with %s", s->metric,
                    fmd_sweep_setting_text(s, s->best, text, sizeof text));
}

static void put_facts(fmd_html *h, const fmd_sweep *s)
{
    size_t done = 0;
    for (size_t i = 0; i < s->n_runs; i++)
        done += s->runs[i].state == FMD_SWEEP_DONE;
    fmd_html_facts_begin(h);
    fmd_html_fact(h, "Settings", "%zu", s->n_settings);
    fmd_html_fact(h, "Runs", "%zu of %zu done", done, s->n_runs);
    fmd_html_fact(h, "Data", "%s", s->config->data.dataset);
    fmd_html_fact(h, "Epochs", "%lld", (long long)s->config->training.epochs);
    fmd_html_fact(h, "Date", "%s", s->when);
    fmd_html_facts_end(h);
}

/* The lines of the text on stdout, without the table. */
static void put_words(fmd_html *h, const fmd_sweep *s)
{
    size_t close = 0, ended = 0;
    for (size_t i = 0; i < s->n_settings; i++)
        close += s->settings[i].close;
    for (size_t i = 0; i < s->n_runs; i++)
        ended += s->runs[i].state == FMD_SWEEP_DONE;
    fmd_html_section(h, "summary", "Summary");
    if (s->best == SIZE_MAX)
        fmd_html_paragraph(h, "bad", "No setting is the best: none has all its runs done.");
    else if (close > 0)
        fmd_html_paragraph(h, "note",
                           "%zu other setting%s as good: the difference of the means is below two "
                           "standard errors.",
                           close, close == 1 ? " is" : "s are");
    else if (s->settings[s->best].runs < 2 && s->n_settings > 1)
        fmd_html_paragraph(h, "note",
                           "Each setting has one seed, so a difference may be chance: add "
                           "seed=0..4 to the grid.");
    else if (s->n_settings > 1)
        fmd_html_paragraph(h, "good",
                           "The best setting leads all others by two standard errors of the "
                           "difference or more.");
    if (ended < s->n_runs)
        fmd_html_paragraph(h, "bad", "%zu of %zu runs have no result; see the list of runs.",
                           s->n_runs - ended, s->n_runs);
    fmd_html_paragraph(h, "",
                       "Settings are compared by %s on %g %% of the training images, which no run "
                       "has trained on. Values are means ± standard deviations over the seeds. The "
                       "test accuracy has no part in the choice.",
                       s->metric, 100 * s->config->data.validation_split);
}

static void put_settings(fmd_html *h, const fmd_sweep *s)
{
    fmd_sweep_cells cells;
    char heads[FMD_SWEEP_COLUMNS * FMD_SWEEP_CELL] = "";
    int numeric;
    size_t used = 0;
    const int n = fmd_sweep_heads(s, cells, &numeric);
    for (int i = 0; i < n; i++)
        used += (size_t)snprintf(heads + used, sizeof heads - used, "%s%s%s", i > 0 ? "|" : "",
                                 i >= numeric && i + 1 < n ? "#" : "", cells[i]);
    fmd_html_section(h, "settings", "Settings");
    fmd_html_table_begin(h, "settings-table", "Mean ± standard deviation over the seeds", heads);
    for (size_t i = 0; i < s->n_settings; i++) {
        const char *row[FMD_SWEEP_COLUMNS];
        fmd_sweep_row(s, i, cells);
        for (int k = 0; k < n; k++)
            row[k] = cells[k];
        fmd_html_row(h, row);
    }
    fmd_html_table_end(h);
}

/* The settings that are drawn: the best first, then by their metric. */
static size_t rank_settings(const fmd_sweep *s, size_t drawn[FMD_CHART_SERIES])
{
    size_t n = 0;
    while (n < FMD_CHART_SERIES) {
        size_t next = SIZE_MAX;
        for (size_t i = 0; i < s->n_settings; i++) {
            bool taken = isnan(s->settings[i].metric.mean);
            for (size_t k = 0; k < n; k++)
                taken = taken || drawn[k] == i;
            if (!taken && (next == SIZE_MAX || fmd_metric_better(s->metric, FMD_MODE_AUTO, 0,
                                                                 s->settings[i].metric.mean,
                                                                 s->settings[next].metric.mean)))
                next = i;
        }
        if (next == SIZE_MAX)
            break;
        drawn[n++] = next;
    }
    return n;
}

/* Adds a run's metric to the sums of its setting. */
static fmd_status add_run(const fmd_sweep *s, const fmd_sweep_run *r, const char *metric,
                          double sums[MOST_POINTS], int counts[MOST_POINTS], size_t *epochs)
{
    char path[FMD_SWEEP_PATH];
    fmd_history history;
    if (r->state != FMD_SWEEP_DONE)
        return FMD_OK;
    FMD_TRY(
        fmd_history_read(&history, fmd_sweep_path(s, path, "runs/%s/" FMD_FILE_HISTORY, r->name)));
    for (size_t i = 0; i < history.n && i < MOST_POINTS; i++) {
        sums[i] += *fmd_metric_find(&history.epochs[i].metrics, metric);
        counts[i]++;
    }
    if (history.n > *epochs)
        *epochs = history.n < MOST_POINTS ? history.n : MOST_POINTS;
    fmd_history_free(&history);
    return FMD_OK;
}

static fmd_status collect_curves(const fmd_sweep *s, const char *metric, double factor, curves *c)
{
    size_t drawn[FMD_CHART_SERIES];
    c->n = rank_settings(s, drawn);
    for (size_t k = 0; k < c->n; k++) {
        const fmd_sweep_setting *g = &s->settings[drawn[k]];
        int counts[MOST_POINTS] = {0};
        fmd_sweep_setting_text(s, drawn[k], c->names[k], sizeof c->names[k]);
        memset(c->y[k], 0, MOST_POINTS * sizeof *c->y[k]);
        for (size_t i = g->first; i < g->first + g->runs; i++)
            FMD_TRY(add_run(s, &s->runs[i], metric, c->y[k], counts, &c->epochs));
        for (size_t i = 0; i < MOST_POINTS; i++)
            c->y[k][i] = counts[i] > 0 ? factor * c->y[k][i] / counts[i] : (double)NAN;
    }
    for (size_t i = 0; i < MOST_POINTS; i++)
        c->x[i] = (double)(i + 1);
    return FMD_OK;
}

static fmd_status put_chart(fmd_html *h, const fmd_sweep *s, const char *metric, curves *c)
{
    const bool share = strstr(metric, "accuracy") != NULL;
    char title[64], caption[128] = "";
    FMD_TRY(collect_curves(s, metric, share ? 100 : 1, c));
    if (c->n == 0 || c->epochs == 0)
        return FMD_OK;
    snprintf(title, sizeof title, "%s%s", metric, share ? ", %" : "");
    if (c->n < s->n_settings)
        snprintf(caption, sizeof caption, "The best %zu of %zu settings.", c->n, s->n_settings);
    fmd_chart chart = {.id = metric,
                       .title = title,
                       .x_name = "epoch",
                       .caption = caption,
                       .n = c->epochs,
                       .x = c->x,
                       .n_series = c->n,
                       .mark = (double)NAN};
    for (size_t k = 0; k < c->n; k++) {
        chart.series[k].name = c->names[k];
        chart.series[k].y = c->y[k];
    }
    fmd_html_chart(h, &chart);
    return FMD_OK;
}

static fmd_status put_curves(fmd_html *h, const fmd_sweep *s)
{
    curves *c;
    double *values;
    FMD_TRY(fmd_alloc(&c, 1, sizeof *c, "the curves"));
    fmd_status st = fmd_alloc(&values, (size_t)(FMD_CHART_SERIES + 1) * MOST_POINTS, sizeof *values,
                              "the curves");
    if (st == FMD_OK) {
        c->x = values;
        for (size_t k = 0; k < FMD_CHART_SERIES; k++)
            c->y[k] = values + (k + 1) * MOST_POINTS;
        fmd_html_section(h, "curves", "Curves");
        fmd_html_paragraph(h, "", "Each line is the mean over the seeds of a setting.");
        fmd_html_markup(h, "<div class=\"row\">\n");
        st = put_chart(h, s, s->metric, c);
        if (st == FMD_OK)
            st = put_chart(h, s, s->other, c);
        fmd_html_markup(h, "</div>\n");
        free(values);
    }
    free(c);
    return st;
}

/* The reasons of runs without a result. */
static void put_failures(fmd_html *h, const fmd_sweep *s)
{
    fmd_html_markup(h, "<ul>\n");
    for (size_t i = 0; i < s->n_runs; i++) {
        const fmd_sweep_run *r = &s->runs[i];
        if (r->state == FMD_SWEEP_DONE || *r->why == '\0')
            continue;
        fmd_html_markup(h, "<li>");
        fmd_html_text(h, "%s: %s", r->name, r->why);
        fmd_html_markup(h, "</li>\n");
    }
    fmd_html_markup(h, "</ul>\n");
}

static void put_runs(fmd_html *h, const fmd_sweep *s)
{
    char head[256], cells[4][32];
    snprintf(head, sizeof head, "Run|State|#%s|#%s|#test_accuracy|#seconds", s->metric, s->other);
    fmd_html_section(h, "runs", "Runs");
    fmd_html_table_begin(h, "runs-table", "All runs, each a folder in runs/", head);
    for (size_t i = 0; i < s->n_runs; i++) {
        const fmd_sweep_run *r = &s->runs[i];
        const double values[] = {r->metric, r->other, r->test_accuracy, r->seconds};
        for (int k = 0; k < 4; k++)
            snprintf(cells[k], sizeof cells[k],
                     isnan(values[k]) ? "-"
                     : k == 3         ? "%.2f"
                                      : "%.4f",
                     values[k]);
        fmd_html_row(h, (const char *const[]){r->name, fmd_sweep_state_names[r->state], cells[0],
                                              cells[1], cells[2], cells[3]});
    }
    fmd_html_table_end(h);
    put_failures(h, s);
}

/* The command of a training as text. */
static fmd_status put_command(fmd_html *h, const fmd_command_line *c)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the report");
    for (int i = 0; i < c->n; i++) {
        fputs(i > 0 ? " " : "", out);
        fmd_shell_word(out, c->argv[i]);
    }
    if (fclose(out) == 0) {
        fmd_html_markup(h, "<pre id=\"command\">");
        fmd_html_text(h, "%s", text);
        fmd_html_markup(h, "</pre>\n");
    }
    free(text);
    return FMD_OK;
}

static fmd_status put_repeat(fmd_html *h, const fmd_sweep *s)
{
    fmd_html_section(h, "repeat", "Next");
    if (s->best != SIZE_MAX) {
        fmd_command_line c = {.n = 0};
        bool all_images;
        FMD_TRY(fmd_sweep_best_command(s, &c, &all_images));
        fmd_html_paragraph(h, "", "To train with the best setting%s:",
                           all_images ? " on all training images" : "");
        FMD_TRY(put_command(h, &c));
    }
    fmd_html_paragraph(h, "",
                       "To add settings or seeds, or to resume, repeat the sweep with --study-dir "
                       "%s: only missing runs are trained.",
                       s->folder);
    return FMD_OK;
}

static fmd_status put_all(fmd_html *h, const fmd_sweep *s)
{
    char path[FMD_SWEEP_PATH];
    fmd_json *data;
    put_verdict(h, s);
    put_facts(h, s);
    fmd_html_contents(h);
    put_words(h, s);
    put_settings(h, s);
    FMD_TRY(put_curves(h, s));
    put_runs(h, s);
    FMD_TRY(put_repeat(h, s));
    FMD_TRY(fmd_sweep_json(&data, s));
    fmd_html_data(h, "data", data);
    fmd_json_destroy(data);
    return fmd_html_write(h, fmd_sweep_path(s, path, "report.html"));
}

fmd_status fmd_sweep_write_page(const fmd_sweep *s)
{
    fmd_html *h;
    FMD_TRY(fmd_html_create(&h, "Sweep"));
    const fmd_status st = put_all(h, s);
    fmd_html_destroy(h);
    return st;
}
