#include "run/loaded_model.h"

#include "base/log.h"
#include "data/locate.h"
#include "data/source.h"
#include "io/json/json_object.h"
#include "io/run_names.h"
#include "math/bf16/bf16.h"
#include "train/evaluation/evaluate.h"
#include "train/loader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where to look for a data set. */
typedef struct place {
    char dataset[FMD_PATH_BYTES], dir[FMD_PATH_BYTES];
} place;

/* The divisor of pixels. Checkpoints of this program record it; for files of Keras the user must
 * set it. */
static fmd_status divisor(const fmd_weights_file *f, const fmd_config *config, float *out)
{
    if (!f->info.keras && f->info.model.normalize && !config->data.normalize)
        return FMD_FAIL(FMD_EUSAGE, "--no-normalize: '%s' was trained on pixels divided by 255",
                        f->path);
    *out = config->data.normalize && f->info.model.normalize ? 255 : 1;
    return FMD_OK;
}

/* The precision that the user names, else that of the training. */
static void choose_precision(const fmd_weights_file *f, const fmd_config *config)
{
    if (!f->info.keras && !fmd_config_gives(config, "precision"))
        fmd_bf16_choose(f->info.model.bf16 ? FMD_BF16 : FMD_FLOAT32);
}

/* Rank 0. A JSON file of the run that wrote the weights: the run folder is the parent of the folder
 * "checkpoints". *out is NULL if there is no such run. */
static fmd_status read_of_run(fmd_json **out, const fmd_weights_file *f, const char *name)
{
    static const char folder[] = "checkpoints/";
    char path[FMD_WEIGHTS_PATH_BYTES + 32];
    const char *slash = strrchr(f->path, '/');
    const size_t above = slash != NULL ? (size_t)(slash + 1 - f->path) : 0;
    const size_t n = sizeof folder - 1, run = above >= n ? above - n : 0;
    *out = NULL;
    if (slash == NULL)
        snprintf(path, sizeof path, "../%s", name);
    else if (strncmp(f->path + run, folder, n) == 0)
        snprintf(path, sizeof path, "%.*s%s", (int)run, f->path, name);
    else
        return FMD_OK;
    return f->info.keras || access(path, F_OK) != 0 ? FMD_OK : fmd_json_read(out, path);
}

/* Rank 0. Resolves a relative data path of a run, which may have been trained from another working
 * directory: tries the folders above the run. Leaves the path unchanged if the working directory
 * has the data, or no folder does. */
static void look_above(place *p, const char *weights)
{
    const bool named = !fmd_locate_is_path(p->dataset);
    fmd_place found;
    char *above = realpath(weights, NULL), *slash;
    if (*(named ? p->dir : p->dataset) == '/' || fmd_locate(&found, p->dataset, p->dir) == FMD_OK) {
        free(above);
        return;
    }
    while (above != NULL && (slash = strrchr(above, '/')) != NULL && slash != above) {
        place up = *p;
        *slash = '\0';
        if (named)
            snprintf(up.dir, sizeof up.dir, "%.700s/%.300s", above,
                     *p->dir != '\0' ? p->dir : "data");
        else
            snprintf(up.dataset, sizeof up.dataset, "%.700s/%.300s", above, p->dataset);
        if (fmd_locate(&found, up.dataset, up.dir) == FMD_OK) {
            *p = up;
            break;
        }
    }
    free(above);
}

/* Rank 0. The data location of the run, unless the user names a new one. For a data set without a
 * name, the user's folder is the data set itself. */
static fmd_status recall(place *p, const fmd_json *run, const char *weights,
                         const fmd_config *config, bool with_images)
{
    const char *dataset = fmd_json_get_text(run, NULL, FMD_KEY_DATASET);
    const char *dir = fmd_json_get_text(run, NULL, "data-dir");
    if (dataset != NULL)
        snprintf(p->dataset, sizeof p->dataset, "%s", dataset);
    const bool named = !fmd_locate_is_path(p->dataset);
    if (fmd_config_gives(config, "data-dir") &&
        (dir == NULL || strcmp(config->data.dir, dir) != 0)) {
        if (!named && *p->dir != '\0')
            snprintf(p->dataset, sizeof p->dataset, "%s%.1000s",
                     fmd_locate_is_path(p->dir) ? "" : "./", p->dir);
        return FMD_OK;
    }
    snprintf(p->dir, sizeof p->dir, "%s", dir != NULL ? dir : "");
    look_above(p, weights);
    const char *folder = named ? p->dir : p->dataset;
    if (with_images && *folder != '\0' && access(folder, F_OK) != 0)
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot open '%s', where the run had its data: %s; name their folder with "
                        "--dataset",
                        folder, strerror(errno));
    return FMD_OK;
}

/* Rank 0. The data location: the user's choice, else the location of the run. */
static fmd_status find_data(place *p, const fmd_weights_file *f, const fmd_config *config,
                            bool with_images)
{
    fmd_json *run;
    memcpy(p->dataset, config->data.dataset, sizeof p->dataset);
    memcpy(p->dir, config->data.dir, sizeof p->dir);
    if (fmd_config_gives(config, "dataset"))
        return FMD_OK;
    FMD_TRY(read_of_run(&run, f, FMD_FILE_CONFIG));
    const fmd_status st = run != NULL ? recall(p, run, f->path, config, with_images) : FMD_OK;
    fmd_json_destroy(run);
    return st;
}

/* Collective. Loads the images, or only the description of the data set. */
static fmd_status open_data(fmd_loaded_model *t, fmd_comm *c, const fmd_config *config,
                            fmd_loaded_model_needs needs)
{
    const bool with_images = needs >= FMD_NEEDS_STREAM;
    place p;
    memset(&p, 0, sizeof p);
    fmd_status st = fmd_comm_rank(c) == 0 ? find_data(&p, &t->file, config, with_images) : FMD_OK;
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, &p, sizeof p);
    if (needs == FMD_NEEDS_STREAM && config->data.stream)
        return fmd_loader_stream(c, p.dataset, p.dir, &t->data);
    if (with_images)
        return fmd_loader_read(c, p.dataset, p.dir, &t->data);
    st = fmd_comm_rank(c) == 0 ? fmd_source_names(&t->data.info, p.dataset, p.dir) : FMD_OK;
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, &t->data.info, sizeof t->data.info);
    return FMD_OK;
}

/* Texts of --loss and --metrics. */
typedef struct aims {
    char loss[sizeof((fmd_config *)0)->objective.loss];
    char metrics[sizeof((fmd_config *)0)->objective.metrics];
} aims;

/* Rank 0. Loss and metrics: the user's choice, else those of the run. */
static fmd_status find_aims(aims *a, const fmd_weights_file *f, const fmd_config *config)
{
    fmd_json *run;
    memcpy(a->loss, config->objective.loss, sizeof a->loss);
    memcpy(a->metrics, config->objective.metrics, sizeof a->metrics);
    FMD_TRY(read_of_run(&run, f, FMD_FILE_CONFIG));
    const char *loss = run != NULL ? fmd_json_get_text(run, NULL, "loss") : NULL;
    const char *metric;
    if (loss != NULL && !fmd_config_gives(config, "loss"))
        snprintf(a->loss, sizeof a->loss, "%s", loss);
    for (size_t i = 0; run != NULL && !fmd_config_gives(config, "metrics") &&
                       (metric = fmd_json_get_item(run, NULL, "metrics", i)) != NULL;
         i++)
        snprintf(a->metrics + strlen(a->metrics), sizeof a->metrics - strlen(a->metrics), ",%s",
                 metric);
    fmd_json_destroy(run);
    return FMD_OK;
}

/* Collective. */
static fmd_status open_objective(fmd_loaded_model *t, fmd_comm *c, const fmd_config *config)
{
    aims a;
    memset(&a, 0, sizeof a);
    FMD_TRY(fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? find_aims(&a, &t->file, config) : FMD_OK));
    fmd_comm_bcast(c, &a, sizeof a);
    FMD_TRY(fmd_loss_parse(&t->objective.loss, a.loss));
    return fmd_metric_list_parse(&t->objective.metrics, a.metrics,
                                 (size_t)fmd_model_classes(t->model));
}

/* Whether the model fits the data. */
static fmd_status check_fit(const fmd_model *m, const fmd_dataset_info *d)
{
    const fmd_shape in = fmd_model_in(m);
    char model_shape[FMD_SHAPE_TEXT], data_shape[FMD_SHAPE_TEXT];
    if (!fmd_weights_same_images(in, d->image))
        return FMD_FAIL(
            FMD_EUSAGE, "the model expects images of shape %s, but images of %s have shape %s",
            fmd_shape_text(in, 0, model_shape), d->name, fmd_shape_text(d->image, 0, data_shape));
    return fmd_model_check_classes(m, d->classes, fmd_class_name(d, d->classes - 1));
}

/* Rank 0. Whether the hashes of the split differ from those in run.json; false if either is
 * unknown. Of streamed images, the first part of a split, there is no hash of the file. */
static bool is_foreign(const fmd_loaded_model *t, fmd_split_name split)
{
    const int first = split == FMD_SPLIT_TEST ? FMD_TEST_IMAGES : FMD_TRAIN_IMAGES;
    char text[FMD_HASH_TEXT];
    fmd_json *record;
    bool foreign = false;
    if (read_of_run(&record, &t->file, FMD_FILE_RECORD) != FMD_OK || record == NULL)
        return false;
    for (int i = first + t->data.info.streamed; i < first + 2; i++) {
        const char *known = fmd_json_get_text(record, FMD_KEY_DATA, fmd_dataset_key(i));
        foreign = foreign ||
                  (known != NULL && strcmp(known, fmd_hash_text(t->data.info.hash[i], text)) != 0);
    }
    fmd_json_destroy(record);
    return foreign;
}

/* Rank 0. Warns if the images differ from the run's, unless the user named the data set
 * explicitly. */
static fmd_status check_own(fmd_loaded_model *t, const fmd_config *config,
                            fmd_loaded_model_needs needs)
{
    t->foreign = is_foreign(t, (fmd_split_name)config->view.split);
    if (t->foreign && needs == FMD_NEEDS_OWN_IMAGES)
        return FMD_FAIL(FMD_EDATA, "the %s data in '%s' differ from the run's", t->half,
                        t->data.info.path);
    if (t->foreign && !fmd_config_gives(config, "dataset"))
        fmd_warn("the %s data in '%s' differ from the run's", t->half, t->data.info.path);
    return FMD_OK;
}

/* Local. A model with memory to evaluate. */
static fmd_status create_model(fmd_loaded_model *t, const fmd_config *config)
{
    const fmd_dataset_info *data = &t->data.info;
    fmd_model_size size;
    FMD_TRY(fmd_weights_file_measure(&size, &t->file, config, data->image, data->classes));
    return fmd_weights_file_model(
        &t->model, &t->file, config, data->image, data->classes,
        fmd_model_size_group(&size, FMD_EVALUATE_MICROBATCH, FMD_EVALUATE_SAMPLES));
}

/* Collective. The weights, in a model that fits the data. */
static fmd_status open_model(fmd_loaded_model *t, fmd_comm *c, const fmd_config *config,
                             fmd_loaded_model_needs needs)
{
    const bool with_images = needs >= FMD_NEEDS_STREAM;
    FMD_TRY(fmd_comm_agree(c, create_model(t, config)));
    FMD_TRY(fmd_weights_file_load(c, &t->file, t->model));
    FMD_TRY(with_images ? check_fit(t->model, &t->data.info)
                        : fmd_model_check_classes(t->model, 1, ""));
    if (!with_images)
        return FMD_OK;
    FMD_TRY(open_objective(t, c, config));
    return fmd_comm_agree(c, fmd_comm_rank(c) == 0 ? check_own(t, config, needs) : FMD_OK);
}

fmd_status fmd_loaded_model_open(fmd_loaded_model *t, fmd_comm *c, const fmd_config *config,
                                 fmd_loaded_model_needs needs)
{
    memset(t, 0, sizeof *t);
    FMD_TRY(fmd_weights_file_open(c, &t->file, config->model.weights));
    FMD_TRY(divisor(&t->file, config, &t->divisor));
    choose_precision(&t->file, config);
    t->data.info.image =
        *t->file.info.model.layers != '\0' ? t->file.info.model.in : FMD_MNIST_IMAGE;
    t->data.info.classes = 10;
    if (needs > FMD_NEEDS_NO_DATA)
        FMD_TRY(open_data(t, c, config, needs));
    t->split = config->view.split == FMD_SPLIT_TEST ? t->data.test : t->data.train;
    t->half = config->view.split == FMD_SPLIT_TEST ? "test" : "train";
    const fmd_status st = open_model(t, c, config, needs);
    if (st != FMD_OK)
        fmd_loaded_model_close(t);
    return st;
}

void fmd_loaded_model_close(fmd_loaded_model *t)
{
    fmd_model_destroy(t->model);
    t->model = NULL;
    fmd_loader_close(&t->data);
}

const char *fmd_class_text(const fmd_dataset_info *d, int label, char text[FMD_CLASS_TEXT])
{
    const char *name = fmd_class_name(d, label);
    snprintf(text, FMD_CLASS_TEXT, "%d%s%.50s", label, *name != '\0' ? " " : "", name);
    return text;
}
