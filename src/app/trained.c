#include "app/trained.h"

#include "fmd/evaluate.h"
#include "fmd/feed.h"
#include "fmd/json_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where a file of Keras' does not say what images its model takes, those of the MNIST family. */
static const fmd_shape mnist_image = {.rank = 2, .dim = {28, 28}};

/* Whether the model fits the data. */
static fmd_status check_data(const fmd_model *m, const fmd_dataset_info *d)
{
    const fmd_shape in = fmd_model_in(m);
    char model_shape[FMD_SHAPE_TEXT], data_shape[FMD_SHAPE_TEXT];
    if (!fmd_weights_same_images(in, d->image))
        return FMD_FAIL(FMD_EUSAGE, "the model takes images of shape %s, but those of %s have %s",
                        fmd_shape_text(in, 0, model_shape), d->name,
                        fmd_shape_text(d->image, 0, data_shape));
    return fmd_model_check_classes(m, d->classes, fmd_class_name(d, d->classes - 1));
}

/* What pixels are divided by. Our checkpoints know it; of Keras' files only the user does. */
static fmd_status divisor(const fmd_weights_file *f, const fmd_config *config, float *out)
{
    if (!f->info.keras && f->info.model.normalize && !config->normalize)
        return FMD_FAIL(FMD_EUSAGE, "--no-normalize: '%s' was trained on pixels divided by 255",
                        f->path);
    *out = config->normalize && f->info.model.normalize ? 255 : 1;
    return FMD_OK;
}

/* Where the data set of a run is. */
typedef struct place {
    char dataset[FMD_PATH_BYTES], dir[FMD_PATH_BYTES];
} place;

static bool is_default(const char *name, const char *value)
{
    const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, name);
    return strcmp(value, o->initial) == 0;
}

/* Rank 0. What the user says; of what the user does not, what config.json of the run says, which
 * lies in the folder above the one of the weights. */
static fmd_status find_data(place *p, const fmd_weights_file *f, const fmd_config *config)
{
    char path[FMD_WEIGHTS_PATH_BYTES + 32];
    fmd_json *run = NULL;
    snprintf(p->dataset, sizeof p->dataset, "%s", config->dataset);
    snprintf(p->dir, sizeof p->dir, "%s", config->data_dir);
    const char *slash = strrchr(f->path, '/');
    snprintf(path, sizeof path, "%.*s../config.json",
             slash == NULL ? 0 : (int)(slash + 1 - f->path), f->path);
    if (!is_default("dataset", config->dataset) || f->info.keras || access(path, F_OK) != 0)
        return FMD_OK;
    FMD_TRY(fmd_json_read(&run, path));
    const char *dataset = fmd_json_get_text(run, NULL, "dataset");
    const char *dir = fmd_json_get_text(run, NULL, "data-dir");
    if (dataset != NULL)
        snprintf(p->dataset, sizeof p->dataset, "%s", dataset);
    if (dir != NULL && *config->data_dir == '\0')
        snprintf(p->dir, sizeof p->dir, "%s", dir);
    fmd_json_destroy(run);
    return FMD_OK;
}

/* Collective. The images, or all that can be known of a data set without them. */
static fmd_status open_data(fmd_trained *t, fmd_comm *c, const fmd_config *config, bool with_images)
{
    place p;
    memset(&p, 0, sizeof p);
    fmd_status st = fmd_comm_rank(c) == 0 ? find_data(&p, &t->file, config) : FMD_OK;
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, &p, sizeof p);
    if (with_images)
        return fmd_feed_load(c, p.dataset, p.dir, &t->data);
    const bool told = *t->file.info.model.layers != '\0';
    t->data.info.image = told ? t->file.info.model.in : mnist_image;
    t->data.info.classes = 10;
    st = fmd_comm_rank(c) == 0 ? fmd_dataset_names(&t->data.info, p.dataset, p.dir) : FMD_OK;
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, &t->data.info, sizeof t->data.info);
    return FMD_OK;
}

fmd_status fmd_trained_open(fmd_trained *t, fmd_comm *c, const fmd_config *config, bool with_images)
{
    memset(t, 0, sizeof *t);
    FMD_TRY(fmd_weights_file_open(c, &t->file, config->weights));
    FMD_TRY(divisor(&t->file, config, &t->divisor));
    FMD_TRY(open_data(t, c, config, with_images));
    t->split = config->split == FMD_SPLIT_TEST ? t->data.test : t->data.train;
    t->half = config->split == FMD_SPLIT_TEST ? "test" : "train";
    fmd_status st =
        fmd_comm_agree(c, fmd_weights_file_model(&t->model, &t->file, config, t->data.info.image,
                                                 t->data.info.classes, FMD_EVALUATE_ROWS));
    if (st == FMD_OK)
        st = fmd_weights_file_load(c, &t->file, t->model);
    if (st == FMD_OK)
        st = with_images ? check_data(t->model, &t->data.info)
                         : fmd_model_check_classes(t->model, 1, "");
    if (st != FMD_OK)
        fmd_trained_close(t);
    return st;
}

void fmd_trained_close(fmd_trained *t)
{
    fmd_model_destroy(t->model);
    t->model = NULL;
}

const char *fmd_class_text(const fmd_dataset_info *d, int label, char text[FMD_CLASS_TEXT])
{
    const char *name = fmd_class_name(d, label);
    snprintf(text, FMD_CLASS_TEXT, "%d%s%.50s", label, *name != '\0' ? " " : "", name);
    return text;
}
