/* fmd/model.h: models with memory to evaluate, and their files. */
#include "nn/model.h"
#include "io/checkpoint/checkpoint.h"
#include "math/gemm.h"
#include "run/weights_file.h"
#include "train/evaluation/evaluate.h"

/* Pixels are divided by this, or not at all. */
static const double divisor_of_bytes = 255;

static fmd_status check_image(fmd_shape s)
{
    bool sound = s.rank >= 1 && s.rank <= FMD_SHAPE_MAX;
    for (int i = 0; sound && i < s.rank; i++)
        sound = s.dim[i] >= 1;
    return sound
               ? FMD_OK
               : FMD_FAIL(FMD_EUSAGE, "the shape of an image has 1 to %d dimensions of at least 1",
                          FMD_SHAPE_MAX);
}

fmd_status fmd_model_build(fmd_model **out, const char *layers, fmd_shape image)
{
    fmd_model_size size;
    FMD_TRY(check_image(image));
    FMD_TRY(fmd_math_open(FMD_GEMM_AUTO, 1));
    FMD_TRY(fmd_model_measure(&size, layers, image));
    return fmd_model_create(
        out, layers, image,
        fmd_model_size_group(&size, FMD_EVALUATE_MICROBATCH, FMD_EVALUATE_SAMPLES));
}

static fmd_status build_from_file(fmd_model **out, const fmd_weights_file *f)
{
    if (*f->info.model.layers == '\0')
        return FMD_FAIL(
            FMD_EUSAGE, "'%s' holds weights but no layers that this library has: %s", f->path,
            *f->info.unknown != '\0' ? f->info.unknown : "save the whole model with Keras");
    return fmd_model_build(out, f->info.model.layers, f->info.model.in);
}

fmd_status fmd_model_load(fmd_model **out, fmd_comm *c, const char *path, double *divisor)
{
    fmd_weights_file file;
    fmd_model *m = NULL;
    FMD_TRY(fmd_weights_file_open(c, &file, path));
    FMD_TRY(fmd_comm_agree(c, build_from_file(&m, &file)));
    const fmd_status st = fmd_weights_file_load(c, &file, m);
    if (st != FMD_OK) {
        fmd_model_destroy(m);
        return st;
    }
    *divisor = file.info.keras || file.info.model.normalize ? divisor_of_bytes : 1;
    *out = m;
    return FMD_OK;
}

fmd_status fmd_model_save(const fmd_model *m, const char *path, double divisor)
{
    fmd_optimizer *o;
    FMD_TRY(fmd_optimizer_create(&o, "sgd", fmd_model_n_trainable_params(m)));
    fmd_status st = fmd_optimizer_set_model(o, m);
    const fmd_state state = {.model = (fmd_model *)(uintptr_t)m, /* read only */
                             .optimizer = o,
                             .normalize = divisor != 1};
    if (st == FMD_OK)
        st = fmd_checkpoint_write(path, &state);
    fmd_optimizer_destroy(o);
    return st;
}
