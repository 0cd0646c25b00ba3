#include "app/run_view.h"

#include "fmd/evaluate.h"
#include "fmd/feed.h"
#include "fmd/mem.h"
#include "fmd/run_lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes the message of a failure for the reason why something is absent. */
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
    static const char *const names[] = {"config.json", "history.csv", "run.json", "STATUS.json"};
    struct stat s;
    char path[FMD_RUN_PATH_BYTES];
    if (*v->path == '\0')
        return FMD_FAIL(FMD_EUSAGE, "which run? Name its folder, such as runs/20260131-120000");
    if (stat(v->path, &s) != 0)
        return FMD_FAIL(FMD_ENOINPUT, "cannot open '%s': %s", v->path, strerror(errno));
    if (!S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_ENOINPUT, "'%s' is not the folder of a run", v->path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (access(file_of(v, names[i], path), F_OK) == 0)
            return FMD_OK;
    return FMD_FAIL(FMD_ENOINPUT,
                    "'%s' holds no run: there is no config.json, history.csv, run.json or "
                    "STATUS.json in it",
                    v->path);
}

/* Of data, what the user says now counts, else what the run said. */
static void choose_data(fmd_run_view *v, const fmd_config *asked)
{
    const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, "dataset");
    const bool named = strcmp(asked->dataset, o->initial) != 0;
    memcpy(v->dataset, named ? asked->dataset : v->config.dataset, sizeof v->dataset);
    memcpy(v->data_dir, *asked->data_dir != '\0' ? asked->data_dir : v->config.data_dir,
           sizeof v->data_dir);
}

/* Rank 0. What lies in the folder, but for the weights. */
static fmd_status read_files(fmd_run_view *v, const fmd_config *asked)
{
    static bool given[256];
    char path[FMD_RUN_PATH_BYTES];
    FMD_TRY(find_run(v));
    FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, &v->config));
    if (!present(fmd_options_read_json(file_of(v, "config.json", path), fmd_config_table,
                                       fmd_config_table_length, &v->config, given),
                 &v->no_config))
        FMD_TRY(fmd_options_reset(fmd_config_table, fmd_config_table_length, &v->config));
    present(fmd_history_read(&v->history, file_of(v, "history.csv", path)), &v->no_history);
    if (v->no_history.status == FMD_OK && v->history.n == 0)
        present(FMD_FAIL(FMD_ENOINPUT, "no epoch is complete yet"), &v->no_history);
    present(fmd_json_read(&v->record, file_of(v, "run.json", path)), &v->no_record);
    present(fmd_json_read(&v->status, file_of(v, "STATUS.json", path)), &v->no_status);
    v->running = fmd_run_lock_is_held(v->path);
    choose_data(v, asked);
    return FMD_OK;
}

/* Collective. The final weights, or the newest checkpoint. */
static fmd_status load_model(fmd_comm *c, fmd_run_view *v)
{
    FMD_TRY(fmd_weights_file_open(c, &v->file, v->path));
    const fmd_checkpoint_info *info = &v->file.info.model;
    v->divisor = info->normalize ? 255 : 1;
    FMD_TRY(
        fmd_comm_agree(c, fmd_model_create(&v->model, info->layers, info->in, FMD_EVALUATE_ROWS)));
    fmd_status st = fmd_weights_file_load(c, &v->file, v->model);
    if (st != FMD_OK) {
        fmd_model_destroy(v->model);
        v->model = NULL;
    }
    return st;
}

/* Rank 0. Whether the data at hand are those of the run. */
static fmd_status check_data(const fmd_run_view *v)
{
    static const char *const files[] = {"train_images", "train_labels", "test_images",
                                        "test_labels"};
    char hash[FMD_HASH_TEXT];
    if (!fmd_weights_same_images(fmd_model_in(v->model), v->data.info.image) ||
        v->data.info.classes > fmd_model_classes(v->model))
        return FMD_FAIL(FMD_EDATA, "the data in '%s' are not for this model", v->data.info.path);
    for (int i = 2; v->record != NULL && i < 4; i++) {
        const char *known = fmd_json_get_text(v->record, "data", files[i]);
        if (known != NULL && strcmp(known, fmd_hash_text(v->data.info.hash[i], hash)) != 0)
            return FMD_FAIL(FMD_EDATA, "the test data in '%s' are not those of the run",
                            v->data.info.path);
    }
    return FMD_OK;
}

/* Collective. The test images, and what the model says of them. */
static fmd_status predict(fmd_comm *c, fmd_run_view *v)
{
    const bool root = fmd_comm_rank(c) == 0;
    FMD_TRY(fmd_feed_load(c, v->dataset, v->data_dir, &v->data));
    FMD_TRY(fmd_comm_agree(c, root ? check_data(v) : FMD_OK));
    FMD_TRY(fmd_predict(c, v->model, &v->data.test, v->divisor, &v->prediction));
    return fmd_comm_agree(
        c, root ? fmd_classify(&v->classification, &v->prediction, v->data.test.labels) : FMD_OK);
}

fmd_status fmd_run_view_open(fmd_comm *c, fmd_run_view **out, const fmd_config *config,
                             fmd_view_needs needs)
{
    fmd_run_view *v;
    FMD_TRY(fmd_alloc(&v, 1, sizeof *v, "the run"));
    *out = v;
    memcpy(v->path, config->weights, sizeof v->path);
    for (size_t n = strlen(v->path); n > 1 && v->path[n - 1] == '/'; n--)
        v->path[n - 1] = '\0';
    FMD_TRY(fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? read_files(v, config) : FMD_OK));
    fmd_comm_bcast(c, v->dataset, sizeof v->dataset);
    fmd_comm_bcast(c, v->data_dir, sizeof v->data_dir);
    if (needs < FMD_VIEW_MODEL)
        return FMD_OK;
    if (!present(load_model(c, v), &v->no_model))
        present(FMD_FAIL(v->no_model.status, "there is no model to ask: %.900s", v->no_model.why),
                &v->no_data);
    else if (needs == FMD_VIEW_DATA)
        present(predict(c, v), &v->no_data);
    return FMD_OK;
}

void fmd_run_view_close(fmd_run_view *v)
{
    if (v == NULL)
        return;
    fmd_classification_free(&v->classification);
    fmd_prediction_free(&v->prediction);
    fmd_model_destroy(v->model);
    fmd_json_destroy(v->record);
    fmd_json_destroy(v->status);
    fmd_history_free(&v->history);
    free(v);
}

int fmd_run_view_best(const fmd_run_view *v, const char **metric)
{
    const fmd_config *c = &v->config;
    const char *name = fmd_metric_name(c->monitor);
    int best = -1;
    if (name == NULL || (!v->history.validation && strncmp(name, "val_", 4) == 0))
        name = v->history.validation ? "val_loss" : "loss";
    const bool most =
        c->mode == FMD_MODE_AUTO ? strstr(name, "accuracy") != NULL : c->mode == FMD_MODE_MAX;
    double best_value = 0;
    for (size_t i = 0; i < v->history.n; i++) {
        const double value = *fmd_metric_find(&v->history.epochs[i].metrics, name);
        if (isnan(value) || (best >= 0 && (most ? value <= best_value : value >= best_value)))
            continue;
        best = (int)i;
        best_value = value;
    }
    *metric = name;
    return best;
}

const char *fmd_run_view_class(const fmd_run_view *v, size_t label, char text[64])
{
    snprintf(text, 64, "%s", fmd_class_name(&v->data.info, (int)label));
    if (*text == '\0')
        snprintf(text, 64, "class %zu", label);
    return text;
}
