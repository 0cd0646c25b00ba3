/* evaluate: loss and accuracy of a trained model on the test images. */
#include "app/config.h"
#include "app/weights.h"
#include "fmd/comm.h"
#include "fmd/evaluate.h"
#include "fmd/feed.h"

#include <stdio.h>

/* Whether the model fits the data. */
static fmd_status check_data(const fmd_model *m, const fmd_dataset_info *d)
{
    const fmd_shape in = fmd_model_in(m);
    char model_shape[FMD_SHAPE_TEXT], data_shape[FMD_SHAPE_TEXT];
    if (!fmd_weights_same_images(in, d->image))
        return FMD_FAIL(FMD_EUSAGE, "the model takes images of shape %s, but those of %s have %s",
                        fmd_shape_text(in, 0, model_shape), d->name,
                        fmd_shape_text(d->image, 0, data_shape));
    return fmd_model_check_classes(m, d->classes, fmd_class_name(d->name, d->classes - 1));
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

fmd_status fmd_cmd_evaluate(fmd_comm *c, const fmd_config *config)
{
    fmd_model *model = NULL;
    fmd_weights_file file;
    fmd_dataset data;
    fmd_evaluation e;
    float pixel = 255;
    FMD_TRY(fmd_weights_file_open(c, &file, config->weights));
    FMD_TRY(divisor(&file, config, &pixel));
    FMD_TRY(fmd_feed_load(c, config->dataset, config->data_dir, &data));
    fmd_status st = fmd_weights_file_model(&model, &file, config, data.info.image,
                                           data.info.classes, FMD_EVALUATE_ROWS);
    if ((st = fmd_comm_agree(c, st)) != FMD_OK ||
        (st = fmd_weights_file_load(c, &file, model)) != FMD_OK ||
        (st = check_data(model, &data.info)) != FMD_OK)
        goto out;
    st = fmd_evaluate(c, model, &data.test, pixel, &e);
    if (st != FMD_OK || fmd_comm_rank(c) != 0)
        goto out;
    char hash[FMD_HASH_TEXT];
    printf("data   %s %s · %zu test images\n", data.info.name, data.info.path, data.info.n_test);
    printf("model  sequential: %s\n", fmd_model_spec(model));
    if (file.info.keras)
        printf("input  pixels %s: Keras' files do not say\n",
               pixel == 1 ? "0 to 255" : "divided by 255 (else --no-normalize)");
    printf("test   loss %.4f · accuracy %.4f (%.0f of %zu) · %.2f s\n", e.loss, e.accuracy,
           e.accuracy * (double)data.info.n_test, data.info.n_test, e.seconds);
    printf("weights xxh3:%s\n", fmd_hash_text(fmd_model_hash(model), hash));
out:
    fmd_model_destroy(model);
    return st;
}
