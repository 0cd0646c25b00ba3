#include "report/compare_page.h"

#include "base/mem.h"
#include "io/run_names.h"
#include "report/html_chart.h"
#include "run/reader/model_title.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 1000 };

static void put_verdict(fmd_html *h, const fmd_comparison *c)
{
    size_t best = 0;
    char figure[32], letter[2];
    for (size_t i = 1; i < c->n; i++)
        if (c->accuracy[i] > c->accuracy[best] || isnan(c->accuracy[best]))
            best = i;
    if (isnan(c->accuracy[best])) {
        fmd_html_figure(h, "-", "no run has a test accuracy");
        return;
    }
    snprintf(figure, sizeof figure, "%.2f %%", 100 * c->accuracy[best]);
    fmd_html_figure(h, figure, "test accuracy of %s, the highest of %zu runs",
                    fmd_comparison_letter(best, letter), c->n);
}

static void put_runs(fmd_html *h, const fmd_comparison *c)
{
    fmd_html_section(h, "runs", "Runs");
    fmd_html_table_begin(h, "runs-table", "Test accuracy with its 95 % interval",
                         "Run|Folder|Model|#Accuracy, %|#95 % interval|#Epochs|#Training time, s");
    for (size_t i = 0; i < c->n; i++) {
        const fmd_run_view *v = c->runs[i];
        const char *layers = fmd_run_view_text(v, FMD_KEY_MODEL, FMD_KEY_LAYERS);
        const double seconds = fmd_run_view_real(v, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS);
        char letter[2], title[FMD_MODEL_TITLE], cells[4][48];
        snprintf(cells[0], sizeof cells[0], isnan(c->accuracy[i]) ? "-" : "%.2f",
                 100 * c->accuracy[i]);
        if (isnan(c->low[i]))
            snprintf(cells[1], sizeof cells[1], "-");
        else
            snprintf(cells[1], sizeof cells[1], "%.2f to %.2f", 100 * c->low[i], 100 * c->high[i]);
        snprintf(cells[2], sizeof cells[2], "%zu", v->history.n);
        snprintf(cells[3], sizeof cells[3], isnan(seconds) ? "-" : "%.2f", seconds);
        fmd_html_row(h,
                     (const char *const[]){
                         fmd_comparison_letter(i, letter), v->path,
                         fmd_model_title(v->config.model.name,
                                         layers != NULL ? layers : v->config.model.layers, title),
                         cells[0], cells[1], cells[2], cells[3]});
    }
    fmd_html_table_end(h);
}

/* Nothing is impossible: the smallest values are below what a number holds. */
static void put_p(char cell[32], double p)
{
    if (p < 1e-300)
        snprintf(cell, 32, "< 1e-300");
    else
        snprintf(cell, 32, "%.3g", p);
}

static void put_tests(fmd_html *h, const fmd_comparison *c)
{
    char text[256];
    fmd_html_section(h, "tests", "More than chance?");
    fmd_html_markup(h, "<ul>\n");
    for (size_t i = 0; i < c->n_pairs; i++) {
        fmd_html_markup(h, "<li>");
        fmd_html_text(h, "%s.", fmd_comparison_sentence(&c->pairs[i], text, sizeof text));
        fmd_html_markup(h, "</li>\n");
    }
    fmd_html_markup(h, "</ul>\n");
    if (c->n_tested == 0)
        return;
    fmd_html_table_begin(h, "pairs",
                         "Test images by who is right, and the probability of a "
                         "difference as large by chance",
                         "Pair|#Both right|#Only the first|#Only the second|#Both wrong|#p|#p, "
                         "adjusted");
    for (size_t i = 0; i < c->n_pairs; i++) {
        const fmd_compared_pair *p = &c->pairs[i];
        const size_t counts[] = {p->test.both, p->test.only_first, p->test.only_second,
                                 p->test.neither};
        char cells[7][32], a[2], b[2];
        if (*p->why != '\0')
            continue;
        snprintf(cells[0], sizeof cells[0], "%s, %s", fmd_comparison_letter(p->first, a),
                 fmd_comparison_letter(p->second, b));
        for (int k = 0; k < 4; k++)
            snprintf(cells[k + 1], sizeof cells[0], "%zu", counts[k]);
        put_p(cells[5], p->test.p);
        put_p(cells[6], p->p);
        fmd_html_row(h, (const char *const[]){cells[0], cells[1], cells[2], cells[3], cells[4],
                                              cells[5], cells[6]});
    }
    fmd_html_table_end(h);
    fmd_html_paragraph(
        h, "",
        "McNemar's test (1947) on the predictions for the same images: the exact binomial test "
        "where "
        "fewer than 25 images are right in one run alone, otherwise chi-squared with Edwards' "
        "correction. Values of p are adjusted for the number of pairs by Holm's method. The test "
        "compares these trained models; another seed gives other models, which a sweep over seeds "
        "compares.");
}

static void put_curve(fmd_html *h, const fmd_comparison *c, const char *metric, double factor,
                      const char *title, double *scratch)
{
    char names[FMD_COMPARE_RUNS][96], letter[2];
    double *x = scratch;
    fmd_chart chart = {.id = metric,
                       .title = title,
                       .x_name = "epoch",
                       .caption = "",
                       .x = x,
                       .mark = (double)NAN};
    size_t longest = 0;
    for (size_t i = 0; i < c->n; i++)
        longest = c->runs[i]->history.n > longest ? c->runs[i]->history.n : longest;
    const size_t stride = (longest + MOST_POINTS - 1) / MOST_POINTS;
    for (size_t e = 0; e < longest; e += stride)
        x[chart.n++] = (double)(e + 1);
    for (size_t i = 0; i < c->n; i++) {
        double *y = scratch + (i + 1) * MOST_POINTS;
        const fmd_history *history = &c->runs[i]->history;
        for (size_t k = 0; k < chart.n; k++)
            y[k] = k * stride < history->n
                       ? factor * *fmd_metric_find(&history->epochs[k * stride].metrics, metric)
                       : (double)NAN;
        bool any = false;
        for (size_t k = 0; k < chart.n; k++)
            any = any || isfinite(y[k]);
        if (!any) /* no line, no key */
            continue;
        snprintf(names[i], sizeof names[i], "%s %.80s", fmd_comparison_letter(i, letter),
                 c->runs[i]->path);
        chart.series[chart.n_series].name = names[i];
        chart.series[chart.n_series++].y = y;
    }
    if (chart.n > 0)
        fmd_html_chart(h, &chart);
}

static fmd_status put_curves(fmd_html *h, const fmd_comparison *c)
{
    static const struct curve {
        const char *metric, *title;
        double factor;
        bool validation;
    } curves[] = {{"loss", "Training loss", 1, false},
                  {"accuracy", "Training accuracy, %", 100, false},
                  {"val_loss", "Validation loss", 1, true},
                  {"val_accuracy", "Validation accuracy, %", 100, true}};
    double *scratch;
    bool validation = false;
    FMD_TRY(fmd_alloc(&scratch, (size_t)(FMD_COMPARE_RUNS + 1) * MOST_POINTS, sizeof *scratch,
                      "the curves"));
    for (size_t i = 0; i < c->n; i++)
        validation = validation || c->runs[i]->history.validation;
    fmd_html_section(h, "curves", "Curves");
    fmd_html_markup(h, "<div class=\"row\">\n");
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (validation || !curves[i].validation)
            put_curve(h, c, curves[i].metric, curves[i].factor, curves[i].title, scratch);
    fmd_html_markup(h, "</div>\n");
    free(scratch);
    return FMD_OK;
}

/* The value with room for breaks: a list of layers is long. */
static char *breakable(const char *value)
{
    size_t n = 0;
    char *text = malloc(2 * strlen(value) + 1);
    for (const char *c = value; text != NULL && *c != '\0'; c++) {
        text[n++] = *c;
        if (*c == ',' && c[1] != ' ')
            text[n++] = ' ';
    }
    if (text != NULL)
        text[n] = '\0';
    return text;
}

static void put_group(fmd_html *h, const fmd_comparison *c, const char *group, const char *title)
{
    char head[64] = "Property";
    size_t n = strlen(head);
    fmd_html_markup(h, "<h3>");
    fmd_html_text(h, "%s", title);
    fmd_html_markup(h, "</h3>\n");
    if (fmd_comparison_count(c, group) == 0) {
        fmd_html_paragraph(h, "", "The same in all runs.");
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        char letter[2];
        n += (size_t)snprintf(head + n, sizeof head - n, "|%s", fmd_comparison_letter(i, letter));
    }
    fmd_html_table_begin(h, group, "Values that differ", head);
    for (size_t i = 0; i < c->n_differences; i++) {
        const fmd_difference *d = &c->differences[i];
        const char *row[FMD_COMPARE_RUNS + 1] = {d->name};
        char *texts[FMD_COMPARE_RUNS];
        if (strcmp(d->group, group) != 0)
            continue;
        for (size_t k = 0; k < c->n; k++) {
            texts[k] = breakable(d->values[k]);
            row[k + 1] = *d->values[k] == '\0' || texts[k] == NULL ? "(empty)" : texts[k];
        }
        fmd_html_row(h, row);
        for (size_t k = 0; k < c->n; k++)
            free(texts[k]);
    }
    fmd_html_table_end(h);
}

static fmd_status put_all(fmd_html *h, const fmd_comparison *c, const char *path)
{
    fmd_json *data;
    put_verdict(h, c);
    fmd_html_contents(h);
    put_runs(h, c);
    put_tests(h, c);
    FMD_TRY(put_curves(h, c));
    fmd_html_section(h, "differences", "Differences");
    put_group(h, c, "options", "Options");
    put_group(h, c, "data", "Data");
    put_group(h, c, "program", "Program and machine");
    put_group(h, c, "result", "Result");
    FMD_TRY(fmd_comparison_json(&data, c));
    fmd_html_data(h, "data", data);
    fmd_json_destroy(data);
    return fmd_html_write(h, path);
}

fmd_status fmd_compare_write_page(const fmd_comparison *c, const char *path)
{
    fmd_html *h;
    FMD_TRY(fmd_html_create(&h, "Comparison of runs"));
    const fmd_status st = put_all(h, c, path);
    fmd_html_destroy(h);
    return st;
}
