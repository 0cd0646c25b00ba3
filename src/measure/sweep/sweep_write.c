/* The results of a sweep: table, best setting in words, JSON, CSV. */
#include "base/system/print.h"
#include "base/version.h"
#include "fmd/version.h"
#include "io/json/json_object.h"
#include "measure/sweep/sweep.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* "0.8861 ± 0.0012"; the deviation only over several values. */
static void put(char cell[FMD_SWEEP_CELL], const fmd_stats *s, size_t n)
{
    if (isnan(s->mean))
        snprintf(cell, FMD_SWEEP_CELL, "-");
    else if (n < 2)
        snprintf(cell, FMD_SWEEP_CELL, "%.4f", s->mean);
    else
        snprintf(cell, FMD_SWEEP_CELL, "%.4f ± %.4f", s->mean, s->stddev);
}

int fmd_sweep_heads(const fmd_sweep *s, fmd_sweep_cells cells, int *numeric)
{
    const char *const heads[] = {"runs", s->metric, s->other, "test_accuracy", "seconds", "remark"};
    int n = 0;
    for (size_t i = 0; i < s->n_axes; i++)
        if (i != s->seed)
            snprintf(cells[n++], FMD_SWEEP_CELL, "%s", s->axes[i].option->name);
    *numeric = n;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        snprintf(cells[n++], FMD_SWEEP_CELL, "%s", heads[i]);
    return n;
}

/* "best", "1 diverged, 1 failed" */
static void put_remark(const fmd_sweep *s, size_t setting, char cell[FMD_SWEEP_CELL])
{
    const fmd_sweep_setting *g = &s->settings[setting];
    size_t n = 0;
    cell[0] = '\0';
    if (setting == s->best)
        n = (size_t)snprintf(cell, FMD_SWEEP_CELL, "best");
    else if (g->close)
        n = (size_t)snprintf(cell, FMD_SWEEP_CELL, "as good");
    for (int state = FMD_SWEEP_NEW; state <= FMD_SWEEP_FAILED; state++) {
        size_t count = 0;
        for (size_t i = g->first; i < g->first + g->runs; i++)
            count += s->runs[i].state == (fmd_sweep_state)state;
        if (count > 0 && state != FMD_SWEEP_DONE)
            n += (size_t)snprintf(cell + n, FMD_SWEEP_CELL - n, "%s%zu %s", n > 0 ? ", " : "",
                                  count, fmd_sweep_state_names[state]);
    }
}

int fmd_sweep_row(const fmd_sweep *s, size_t setting, fmd_sweep_cells cells)
{
    const fmd_sweep_setting *g = &s->settings[setting];
    int n = 0;
    for (size_t i = 0; i < s->n_axes; i++)
        if (i != s->seed)
            snprintf(cells[n++], FMD_SWEEP_CELL, "%s", s->runs[g->first].values[i]);
    snprintf(cells[n++], FMD_SWEEP_CELL, "%zu of %zu", g->done, g->runs);
    put(cells[n++], &g->metric, g->done);
    put(cells[n++], &g->other, g->done);
    put(cells[n++], &g->test_accuracy, g->done);
    snprintf(cells[n++], FMD_SWEEP_CELL, isnan(g->seconds.mean) ? "-" : "%.2f", g->seconds.mean);
    put_remark(s, setting, cells[n++]);
    return n;
}

const char *fmd_sweep_setting_text(const fmd_sweep *s, size_t setting, char *text, size_t size)
{
    const fmd_sweep_run *r = &s->runs[s->settings[setting].first];
    size_t n = 0;
    snprintf(text, size, "defaults");
    for (size_t i = 0; i < s->n_axes && n < size; i++)
        if (i != s->seed)
            n += (size_t)snprintf(text + n, size - n, "%s%s %.60s", n > 0 ? ", " : "",
                                  s->axes[i].option->name, r->values[i]);
    return text;
}

static void print_row(FILE *out, fmd_sweep_cells cells, const int *width, int n, int numeric)
{
    char line[FMD_SWEEP_COLUMNS * (FMD_SWEEP_CELL + 2) + 1];
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        const int pad = width[i] - fmd_columns(cells[i]);
        const bool right = i >= numeric && i + 1 < n;
        at += (size_t)snprintf(line + at, sizeof line - at, "%s%*s%s%*s", i > 0 ? "  " : "",
                               right ? pad : 0, "", cells[i], right || i + 1 == n ? 0 : pad, "");
    }
    while (at > 0 && line[at - 1] == ' ')
        line[--at] = '\0';
    fmd_print_to(out, "%s\n", line);
}

static void print_table(const fmd_sweep *s, FILE *out)
{
    fmd_sweep_cells cells;
    int width[FMD_SWEEP_COLUMNS] = {0}, numeric;
    const int n = fmd_sweep_heads(s, cells, &numeric);
    for (size_t row = 0; row <= s->n_settings; row++) {
        if (row > 0)
            fmd_sweep_row(s, row - 1, cells);
        for (int i = 0; i < n; i++) {
            const int columns = fmd_columns(cells[i]);
            width[i] = columns > width[i] ? columns : width[i];
        }
    }
    fmd_sweep_heads(s, cells, &numeric);
    print_row(out, cells, width, n, numeric);
    for (size_t row = 0; row < s->n_settings; row++) {
        fmd_sweep_row(s, row, cells);
        print_row(out, cells, width, n, numeric);
    }
}

static void print_best(const fmd_sweep *s, FILE *out)
{
    char text[512];
    size_t close = 0;
    if (s->best == SIZE_MAX) {
        fmd_print_to(out, "No setting is the best: none has all its runs done, with %s.\n",
                     s->metric);
        return;
    }
    const fmd_sweep_setting *g = &s->settings[s->best];
    for (size_t i = 0; i < s->n_settings; i++)
        close += s->settings[i].close;
    fmd_print_to(out, "Best by %s: %s (%.4f over %zu run%s).\n", s->metric,
                 fmd_sweep_setting_text(s, s->best, text, sizeof text), g->metric.mean, g->done,
                 g->done == 1 ? "" : "s");
    if (close > 0)
        fmd_print_to(out,
                     "%zu other setting%s as good within two standard errors of the difference.\n",
                     close, close == 1 ? " is" : "s are");
    else if (g->runs < 2 && s->n_settings > 1)
        fmd_print_to(out, "With one seed a difference may be chance: add seed=0..4 to the grid.\n");
}

void fmd_sweep_print(const fmd_sweep *s, FILE *out)
{
    print_table(s, out);
    fputc('\n', out);
    print_best(s, out);
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i].state == FMD_SWEEP_FAILED)
            fmd_print_to(out, "failed: %s: %s\n", s->runs[i].name, s->runs[i].why);
}

static void put_stats(fmd_json *j, const char *name, const fmd_stats *v)
{
    char key[64];
    fmd_json_real(j, "settings", name, v->mean);
    snprintf(key, sizeof key, "%s_deviation", name);
    fmd_json_real(j, "settings", key, v->stddev);
}

static void put_setting(fmd_json *j, const fmd_sweep *s, size_t i)
{
    const fmd_sweep_setting *g = &s->settings[i];
    fmd_json_row(j, "settings");
    for (size_t k = 0; k < s->n_axes; k++)
        if (k != s->seed)
            fmd_json_text(j, "settings", s->axes[k].option->name, s->runs[g->first].values[k]);
    fmd_json_int(j, "settings", "runs", (long long)g->runs);
    fmd_json_int(j, "settings", "done", (long long)g->done);
    put_stats(j, s->metric, &g->metric);
    put_stats(j, s->other, &g->other);
    put_stats(j, "test_accuracy", &g->test_accuracy);
    fmd_json_real(j, "settings", "seconds", g->seconds.mean);
    fmd_json_bool(j, "settings", "best", i == s->best);
    fmd_json_bool(j, "settings", "as_good", g->close);
}

static void put_run(fmd_json *j, const fmd_sweep *s, const fmd_sweep_run *r)
{
    fmd_json_row(j, "runs");
    fmd_json_text(j, "runs", "name", r->name);
    fmd_json_int(j, "runs", "setting", (long long)r->setting);
    for (size_t k = 0; k < s->n_axes; k++)
        fmd_json_text(j, "runs", s->axes[k].option->name, r->values[k]);
    fmd_json_text(j, "runs", "state", fmd_sweep_state_names[r->state]);
    fmd_json_text(j, "runs", "message", r->why);
    fmd_json_real(j, "runs", s->metric, r->metric);
    fmd_json_real(j, "runs", s->other, r->other);
    fmd_json_real(j, "runs", "test_accuracy", r->test_accuracy);
    fmd_json_real(j, "runs", "seconds", r->seconds);
}

fmd_status fmd_sweep_json(fmd_json **out, const fmd_sweep *s)
{
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_text(j, NULL, "version", FMD_VERSION);
    fmd_json_text(j, NULL, "commit", fmd_version_commit());
    fmd_json_text(j, NULL, "made", s->when);
    fmd_json_text(j, NULL, "folder", s->folder);
    fmd_json_text(j, NULL, "chosen_by", s->metric);
    fmd_json_int(j, NULL, "ranks", s->ranks);
    for (size_t i = 0; i < s->n_settings; i++)
        put_setting(j, s, i);
    for (size_t i = 0; i < s->n_runs; i++)
        put_run(j, s, &s->runs[i]);
    *out = j;
    return FMD_OK;
}

/* A field of CSV: a spreadsheet would take some texts for formulas. */
static void put_field(FILE *out, const char *text)
{
    fprintf(out, ",\"%s", strchr("=+-@", *text) != NULL && *text != '\0' ? "'" : "");
    for (; *text != '\0'; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', out);
}

static void put_csv(const fmd_sweep *s, FILE *out)
{
    fprintf(out, "run");
    for (size_t k = 0; k < s->n_axes; k++)
        fprintf(out, ",%s", s->axes[k].option->name);
    fprintf(out, ",state,%s,%s,test_accuracy,seconds\n", s->metric, s->other);
    for (size_t i = 0; i < s->n_runs; i++) {
        const fmd_sweep_run *r = &s->runs[i];
        const double values[] = {r->metric, r->other, r->test_accuracy, r->seconds};
        fprintf(out, "%s", r->name);
        for (size_t k = 0; k < s->n_axes; k++)
            put_field(out, r->values[k]);
        fprintf(out, ",%s", fmd_sweep_state_names[r->state]);
        for (size_t v = 0; v < sizeof values / sizeof *values; v++)
            fprintf(out, isnan(values[v]) ? ",NA" : ",%.9g", values[v]);
        fputc('\n', out);
    }
}

static fmd_status write_file(const fmd_sweep *s, const char *name,
                             void (*put_all)(const fmd_sweep *s, FILE *out))
{
    char path[FMD_SWEEP_PATH];
    FILE *out = fopen(fmd_sweep_path(s, path, "%s", name), "w");
    if (out != NULL) {
        put_all(s, out);
        const bool whole = ferror(out) == 0;
        if (fclose(out) == 0 && whole)
            return FMD_OK;
    }
    return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

fmd_status fmd_sweep_write(const fmd_sweep *s)
{
    char path[FMD_SWEEP_PATH];
    fmd_json *j;
    FMD_TRY(fmd_sweep_json(&j, s));
    const fmd_status st = fmd_json_write(j, fmd_sweep_path(s, path, "sweep.json"));
    fmd_json_destroy(j);
    FMD_TRY(st);
    FMD_TRY(write_file(s, "table.csv", put_csv));
    return write_file(s, "table.txt", fmd_sweep_print);
}
