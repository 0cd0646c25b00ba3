/* --k-fold: trains a model for each fold, and compares them. */
#include "base/system/print.h"
#include "cli/train/train.h"

#include "base/mem.h"
#include "io/json/json_object.h"
#include "io/run_names.h"
#include "train/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char file_name[] = "k-fold.json";

/* A column of the table: its values over the folds. */
typedef struct column {
    char name[FMD_METRIC_NAME_BYTES + 8];
    double mean, deviation; /* of the sample: divided by folds - 1 */
} column;

enum { MOST_COLUMNS = FMD_METRICS_COLUMNS + 2 + FMD_METRICS_MAX };

/* The value of column `i` of a fold; *name: its name, NULL past the end. */
static double value_of(const fmd_outcome *o, size_t i, char name[sizeof((column *)0)->name],
                       bool *found)
{
    fmd_metrics kept = o->result.kept;
    const char *text;
    size_t n = 0;
    *found = true;
    for (size_t k = 0; (text = fmd_metrics_column(&o->metrics, k)) != NULL; k++) {
        if (fmd_metric_name(&o->metrics, text) == NULL || n++ != i)
            continue;
        snprintf(name, sizeof((column *)0)->name, "%s", text);
        return *fmd_metrics_at(&kept, k);
    }
    const size_t t = i - n;
    *found = t < 2 + o->metrics.n;
    if (!*found)
        return 0;
    text = t == 0 ? "accuracy" : t == 1 ? "loss" : fmd_metric_column(&o->metrics.of[t - 2]);
    snprintf(name, sizeof((column *)0)->name, "test_%s", text);
    return t == 0 ? o->test.accuracy : t == 1 ? o->test.loss : o->test.extra[t - 2];
}

static size_t summarise(const fmd_outcome *folds, int n, column out[MOST_COLUMNS])
{
    bool found;
    size_t columns = 0;
    for (;; columns++) {
        column *c = &out[columns];
        double sum = 0, squares = 0;
        value_of(&folds[0], columns, c->name, &found);
        if (!found)
            return columns;
        for (int k = 0; k < n; k++)
            sum += value_of(&folds[k], columns, c->name, &found);
        c->mean = sum / n;
        for (int k = 0; k < n; k++) {
            const double off = value_of(&folds[k], columns, c->name, &found) - c->mean;
            squares += off * off;
        }
        c->deviation = sqrt(squares / (n - 1));
    }
}

static int width(const column *c)
{
    const int n = (int)strlen(c->name);
    return n > 8 ? n : 8;
}

static void print_table(const fmd_outcome *folds, int n, const column *columns, size_t n_columns)
{
    char name[sizeof columns->name];
    bool found;
    fmd_print("\n%9s  %10s", "fold", "validation");
    for (size_t i = 0; i < n_columns; i++)
        fmd_print("  %*s", width(&columns[i]), columns[i].name);
    for (int k = 0; k < n; k++) {
        fmd_print("\n%9d  %10zu", k + 1, folds[k].n_validation);
        for (size_t i = 0; i < n_columns; i++)
            fmd_print("  %*.4f", width(&columns[i]), value_of(&folds[k], i, name, &found));
    }
    fmd_print("\n%9s  %10s", "mean", "");
    for (size_t i = 0; i < n_columns; i++)
        fmd_print("  %*.4f", width(&columns[i]), columns[i].mean);
    fmd_print("\n%9s  %10s", "deviation", "");
    for (size_t i = 0; i < n_columns; i++)
        fmd_print("  %*.4f", width(&columns[i]), columns[i].deviation);
    fmd_print("\n");
}

static fmd_status add_fold(fmd_json *j, const fmd_outcome *o, int number, size_t n_columns)
{
    char name[sizeof((column *)0)->name];
    bool found;
    fmd_json *row;
    FMD_TRY(fmd_json_create(&row));
    fmd_json_int(row, NULL, "fold", number);
    fmd_json_int(row, NULL, "n_validation", (long long)o->n_validation);
    fmd_json_int(row, NULL, FMD_KEY_WEIGHTS_EPOCH, o->result.weights_epoch + 1);
    for (size_t i = 0; i < n_columns; i++) {
        const double value = value_of(o, i, name, &found);
        fmd_json_real(row, NULL, name, value);
    }
    fmd_json_append_object(j, "folds", row);
    fmd_json_destroy(row);
    return FMD_OK;
}

/* Rank 0. */
static fmd_status write_table(const char *folder, const fmd_outcome *folds, int n,
                              const column *columns, size_t n_columns)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_json *j;
    FMD_TRY(fmd_json_create(&j));
    fmd_status st = FMD_OK;
    for (int k = 0; k < n && st == FMD_OK; k++)
        st = add_fold(j, &folds[k], k + 1, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        fmd_json_real(j, FMD_KEY_MEAN, columns[i].name, columns[i].mean);
        fmd_json_real(j, "deviation", columns[i].name, columns[i].deviation);
    }
    snprintf(path, sizeof path, "%s/%s", folder, file_name);
    if (st == FMD_OK)
        st = fmd_json_write(j, path);
    fmd_json_destroy(j);
    return st;
}

/* Rank 0. Prints the table, and writes it unless `folder` is empty. */
static fmd_status report(const char *folder, const fmd_outcome *folds, int n)
{
    column columns[MOST_COLUMNS];
    const size_t n_columns = summarise(folds, n, columns);
    print_table(folds, n, columns, n_columns);
    if (*folder == '\0')
        return FMD_OK;
    FMD_TRY(write_table(folder, folds, n, columns, n_columns));
    fmd_print("table  %s/%s\n", folder, file_name);
    return FMD_OK;
}

/* Rank 0. The folder of all folds; empty: nothing is written. */
static fmd_status find_folder(char folder[FMD_PATH_BYTES], const fmd_config *config)
{
    const char *name = config->run.dir;
    *folder = '\0';
    if (*config->checkpoints.resume == '\0' || (strcmp(config->checkpoints.resume, "auto") != 0 &&
                                                strcmp(config->checkpoints.resume, "none") != 0))
        return FMD_FAIL(FMD_EUSAGE, "--resume: with --k-fold it is auto or none, not a file");
    if (strcmp(name, "none") == 0)
        return FMD_OK;
    if (strcmp(name, "auto") == 0)
        return fmd_run_folder_make_dated(folder);
    if (strlen(name) + sizeof "/fold-100" > FMD_PATH_BYTES)
        return FMD_FAIL(FMD_EUSAGE, "--run-dir: the name is too long");
    memcpy(folder, name, FMD_PATH_BYTES);
    return *name != '\0'
               ? fmd_make_folders(folder, "run folder")
               : FMD_FAIL(FMD_EUSAGE,
                          "--run-dir: the name is empty: expected a folder, auto or none");
}

/* Collective. Fold after fold. */
static fmd_status train_all(fmd_comm *c, const fmd_config *config, const char *folder,
                            fmd_outcome *out)
{
    const int n = (int)config->data.k_fold;
    const bool root = fmd_comm_rank(c) == 0;
    fmd_config one = *config;
    fmd_dataset data;
    fmd_status st = (config->data.stream ? fmd_loader_stream : fmd_loader_read)(
        c, config->data.dataset, config->data.dir, &data);
    const bool loaded = st == FMD_OK;
    for (int k = 1; k <= n && st == FMD_OK; k++) {
        if (*folder != '\0')
            snprintf(one.run.dir, sizeof one.run.dir, "%.1000s/fold-%d", folder, k);
        st = fmd_train(c, &one, &(fmd_fold){.number = k, .data = &data}, &out[k - 1]);
        if (st == FMD_ESTOPPED && root && *folder != '\0')
            fmd_print("%s in fold %d; to go on: the same command with --run-dir %s\n",
                      out[k - 1].result.reason, k, folder);
    }
    if (loaded)
        fmd_loader_close(&data);
    if (st != FMD_OK)
        return st;
    return fmd_comm_agree(c, root ? report(folder, out, n) : FMD_OK);
}

fmd_status fmd_train_folds(fmd_comm *c, const fmd_config *config)
{
    char folder[FMD_PATH_BYTES] = "";
    fmd_outcome *out = NULL;
    const fmd_status found = fmd_comm_rank(c) == 0 ? find_folder(folder, config) : FMD_OK;
    FMD_TRY(fmd_comm_agree(c, found));
    fmd_comm_bcast(c, folder, sizeof folder);
    fmd_status st = fmd_alloc(&out, (size_t)config->data.k_fold, sizeof *out, "the folds");
    st = fmd_comm_agree(c, st);
    if (st == FMD_OK)
        st = train_all(c, config, folder, out);
    if (st != FMD_OK && *folder != '\0' && fmd_comm_rank(c) == 0)
        rmdir(folder); /* only if it is empty: the first fold could not begin */
    free(out);
    return st;
}
