/* Writes checkpoints: the two layouts of Keras, and the program's own group. */
#include "base/mem.h"
#include "fmd/version.h"
#include "io/atomic_file.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/format.h"
#include "io/checkpoint/user_block.h"
#include "io/hdf5/h5_writer.h"
#include "io/keras/config.h"
#include "io/keras/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keras 2 treats a missing or older version as Keras 1, and flips kernels of other backends. */
static const char keras_version[] = "2.15.0", keras_backend[] = "tensorflow";

/* The variables of a layer: by number for Keras 3, and links to them with a list of names for Keras
 * 2. */
static fmd_status put_layer(fmd_h5_writer *w, const fmd_keras_layout *k, const fmd_layer *l)
{
    char path[FMD_KERAS_PATH], link[2 * FMD_KERAS_PATH], (*names)[FMD_KERAS_PATH];
    const char *name = fmd_keras_group(k, l);
    const size_t n = fmd_layer_n_variables(l);
    FMD_TRY(fmd_alloc(&names, n + 1, sizeof *names, "the names of variables"));
    snprintf(path, sizeof path, "/layers/%s", name);
    fmd_h5_put_group(w, path);
    snprintf(path, sizeof path, "/layers/%s/vars", name);
    fmd_h5_put_group(w, path);
    snprintf(link, sizeof link, "/model_weights/%s", name);
    fmd_h5_put_group(w, link);
    if (n > 0) {
        snprintf(link, sizeof link, "/model_weights/%s/%s", name, name);
        fmd_h5_put_group(w, link);
    }
    for (size_t i = 0; i < n; i++) {
        const fmd_tensor *t = fmd_model_tensor(k->model, fmd_layer_variable(l, i));
        fmd_keras_tensor_path(k, fmd_layer_variable(l, i), path);
        fmd_h5_put_dataset(w, path, t->shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                           fmd_model_params(k->model) + t->offset);
        snprintf(names[i], sizeof names[i], "%s/%s:0", name, t->name);
        snprintf(link, sizeof link, "/model_weights/%s/%s/%s:0", name, name, t->name);
        fmd_h5_put_link(w, path, link);
    }
    snprintf(link, sizeof link, "/model_weights/%s", name);
    fmd_h5_put_list(w, link, "weight_names", n, sizeof *names, *names);
    free(names);
    return FMD_OK;
}

/* An attribute holds less than 64 kB; Keras reads longer lists from layer_names0, layer_names1, ... */
static void put_layer_names(fmd_h5_writer *w, size_t n, const char *names)
{
    const size_t most = 64000 / FMD_LAYER_NAME;
    char name[32] = "layer_names";
    for (size_t part = 0; part * most < n; part++) {
        const size_t left = n - part * most;
        if (n > most)
            snprintf(name, sizeof name, "layer_names%zu", part);
        fmd_h5_put_list(w, "/model_weights", name, left < most ? left : most, FMD_LAYER_NAME,
                        names + part * most * FMD_LAYER_NAME);
    }
}

static fmd_status put_model(fmd_h5_writer *w, const fmd_keras_layout *k)
{
    const size_t n = fmd_model_n_layers(k->model);
    char *names;
    fmd_status status = FMD_OK;
    FMD_TRY(fmd_alloc(&names, n, FMD_LAYER_NAME, "the names of the layers"));
    fmd_h5_put_group(w, "/vars"); /* empty, but Keras 3.3 requires it */
    fmd_h5_put_group(w, "/layers");
    fmd_h5_put_group(w, "/model_weights");
    if (k->functional) { /* Keras counts its input as a layer */
        fmd_h5_put_group(w, "/layers/input_layer");
        fmd_h5_put_group(w, "/layers/input_layer/vars");
    }
    for (size_t i = 0; status == FMD_OK && i < n; i++) {
        const fmd_layer *l = fmd_keras_layer(k, i);
        status = put_layer(w, k, l);
        memcpy(names + i * FMD_LAYER_NAME, fmd_keras_group(k, l), FMD_LAYER_NAME);
    }
    put_layer_names(w, n, names);
    fmd_h5_put_text(w, "/model_weights", "keras_version", keras_version);
    fmd_h5_put_text(w, "/model_weights", "backend", keras_backend);
    free(names);
    return status;
}

/* Iteration, learning rate, slots, and the scalar of some optimizers. */
static void put_optimizer(fmd_h5_writer *w, const fmd_keras_layout *k, const fmd_optimizer *o,
                          double learning_rate)
{
    const fmd_model *m = k->model;
    char path[FMD_KERAS_PATH];
    const fmd_shape scalar = {.rank = 0};
    const uint64_t steps = fmd_optimizer_steps(o);
    const fmd_optimizer_ops *ops = fmd_optimizer_ops_of(o);
    fmd_h5_put_group(w, "/optimizer");
    fmd_h5_put_group(w, "/optimizer/vars");
    fmd_h5_put_dataset(w, "/optimizer/vars/0", scalar,
                       steps > INT32_MAX ? H5T_STD_I64LE : H5T_STD_I32LE, H5T_NATIVE_UINT64,
                       &steps);
    fmd_h5_put_dataset(w, "/optimizer/vars/1", scalar, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE,
                       &learning_rate);
    for (size_t slot = 0; slot < fmd_optimizer_n_slots(o); slot++)
        for (size_t i = 0; i < fmd_model_n_trainable_tensors(m); i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            fmd_h5_put_dataset(w, fmd_keras_slot_path(k, o, slot, i, path), t->shape,
                               H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                               fmd_optimizer_slot(o, slot) + t->offset);
        }
    if (ops->scalar == NULL)
        return;
    const double value = ops->scalar(fmd_optimizer_args(o), steps);
    snprintf(path, sizeof path, "/optimizer/vars/%zu",
             2 + fmd_optimizer_n_slots(o) * fmd_model_n_trainable_tensors(m));
    fmd_h5_put_dataset(w, path, scalar, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, &value);
}

static fmd_status put_configs(fmd_h5_writer *w, const fmd_keras_layout *k, const fmd_optimizer *o,
                              double learning_rate)
{
    char *config;
    FMD_TRY(fmd_keras_model_config(&config, k));
    fmd_h5_put_text(w, "/", "model_config", config);
    free(config);
    if (fmd_optimizer_ops_of(o)->keras_class != NULL) { /* else Keras loads the model uncompiled */
        FMD_TRY(fmd_keras_training_config(&config, o, learning_rate));
        fmd_h5_put_text(w, "/", "training_config", config);
        free(config);
    }
    fmd_h5_put_text(w, "/", "keras_version", keras_version);
    fmd_h5_put_text(w, "/", "backend", keras_backend);
    return FMD_OK;
}

static void put_entry(fmd_h5_writer *w, const fmd_state_entry *item)
{
    const hid_t file_types[] = {[FMD_STATE_U8] = H5T_STD_U8LE,
                                [FMD_STATE_I32] = H5T_STD_I32LE,
                                [FMD_STATE_I64] = H5T_STD_I64LE,
                                [FMD_STATE_F32] = H5T_IEEE_F32LE,
                                [FMD_STATE_F64] = H5T_IEEE_F64LE};
    char path[FMD_KERAS_PATH];
    const fmd_shape shape = {.rank = 1, .dim = {(int)item->count}};
    snprintf(path, sizeof path, FMD_FORMAT_STATE "/%s", item->name);
    fmd_h5_put_dataset(w, path, shape, file_types[item->kind], fmd_format_type(item->kind),
                       item->data);
}

/* The part of the state that Keras does not have. */
static void put_ours(fmd_h5_writer *w, const fmd_state *s)
{
    const fmd_shape in = fmd_model_in(s->model);
    fmd_h5_put_group(w, FMD_FORMAT_GROUP);
    fmd_h5_put_int(w, FMD_FORMAT_GROUP, "format_version", FMD_FORMAT_VERSION);
    fmd_h5_put_text(w, FMD_FORMAT_GROUP, "program_version", FMD_VERSION);
    fmd_h5_put_text(w, FMD_FORMAT_GROUP, "layers", fmd_model_spec(s->model));
    fmd_h5_put_ints(w, FMD_FORMAT_GROUP, "input_shape", (size_t)in.rank, in.dim);
    fmd_h5_put_int(w, FMD_FORMAT_GROUP, "normalize", s->normalize);
    fmd_h5_put_group(w, FMD_FORMAT_FINGERPRINT);
    for (size_t i = 0; i < s->n_fingerprint; i++) {
        const fmd_fingerprint_entry *e = &s->fingerprint[i];
        if (e->absent == NULL || strcmp(e->text, e->absent) != 0)
            fmd_h5_put_text(w, FMD_FORMAT_FINGERPRINT, e->name, e->text);
    }
    fmd_h5_put_group(w, FMD_FORMAT_STATE);
    for (size_t i = 0; i < s->n_entries; i++)
        put_entry(w, &s->entries[i]);
}

static fmd_status put_state(fmd_h5_writer *w, const fmd_keras_layout *k, const fmd_state *s)
{
    FMD_TRY(put_configs(w, k, s->optimizer, s->learning_rate));
    FMD_TRY(put_model(w, k));
    put_optimizer(w, k, s->optimizer, s->learning_rate);
    put_ours(w, s);
    return FMD_OK;
}

fmd_status fmd_checkpoint_build(fmd_checkpoint_image *out, const char *path, const fmd_state *s)
{
    fmd_h5_writer w;
    fmd_keras_layout k;
    fmd_checkpoint_image image = {.step = s->step};
    FMD_TRY(fmd_keras_layout_create(&k, s->model));
    fmd_h5_writer_begin(&w, FMD_USER_BLOCK_BYTES);
    fmd_status status = put_state(&w, &k, s);
    const fmd_status made = fmd_h5_writer_finish(&w, path, &image.data, &image.bytes);
    fmd_keras_layout_free(&k);
    status = status != FMD_OK ? status : made;
    if (status == FMD_OK)
        *out = image;
    else
        free(image.data);
    return status;
}

void fmd_checkpoint_seal(fmd_checkpoint_image *image)
{
    fmd_user_block_fill(image->data, image->bytes, image->step);
}

fmd_status fmd_checkpoint_write(const char *path, const fmd_state *s)
{
    fmd_checkpoint_image image;
    FMD_TRY(fmd_checkpoint_build(&image, path, s));
    fmd_checkpoint_seal(&image);
    const fmd_status st = fmd_atomic_file_write(path, image.data, image.bytes);
    free(image.data);
    return st;
}
