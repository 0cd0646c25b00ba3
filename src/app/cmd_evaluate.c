/* evaluate: loss and accuracy of a trained model on the test images. */
#include "app/config.h"
#include "app/weights.h"
#include "fmd/comm.h"
#include "fmd/evaluate.h"
#include "fmd/feed.h"

#include <stdio.h>

/* Collective. The model in the file, its parameters on every rank. */
static fmd_status load_model(fmd_comm *c, const fmd_config *config, fmd_model **model,
                             fmd_keras_info *info)
{
    const bool root = fmd_comm_rank(c) == 0;
    char path[FMD_WEIGHTS_PATH_BYTES];
    fmd_status st = FMD_OK;
    if (root && (st = fmd_weights_path(config->weights, path)) == FMD_OK)
        st = fmd_keras_read_info(path, info);
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, info, sizeof *info);
    st = fmd_model_create(model, info->layers, info->in, FMD_EVALUATE_ROWS);
    if (st == FMD_OK && root)
        st = fmd_keras_read_params(path, *model);
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_bcast(c, fmd_model_params(*model), fmd_model_n_params(*model) * sizeof(float));
    return FMD_OK;
}

/* Whether the model fits the data. */
static fmd_status check_data(const fmd_model *m, const fmd_dataset_info *d)
{
    const fmd_shape in = fmd_model_in(m);
    char model_shape[FMD_SHAPE_TEXT], data_shape[FMD_SHAPE_TEXT];
    bool same = in.rank == d->image.rank;
    for (int i = 0; same && i < in.rank; i++)
        same = in.dim[i] == d->image.dim[i];
    if (!same)
        return FMD_FAIL(FMD_EUSAGE, "the model takes images of shape %s, but those of %s have %s",
                        fmd_shape_text(in, 0, model_shape), d->name,
                        fmd_shape_text(d->image, 0, data_shape));
    return fmd_model_check_classes(m, d->classes, fmd_class_name(d->name, d->classes - 1));
}

fmd_status fmd_cmd_evaluate(fmd_comm *c, const fmd_config *config)
{
    fmd_model *model = NULL;
    fmd_keras_info info = {.normalize = true};
    fmd_dataset data;
    fmd_evaluation e;
    fmd_status st = load_model(c, config, &model, &info);
    if (st != FMD_OK)
        goto out;
    if ((st = fmd_feed_load(c, config->dataset, config->data_dir, &data)) != FMD_OK ||
        (st = check_data(model, &data.info)) != FMD_OK)
        goto out;
    st = fmd_evaluate(c, model, &data.test, info.normalize ? 255 : 1, &e);
    if (st != FMD_OK || fmd_comm_rank(c) != 0)
        goto out;
    char hash[FMD_HASH_TEXT];
    printf("data   %s %s · %zu test images\n", data.info.name, data.info.path, data.info.n_test);
    printf("model  sequential: %s\n", fmd_model_spec(model));
    printf("test   loss %.4f · accuracy %.4f (%.0f of %zu) · %.2f s\n", e.loss, e.accuracy,
           e.accuracy * (double)data.info.n_test, data.info.n_test, e.seconds);
    printf("weights xxh3:%s\n", fmd_hash_text(fmd_model_hash(model), hash));
out:
    fmd_model_destroy(model);
    return st;
}
