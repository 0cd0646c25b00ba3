#include "run/run_view.h"
#include "io/json/json_file.h"
#include "run/follow.h"

#include "base/mem.h"
#include "io/run_lock.h"
#include "io/run_names.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Keeps the message of a failure as the reason why a part is absent. */
static bool present(fmd_status st, fmd_absence *a)
{
    a->status = st;
    snprintf(a->why, sizeof a->why, "%s", st == FMD_OK ? "" : fmd_error_message());
    return st == FMD_OK;
}

static const char *file_of(const fmd_run_view *v, const char *name, char path[FMD_RUN_PATH_BYTES])
{
    snprintf(path, FMD_RUN_PATH_BYTES, "%s/%s", v->path, name);
    return path;
}

static fmd_status find_run(const fmd_run_view *v)
{
    static const char *const names[] = {FMD_FILE_CONFIG, FMD_FILE_HISTORY, FMD_FILE_RECORD,
                                        FMD_FILE_STATUS};
    struct stat s;
    char path[FMD_RUN_PATH_BYTES], example[FMD_PATH_BYTES];
    if (*v->path == '\0')
        return FMD_FAIL(FMD_EUSAGE, "no run given: name its folder, such as %s",
                        fmd_follow_example(example));
    if (stat(v->path, &s) != 0)
        return FMD_FAIL(FMD_ENOINPUT, "cannot open '%s': %s", v->path, strerror(errno));
    if (!S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_ENOINPUT, "'%s' is not the folder of a run", v->path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (access(file_of(v, names[i], path), F_OK) == 0)
            return FMD_OK;
    return FMD_FAIL(FMD_ENOINPUT,
                    "'%s' is not a run folder: it has no config.json, history.csv, run.json "
                    "or STATUS.json",
                    v->path);
}

/* Rank 0. The files of the folder except the weights. */
static fmd_status read_files(fmd_run_view *v)
{
    char path[FMD_RUN_PATH_BYTES];
    FMD_TRY(find_run(v));
    FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, &v->config));
    if (!present(fmd_options_read_json(file_of(v, FMD_FILE_CONFIG, path), fmd_config_table,
                                       fmd_config_table_length, &v->config, v->config.given),
                 &v->no_config))
        FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, &v->config));
    present(fmd_history_read(&v->history, file_of(v, FMD_FILE_HISTORY, path)), &v->no_history);
    if (v->no_history.status == FMD_OK && v->history.n == 0)
        present(FMD_FAIL(FMD_ENOINPUT, "no epoch is complete yet"), &v->no_history);
    present(fmd_json_read(&v->record, file_of(v, FMD_FILE_RECORD, path)), &v->no_record);
    if (v->no_record.status == FMD_ENOINPUT)
        present(FMD_FAIL(FMD_ENOINPUT, "the run has no run.json: it has not finished"),
                &v->no_record);
    present(fmd_json_read(&v->status, file_of(v, FMD_FILE_STATUS, path)), &v->no_status);
    if (fmd_run_times_read(&v->times, file_of(v, FMD_FILE_EVENTS, path)) != FMD_OK)
        v->times = (fmd_run_times){0};
    v->running = fmd_run_lock_is_held(v->path);
    return FMD_OK;
}

/* The options of plot and report only: the environment may have others, for training. */
static fmd_status only_taken(fmd_config *out, const fmd_run_view *v, const fmd_config *config)
{
    FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, out));
    memcpy(out->model.weights, v->path, sizeof out->model.weights);
    memcpy(out->data.dataset, config->data.dataset, sizeof out->data.dataset);
    memcpy(out->data.dir, config->data.dir, sizeof out->data.dir);
    memcpy(out->given, config->given, sizeof out->given);
    return FMD_OK;
}

/* Collective. The model with the test images; where they are absent, the model alone. */
static fmd_status open_trained(fmd_comm *c, fmd_run_view *v, const fmd_config *config,
                               fmd_view_needs needs)
{
    fmd_config taken;
    FMD_TRY(only_taken(&taken, v, config));
    if (needs == FMD_VIEW_DATA &&
        present(fmd_loaded_model_open(&v->trained, c, &taken, FMD_NEEDS_OWN_IMAGES), &v->no_data))
        return FMD_OK;
    if (!present(fmd_loaded_model_open(&v->trained, c, &taken, FMD_NEEDS_NO_DATA), &v->no_model))
        present(FMD_FAIL(v->no_model.status, "there are no weights: %.900s", v->no_model.why),
                &v->no_data);
    return FMD_OK;
}

/* Collective. The predictions for the test images. */
static fmd_status predict(fmd_comm *c, fmd_run_view *v)
{
    const fmd_loaded_model *t = &v->trained;
    FMD_TRY(fmd_predict(c, t->model, &t->split, t->divisor, &v->prediction));
    return fmd_comm_agree(c, fmd_comm_rank(c) == 0
                                 ? fmd_classify(&v->classification, &v->prediction, t->split.labels)
                                 : FMD_OK);
}

fmd_status fmd_run_view_open(fmd_comm *c, fmd_run_view **out, const fmd_config *config,
                             fmd_view_needs needs)
{
    fmd_run_view *v;
    FMD_TRY(fmd_alloc(&v, 1, sizeof *v, "the run"));
    *out = v;
    memcpy(v->path, config->model.weights, sizeof v->path);
    for (size_t n = strlen(v->path); n > 1 && v->path[n - 1] == '/'; n--)
        v->path[n - 1] = '\0';
    FMD_TRY(fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? read_files(v) : FMD_OK));
    if (needs == FMD_VIEW_FILES)
        return FMD_OK;
    FMD_TRY(open_trained(c, v, config, needs));
    if (needs == FMD_VIEW_DATA && v->no_data.status == FMD_OK)
        present(predict(c, v), &v->no_data);
    return FMD_OK;
}

void fmd_run_view_close(fmd_run_view *v)
{
    if (v == NULL)
        return;
    fmd_classification_free(&v->classification);
    fmd_prediction_free(&v->prediction);
    fmd_loaded_model_close(&v->trained);
    fmd_json_destroy(v->record);
    fmd_json_destroy(v->status);
    fmd_history_free(&v->history);
    free(v);
}

int fmd_run_view_best(const fmd_run_view *v, const char **metric)
{
    const fmd_config *c = &v->config;
    const char *name = fmd_metric_name(v->history.metrics, c->stopping.monitor);
    fmd_monitor_mode mode = (fmd_monitor_mode)c->stopping.mode;
    /* --patience and --restore-best use --min-delta; --save-best counts any gain. */
    const bool stopping = c->stopping.restore_best || c->stopping.patience != FMD_UNSET_INT;
    const double min_delta = stopping ? fabs(c->stopping.min_delta) : 0;
    if (name == NULL || (!v->history.validation && strncmp(name, "val_", 4) == 0)) {
        name = v->history.validation ? "val_loss" : "loss";
        mode = FMD_MODE_AUTO;
    }
    double best_value = (double)NAN;
    int best = -1;
    for (size_t i = 0; i < v->history.n; i++) {
        const double value = *fmd_metric_find(&v->history.epochs[i].metrics, name);
        if (isnan(value) ||
            (best >= 0 && !fmd_metric_better(name, mode, min_delta, value, best_value)))
            continue;
        best = (int)i;
        best_value = value;
    }
    *metric = name;
    return best;
}

double fmd_run_view_real(const fmd_run_view *v, const char *group, const char *key)
{
    return v->record != NULL ? fmd_json_get_real(v->record, group, key) : (double)NAN;
}

const char *fmd_run_view_text(const fmd_run_view *v, const char *group, const char *key)
{
    return v->record != NULL ? fmd_json_get_text(v->record, group, key) : NULL;
}

const char *fmd_run_view_class(const fmd_run_view *v, size_t label, char text[64])
{
    snprintf(text, 64, "%s", fmd_class_name(&v->trained.data.info, (int)label));
    if (*text == '\0')
        snprintf(text, 64, "class %zu", label);
    return text;
}
