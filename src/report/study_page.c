#include "report/study_page.h"

#include "io/pictures/picture.h"
#include "report/html.h"
#include "run/reader/model_title.h"

#include <stdlib.h>
#include <string.h>

/* A picture by gnuplot, at half its pixels. */
static fmd_status put_picture(const fmd_study *s, fmd_html *h, const char *name, const char *alt)
{
    char path[FMD_STUDY_PATH];
    fmd_picture picture;
    void *png;
    size_t bytes;
    FMD_TRY(fmd_picture_read(&picture, fmd_study_path(s, path, "plots/%s.png", name), 3, 255));
    const int width = (int)(picture.width / 2), height = (int)(picture.height / 2);
    const fmd_status st = fmd_picture_encode(&picture, &png, &bytes);
    fmd_picture_free(&picture);
    if (st != FMD_OK)
        return st;
    fmd_html_png(h, png, bytes, width, height, FMD_HTML_SMOOTH, true, alt);
    free(png);
    return FMD_OK;
}

/* A paragraph for each line of the advice; warnings stand out. */
static fmd_status put_advice(const fmd_study *s, const fmd_study_mode *m, fmd_html *h)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the report");
    fmd_study_advice(s, m, out);
    if (fclose(out) != 0) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the report");
    }
    char *rest = text;
    bool first = true;
    for (const char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; first = false)
        fmd_html_paragraph(h,
                           strstr(line, "OVERSUBSCRIBED") != NULL ? "bad"
                           : !first                               ? ""
                           : m->inconclusive                      ? "bad"
                                                                  : "good",
                           "%s", line);
    free(text);
    return FMD_OK;
}

static void put_table(const fmd_study_mode *m, int table, fmd_html *h)
{
    const fmd_study_table *t = &fmd_study_tables[table];
    char caption[128], id[32];
    snprintf(caption, sizeof caption, "%s scaling: %s", m->strong ? "Strong" : "Weak", t->caption);
    snprintf(id, sizeof id, "%s-%s", t->name, m->name);
    fmd_html_table_begin(h, id, caption, t->head);
    for (int i = 0; i < m->n; i++) {
        char cells[FMD_STUDY_COLUMNS][FMD_STUDY_CELL];
        const char *row[FMD_STUDY_COLUMNS];
        fmd_study_cells(m, table, i, cells);
        for (int k = 0; k < t->n_columns; k++)
            row[k] = cells[k];
        fmd_html_row(h, row);
    }
    fmd_html_table_end(h);
}

static fmd_status put_mode(const fmd_study *s, const fmd_study_mode *m, fmd_html *h, bool drawn)
{
    char title[64], name[32];
    snprintf(title, sizeof title,
             m->strong ? "Strong scaling: one batch over more ranks"
                       : "Weak scaling: the same batch on each rank");
    fmd_html_section(h, m->name, title);
    FMD_TRY(put_advice(s, m, h));
    if (drawn) {
        snprintf(name, sizeof name, "speedup-%s", m->name);
        FMD_TRY(
            put_picture(s, h, name,
                        "Speed-up and efficiency over the ranks, with ideal and model; the next "
                        "table has the numbers"));
    }
    put_table(m, 0, h);
    if (drawn) {
        snprintf(name, sizeof name, "breakdown-%s", m->name);
        FMD_TRY(
            put_picture(s, h, name,
                        "Milliseconds of a step by compute, allreduce and waiting; the next table "
                        "has the shares"));
    }
    put_table(m, 1, h);
    return FMD_OK;
}

static fmd_status put_allreduce(const fmd_study *s, fmd_html *h, bool drawn)
{
    fmd_html_section(h, "allreduce", "Allreduce");
    if (s->has_model)
        fmd_html_paragraph(
            h, "",
            "Model for m bytes over p ranks: 2 ceil(log2 p) alpha + 2 (p - 1) / p m beta, with "
            "alpha = %.2f us and beta = %.3f ns a byte (%.2f GB/s), fitted to the points with a "
            "core "
            "for each rank. A step sends %.0f bytes.",
            s->model.alpha * 1e6, s->model.beta * 1e9, 1e-9 / s->model.beta, s->message_bytes);
    else
        fmd_html_paragraph(
            h, "note",
            "There is no model: it needs a measurement on at least two ranks with a core "
            "each.");
    return drawn ? put_picture(s, h, "allreduce",
                               "Time of an allreduce over its bytes, measured and "
                               "modelled")
                 : FMD_OK;
}

static void put_method(const fmd_study *s, fmd_html *h)
{
    char title[FMD_MODEL_TITLE];
    fmd_html_section(h, "method", "Method");
    fmd_html_paragraph(
        h, "",
        "%s, on %s (kernels: %s), model %s. Each run is a job of its own that measures "
        "whole training steps after a warm-up. The runs alternate between the numbers of "
        "ranks, so that drift affects all of them alike.",
        s->when, s->host, s->core, fmd_model_title(s->config->model.name, s->layers, title));
    fmd_html_paragraph(
        h, "",
        "Step: median over the runs, with a 95 %% interval from order statistics, which needs six "
        "runs. Speed-up: rate over the rate of the fewest ranks, times their number. Serial: "
        "serial "
        "fraction of Karp and Flatt. Knee: the largest product of speed-up and efficiency. Wait: "
        "time "
        "between a rank's arrival at the allreduce and the last rank's. Points with more ranks "
        "than "
        "cores are hollow; they enter no fit and no comparison.");
    fmd_html_paragraph(h, "", "To add measurements, repeat the command with --study-dir %s.",
                       s->folder);
}

static fmd_status put_all(const fmd_study *s, fmd_html *h, bool drawn)
{
    char path[FMD_STUDY_PATH];
    fmd_json *data;
    for (int i = 0; i < FMD_STUDY_WAYS; i++)
        if (s->modes[i].n > 0)
            FMD_TRY(put_mode(s, &s->modes[i], h, drawn));
    if (s->n_samples > 0)
        FMD_TRY(put_allreduce(s, h, drawn));
    put_method(s, h);
    FMD_TRY(fmd_json_read(&data, fmd_study_path(s, path, "scaling.json")));
    fmd_html_data(h, "data", data);
    fmd_json_destroy(data);
    return fmd_html_write(h, fmd_study_path(s, path, "report.html"));
}

fmd_status fmd_study_write_page(const fmd_study *s, bool drawn)
{
    fmd_html *h;
    FMD_TRY(fmd_html_create(&h, "Scaling study"));
    const fmd_status st = put_all(s, h, drawn);
    fmd_html_destroy(h);
    return st;
}
