#include "fmd/checkpoint.h"

#include "base/mem.h"
#include "io/atomic_file.h"
#include "io/checkpoint/state_entry.h"
#include "io/checkpoint/user_block.h"
#include "io/keras/config.h"
#include "io/keras/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keras 2 takes a missing or older version for Keras 1, and flips kernels of other backends. */
static const char keras_version[] = "2.15.0", keras_backend[] = "tensorflow";

/* A file under construction. Calls go on after a failure, with ids that HDF5 refuses, and the cause
 * of the first one is kept. */
typedef struct writer {
    hid_t file;
    hid_t new_group, new_dataset; /* creation properties: no times in the file */
    char why[FMD_H5_WHY];         /* "": all is well */
} writer;

static hid_t check(writer *w, hid_t result)
{
    if (result < 0 && w->why[0] == '\0')
        fmd_h5_why(w->why);
    return result;
}

static void put_group(writer *w, const char *path)
{
    H5Gclose(check(w, H5Gcreate2(w->file, path, H5P_DEFAULT, w->new_group, H5P_DEFAULT)));
}

static void put_dataset(writer *w, const char *path, fmd_shape shape, hid_t file_type,
                        hid_t memory_type, const void *data)
{
    hsize_t dims[FMD_SHAPE_MAX];
    for (int i = 0; i < shape.rank; i++)
        dims[i] = (hsize_t)shape.dim[i];
    hid_t space = check(w, H5Screate_simple(shape.rank, dims, NULL));
    hid_t dataset = check(
        w, H5Dcreate2(w->file, path, file_type, space, H5P_DEFAULT, w->new_dataset, H5P_DEFAULT));
    check(w, H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    H5Dclose(dataset);
    H5Sclose(space);
}

static void put_attribute(writer *w, const char *path, const char *name, hid_t space,
                          hid_t file_type, hid_t memory_type, const void *data)
{
    hid_t attribute = check(w, H5Acreate_by_name(w->file, path, name, file_type, space, H5P_DEFAULT,
                                                 H5P_DEFAULT, H5P_DEFAULT));
    check(w, H5Awrite(attribute, memory_type, data));
    H5Aclose(attribute);
}

/* `n` strings, `stride` bytes apart. Fixed length with room for the NUL is the one form that all
 * versions of Keras read; an empty list is of numbers, as h5py makes it. */
static void put_strings(writer *w, const char *path, const char *name, hid_t space, size_t n,
                        size_t stride, const char *strings)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(strings + i * stride);
        longest = length > longest ? length : longest;
    }
    hid_t file_type = check(w, H5Tcopy(n > 0 ? H5T_C_S1 : H5T_IEEE_F64LE));
    hid_t memory_type = check(w, H5Tcopy(n > 0 ? H5T_C_S1 : H5T_NATIVE_DOUBLE));
    if (n > 0) {
        check(w, H5Tset_size(file_type, longest + 1));
        check(w, H5Tset_size(memory_type, stride));
    }
    put_attribute(w, path, name, space, file_type, memory_type, strings);
    H5Tclose(memory_type);
    H5Tclose(file_type);
}

static void put_text(writer *w, const char *path, const char *name, const char *text)
{
    hid_t space = check(w, H5Screate(H5S_SCALAR));
    put_strings(w, path, name, space, 1, strlen(text) + 1, text);
    H5Sclose(space);
}

static void put_list(writer *w, const char *path, const char *name, size_t n, size_t stride,
                     const char *strings)
{
    hid_t space = check(w, H5Screate_simple(1, &(hsize_t){n}, NULL));
    put_strings(w, path, name, space, n, stride, strings);
    H5Sclose(space);
}

static void put_int(writer *w, const char *path, const char *name, int value)
{
    hid_t space = check(w, H5Screate(H5S_SCALAR));
    put_attribute(w, path, name, space, H5T_STD_I32LE, H5T_NATIVE_INT, &value);
    H5Sclose(space);
}

/* The variables of a layer where Keras 3 looks for them, by number, and links to them where Keras 2
 * does, by a list of names. */
static void put_layer(writer *w, const fmd_model *m, const fmd_layer *l)
{
    char path[FMD_KERAS_PATH], link[2 * FMD_KERAS_PATH];
    char names[FMD_LAYER_SLOTS][FMD_KERAS_PATH];
    snprintf(path, sizeof path, "/layers/%s", l->name);
    put_group(w, path);
    snprintf(path, sizeof path, "/layers/%s/vars", l->name);
    put_group(w, path);
    snprintf(link, sizeof link, "/model_weights/%s", l->name);
    put_group(w, link);
    if (l->n_tensors > 0) {
        snprintf(link, sizeof link, "/model_weights/%s/%s", l->name, l->name);
        put_group(w, link);
    }
    for (size_t i = 0; i < l->n_tensors; i++) {
        const fmd_tensor *t = fmd_model_tensor(m, l->first_tensor + i);
        fmd_keras_tensor_path(m, l->first_tensor + i, path);
        put_dataset(w, path, t->shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                    fmd_model_params(m) + t->offset);
        snprintf(names[i], sizeof names[i], "%s/%s:0", l->name, t->name);
        snprintf(link, sizeof link, "/model_weights/%s/%s/%s:0", l->name, l->name, t->name);
        check(w, H5Lcreate_hard(w->file, path, w->file, link, H5P_DEFAULT, H5P_DEFAULT));
    }
    snprintf(link, sizeof link, "/model_weights/%s", l->name);
    put_list(w, link, "weight_names", l->n_tensors, sizeof names[0], names[0]);
}

static fmd_status put_model(writer *w, const fmd_model *m)
{
    const size_t n = fmd_model_n_layers(m);
    char *names;
    FMD_TRY(fmd_alloc(&names, n, FMD_LAYER_NAME, "the names of the layers"));
    put_group(w, "/vars"); /* empty, but Keras 3.3 wants it */
    put_group(w, "/layers");
    put_group(w, "/model_weights");
    for (size_t i = 0; i < n; i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        put_layer(w, m, l);
        memcpy(names + i * FMD_LAYER_NAME, l->name, FMD_LAYER_NAME);
    }
    put_list(w, "/model_weights", "layer_names", n, FMD_LAYER_NAME, names);
    put_text(w, "/model_weights", "keras_version", keras_version);
    put_text(w, "/model_weights", "backend", keras_backend);
    free(names);
    return FMD_OK;
}

/* Iteration, learning rate, slots. */
static void put_optimizer(writer *w, const fmd_model *m, const fmd_optimizer *o,
                          double learning_rate)
{
    char path[FMD_KERAS_PATH];
    const fmd_shape scalar = {.rank = 0};
    const uint64_t steps = fmd_optimizer_steps(o);
    put_group(w, "/optimizer");
    put_group(w, "/optimizer/vars");
    put_dataset(w, "/optimizer/vars/0", scalar, steps > INT32_MAX ? H5T_STD_I64LE : H5T_STD_I32LE,
                H5T_NATIVE_UINT64, &steps);
    put_dataset(w, "/optimizer/vars/1", scalar, H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, &learning_rate);
    for (size_t slot = 0; slot < fmd_optimizer_n_slots(o); slot++)
        for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            put_dataset(w, fmd_keras_slot_path(m, o, slot, i, path), t->shape, H5T_IEEE_F32LE,
                        H5T_NATIVE_FLOAT, fmd_optimizer_slot(o, slot) + t->offset);
        }
}

static fmd_status put_configs(writer *w, const fmd_model *m, const fmd_optimizer *o,
                              double learning_rate)
{
    char *config;
    FMD_TRY(fmd_keras_model_config(&config, m));
    put_text(w, "/", "model_config", config);
    free(config);
    FMD_TRY(fmd_keras_training_config(&config, o, learning_rate));
    put_text(w, "/", "training_config", config);
    free(config);
    put_text(w, "/", "keras_version", keras_version);
    put_text(w, "/", "backend", keras_backend);
    return FMD_OK;
}

static void put_entry(writer *w, const fmd_state_entry *item)
{
    const hid_t file_types[] = {[FMD_STATE_U8] = H5T_STD_U8LE,
                                [FMD_STATE_I32] = H5T_STD_I32LE,
                                [FMD_STATE_I64] = H5T_STD_I64LE,
                                [FMD_STATE_F32] = H5T_IEEE_F32LE,
                                [FMD_STATE_F64] = H5T_IEEE_F64LE};
    char path[FMD_KERAS_PATH];
    const fmd_shape shape = {.rank = 1, .dim = {(int)item->count}};
    snprintf(path, sizeof path, FMD_KERAS_STATE "/%s", item->name);
    put_dataset(w, path, shape, file_types[item->kind], fmd_h5_entry_type(item), item->data);
}

/* What Keras has no place for. */
static void put_ours(writer *w, const fmd_state *s)
{
    const fmd_shape in = fmd_model_in(s->model);
    put_group(w, FMD_KERAS_OURS);
    put_int(w, FMD_KERAS_OURS, "format_version", FMD_KERAS_FORMAT);
    put_text(w, FMD_KERAS_OURS, "program_version", FMD_VERSION);
    put_text(w, FMD_KERAS_OURS, "layers", fmd_model_spec(s->model));
    hid_t space = check(w, H5Screate_simple(1, &(hsize_t){(hsize_t)in.rank}, NULL));
    put_attribute(w, FMD_KERAS_OURS, "input_shape", space, H5T_STD_I32LE, H5T_NATIVE_INT, in.dim);
    H5Sclose(space);
    put_int(w, FMD_KERAS_OURS, "normalize", s->normalize);
    put_group(w, FMD_KERAS_FINGERPRINT);
    for (size_t i = 0; i < s->n_fingerprint; i++)
        put_text(w, FMD_KERAS_FINGERPRINT, s->fingerprint[i].name, s->fingerprint[i].text);
    put_group(w, FMD_KERAS_STATE);
    for (size_t i = 0; i < s->n_entries; i++)
        put_entry(w, &s->entries[i]);
}

static void create_file(writer *w)
{
    hid_t access = check(w, fmd_h5_memory_access());
    check(w, H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18));
    w->file = check(w, H5Fcreate(FMD_H5_MEMORY, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    w->new_group = check(w, H5Pcreate(H5P_GROUP_CREATE));
    w->new_dataset = check(w, H5Pcreate(H5P_DATASET_CREATE));
    check(w, H5Pset_obj_track_times(w->new_group, false));
    check(w, H5Pset_obj_track_times(w->new_dataset, false));
    check(w, H5Pset_fill_time(w->new_dataset, H5D_FILL_TIME_NEVER));
    H5Pclose(access);
}

/* The file in memory, with room in front for the user block. */
static fmd_status make_image(const char *path, const fmd_state *s, char **image, size_t *bytes)
{
    fmd_status status = FMD_OK;
    writer w = {.why = ""};
    create_file(&w);
    if ((status = put_configs(&w, s->model, s->optimizer, s->learning_rate)) != FMD_OK ||
        (status = put_model(&w, s->model)) != FMD_OK)
        goto out;
    put_optimizer(&w, s->model, s->optimizer, s->learning_rate);
    put_ours(&w, s);
    check(&w, H5Fflush(w.file, H5F_SCOPE_GLOBAL));
    ssize_t length = check(&w, H5Fget_file_image(w.file, NULL, 0));
    if (w.why[0] == '\0') {
        *bytes = (size_t)length + FMD_USER_BLOCK_BYTES;
        if ((status = fmd_alloc(image, *bytes, 1, "the image of a checkpoint")) != FMD_OK)
            goto out;
        check(&w, H5Fget_file_image(w.file, *image + FMD_USER_BLOCK_BYTES, (size_t)length));
    }
    if (w.why[0] != '\0')
        status = FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, w.why);
out:
    H5Pclose(w.new_dataset);
    H5Pclose(w.new_group);
    H5Fclose(w.file);
    return status;
}

fmd_status fmd_checkpoint_write(const char *path, const fmd_state *s)
{
    char *image = NULL;
    size_t bytes = 0;
    fmd_status status = make_image(path, s, &image, &bytes);
    if (status == FMD_OK) {
        fmd_user_block_fill(image, bytes, s->step);
        status = fmd_atomic_file_write(path, image, bytes);
    }
    free(image);
    return status;
}
