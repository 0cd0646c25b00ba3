/* runs: lists run folders with model, result and state. */
#include "base/system/print.h"
#include "cli/commands.h"
#include "io/json/json_object.h"
#include "run/reader/run_list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_COLUMNS = 7, MODEL_COLUMNS = 40, ID_COLUMNS = 48, CELL = FMD_PATH_BYTES };

static const char *const heads[N_COLUMNS] = {"id",           "model", "data", "accuracy",
                                             "val_accuracy", "time",  "state"};
static const bool numeric[N_COLUMNS] = {false, false, false, true, true, true, false};

/* A text of at most `most` columns, with an ellipsis for the rest. */
static void put_short(char cell[CELL], const char *text, int most)
{
    if (fmd_columns(text) <= most)
        snprintf(cell, CELL, "%s", text);
    else
        snprintf(cell, CELL, "%.*s...", fmd_bytes_in_columns(text, most - 3), text);
}

static void put_share(char cell[CELL], double value)
{
    if (isnan(value))
        snprintf(cell, CELL, "-");
    else
        snprintf(cell, CELL, "%.4f", value);
}

/* "3.2 s", "4:05", "1:04:05" */
static void put_time(char cell[CELL], double seconds)
{
    const long s = isnan(seconds) ? 0 : lrint(fmin(seconds, 1e9));
    if (isnan(seconds))
        snprintf(cell, CELL, "-");
    else if (s < 60)
        snprintf(cell, CELL, "%.3g s", seconds);
    else if (s < 3600)
        snprintf(cell, CELL, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(cell, CELL, "%ld:%02ld:%02ld", s / 3600, s % 3600 / 60, s % 60);
}

static void put_row(const fmd_run_entry *e, char cells[N_COLUMNS][CELL])
{
    snprintf(cells[0], CELL, "%s", e->id);
    put_short(cells[1], e->model, MODEL_COLUMNS);
    put_short(cells[2], *e->data != '\0' ? e->data : "-", ID_COLUMNS);
    put_share(cells[3], e->accuracy);
    put_share(cells[4], e->val_accuracy);
    put_time(cells[5], e->seconds);
    snprintf(cells[6], CELL, "%s", e->state);
}

static void print_cells(const char *const cells[N_COLUMNS], const int width[N_COLUMNS])
{
    for (int k = 0; k < N_COLUMNS; k++) {
        fmd_print("%s", k > 0 ? "  " : "");
        fmd_print_padded(cells[k], k + 1 == N_COLUMNS ? 0 : numeric[k] ? -width[k] : width[k]);
    }
    putchar('\n');
}

static void print_table(const fmd_run_list *l)
{
    int width[N_COLUMNS];
    char cells[N_COLUMNS][CELL];
    for (int k = 0; k < N_COLUMNS; k++)
        width[k] = (int)strlen(heads[k]);
    for (size_t i = 0; i < l->n; i++) {
        put_row(&l->at[i], cells);
        for (int k = 0; k < N_COLUMNS; k++)
            width[k] = fmd_columns(cells[k]) > width[k] ? fmd_columns(cells[k]) : width[k];
    }
    print_cells(heads, width);
    for (size_t i = 0; i < l->n; i++) {
        const char *row[N_COLUMNS];
        put_row(&l->at[i], cells);
        for (int k = 0; k < N_COLUMNS; k++)
            row[k] = cells[k];
        print_cells(row, width);
    }
}

static fmd_status print_json(const fmd_run_list *l)
{
    static const char group[] = "runs";
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    for (size_t i = 0; i < l->n; i++) {
        const fmd_run_entry *e = &l->at[i];
        fmd_json_row(j, group);
        fmd_json_text(j, group, "id", e->id);
        fmd_json_text(j, group, "path", e->path);
        fmd_json_text(j, group, "model", e->model);
        fmd_json_text(j, group, "data", e->data);
        fmd_json_text(j, group, "state", e->state);
        fmd_json_text(j, group, "started", e->started);
        fmd_json_real(j, group, "accuracy", e->accuracy);
        fmd_json_real(j, group, "val_accuracy", e->val_accuracy);
        fmd_json_real(j, group, "loss", e->loss);
        fmd_json_real(j, group, "epochs", e->epochs);
        fmd_json_real(j, group, "time", e->seconds);
    }
    fmd_json_int(j, NULL, "n", (long long)l->n);
    const fmd_status st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

static fmd_status list(fmd_run_list *l, const fmd_config *config)
{
    const char *key = strcmp(config->view.sort, "auto") == 0 ? "started" : config->view.sort;
    FMD_TRY(fmd_run_list_read(l, config->runs.folder));
    const size_t all = l->n;
    FMD_TRY(fmd_run_list_filter(l, config->runs.filter));
    FMD_TRY(fmd_run_list_sort(l, key));
    if (config->view.json)
        return print_json(l);
    if (all == 0)
        fmd_print("there is no run in '%s'\n", config->runs.folder);
    else if (l->n == 0)
        fmd_print("none of %zu runs in '%s' meets --filter %s\n", all, config->runs.folder,
                  config->runs.filter);
    else
        print_table(l);
    return FMD_OK;
}

static fmd_status run_runs(fmd_comm *c, const fmd_config *config)
{
    fmd_run_list l;
    (void)c;
    const fmd_status st = list(&l, config);
    fmd_run_list_free(&l);
    return st;
}

const fmd_command fmd_command_runs = {
    .name = "runs",
    .usage = "[FOLDER] [OPTIONS]",
    .help = "lists run folders with model, accuracy, time and state",
    .section = FMD_TO_LOOK,
    .example = "--sort accuracy --filter 'state=done,accuracy>0.88'",
    .groups = "runs|order|json",
    .words = "folder",
    .run = run_runs,
};
