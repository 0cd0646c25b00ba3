/* Writes .keras archives. */
#include "io/archive_writer.h"
#include "io/hdf5/h5_writer.h"
#include "io/json/json_value.h"
#include "io/keras/archive.h"
#include "io/keras/config.h"
#include "io/keras/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keras shows version and date, and uses neither; without a date equal models give equal files. */
static const char metadata[] = "{\"keras_version\": \"3.3.3\", \"date_saved\": \"\"}";

static fmd_status out_of_memory(void)
{
    return FMD_FAIL(FMD_ENOMEM, "out of memory: the model's description for Keras");
}

/* The description in a checkpoint, with the names of modules that Keras 3 looks up classes in. Layers
 * without them have the form of Keras 2, which it reads as well. */
static fmd_status describe(char **out, const fmd_keras_layout *k)
{
    char *text;
    FMD_TRY(fmd_keras_model_config(&text, k));
    json_t *root = json_loads(text, 0, NULL);
    free(text);
    int failed = root == NULL;
    failed |= json_object_set_new(root, "module", json_string("keras"));
    failed |= json_object_set_new(root, "registered_name", json_null());
    *out = failed ? NULL : fmd_json_print(root, false);
    json_decref(root);
    return *out == NULL ? out_of_memory() : FMD_OK;
}

static void put_group(fmd_h5_writer *h, const char *group)
{
    char path[FMD_KERAS_PATH];
    snprintf(path, sizeof path, "/layers/%s", group);
    fmd_h5_put_group(h, path);
    snprintf(path, sizeof path, "/layers/%s/vars", group);
    fmd_h5_put_group(h, path);
}

static fmd_status write_weights(char **data, size_t *bytes, const char *path,
                                const fmd_keras_layout *k)
{
    fmd_h5_writer h;
    char name[FMD_KERAS_PATH];
    const fmd_model *m = k->model;
    fmd_h5_writer_begin(&h, 0);
    fmd_h5_put_group(&h, "/vars"); /* empty, but Keras 3.3 requires it */
    fmd_h5_put_group(&h, "/layers");
    if (k->functional)
        put_group(&h, "input_layer");
    for (size_t i = 0; i < fmd_model_n_layers(m); i++)
        put_group(&h, fmd_keras_group(k, fmd_model_layer(m, i)));
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        fmd_h5_put_dataset(&h, fmd_keras_tensor_path(k, i, name), t->shape, H5T_IEEE_F32LE,
                           H5T_NATIVE_FLOAT, fmd_model_params(m) + t->offset);
    }
    return fmd_h5_writer_finish(&h, path, data, bytes);
}

static fmd_status add_text(fmd_archive_writer *w, const char *name, char *text)
{
    return text == NULL ? out_of_memory() : fmd_archive_writer_add(w, name, text, strlen(text));
}

static fmd_status write_files(fmd_archive_writer *w, const char *path, const fmd_keras_layout *k)
{
    char *config, *weights;
    size_t bytes;
    FMD_TRY(add_text(w, "metadata.json", strdup(metadata)));
    FMD_TRY(describe(&config, k));
    FMD_TRY(add_text(w, "config.json", config));
    FMD_TRY(write_weights(&weights, &bytes, path, k));
    FMD_TRY(fmd_archive_writer_add(w, "model.weights.h5", weights, bytes));
    return fmd_archive_writer_finish(w, path);
}

fmd_status fmd_keras_archive_write(const char *path, const fmd_model *m)
{
    fmd_keras_layout k;
    fmd_archive_writer *w;
    FMD_TRY(fmd_keras_layout_create(&k, m));
    fmd_status st = fmd_archive_writer_create(&w);
    if (st == FMD_OK) {
        st = write_files(w, path, &k);
        fmd_archive_writer_destroy(w);
    }
    fmd_keras_layout_free(&k);
    return st;
}
