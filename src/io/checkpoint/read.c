#include "base/mem.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/format.h"
#include "io/checkpoint/reader.h"
#include "io/keras/layout.h"

#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Magnitudes, sums and means of squares; layers and optimizers take their roots. */
static bool is_square(const char *what)
{
    return strstr(what, "variance") != NULL || strncmp(what, "velocity", 8) == 0 ||
           strncmp(what, "accumulat", 9) == 0 || strcmp(what, "norm") == 0;
}

/* Reads the tensor at `at`, which messages call `what`. */
static fmd_status read_tensor(const fmd_reader *r, const char *at, const char *what,
                              fmd_shape shape, float *values)
{
    fmd_status status = FMD_OK;
    char found[FMD_H5_TEXT], expected[FMD_SHAPE_TEXT];
    hid_t dataset;
    FMD_TRY(fmd_reader_dataset(&dataset, r, at));
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    if (H5Tequal(type, H5T_IEEE_F32LE) <= 0)
        status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has %s, expected 4-byte little-endian floats",
                          r->h5.path, what, at, fmd_h5_type_text(type, found));
    else if (!fmd_h5_space_equals(space, shape))
        status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has shape %s, expected %s", r->h5.path, what,
                          at, fmd_h5_space_text(space, found), fmd_shape_text(shape, 0, expected));
    else if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = fmd_h5_damaged(&r->h5, at);
    const float least = is_square(what) ? 0 : -FLT_MAX;
    for (size_t i = 0; status == FMD_OK && i < fmd_shape_count(shape); i++)
        if (!(values[i] >= least && values[i] <= FLT_MAX))
            status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has %g at index %zu", r->h5.path, what,
                              at, (double)values[i], i);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(dataset);
    return status;
}

/* Detects surplus layers and variables, which reading the model's tensors would miss. */
static fmd_status check_count(const fmd_reader *r, const char *group, const char *what,
                              size_t expected)
{
    size_t found;
    FMD_TRY(fmd_reader_count(&found, r, group));
    if (found != expected)
        return FMD_FAIL(FMD_EDATA, "'%s': '%s' has %zu %s, expected %zu", r->h5.path, group, found,
                        what, expected);
    return FMD_OK;
}

fmd_status fmd_checkpoint_verify(const char *path, uint64_t *step)
{
    void *data;
    size_t bytes;
    FMD_TRY(fmd_reader_bytes(&data, &bytes, path, step));
    free(data);
    return FMD_OK;
}

/* A short text can describe a model of any size. Its size is compared with the file before the model
 * is allocated. */
static fmd_status check_model(const fmd_reader *r, const fmd_checkpoint_info *info)
{
    fmd_model_size size;
    const fmd_status st = fmd_model_measure(&size, info->layers, info->in);
    if (st == FMD_EUSAGE) {
        char why[FMD_ERROR_BYTES];
        snprintf(why, sizeof why, "%s", fmd_error_message());
        return FMD_FAIL(FMD_EDATA, "'%s' describes a model that cannot be built: %.800s",
                        r->h5.path, why);
    }
    if (st == FMD_OK && size.params * sizeof(float) > r->h5.bytes)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' is damaged: its layers have %zu parameters, more than fit into its "
                        "%zu bytes",
                        r->h5.path, size.params, r->h5.bytes);
    return st;
}

/* Files of versions without bf16 do not tell. */
static fmd_status read_precision(const fmd_reader *r, bool *bf16)
{
    char text[FMD_OPTION_TEXT_BYTES] = "";
    if (H5Aexists_by_name(r->h5.id, FMD_FORMAT_FINGERPRINT, "precision", H5P_DEFAULT) > 0)
        FMD_TRY(fmd_reader_text(r, FMD_FORMAT_FINGERPRINT, "precision", text, sizeof text));
    *bf16 = strcmp(text, "bf16") == 0;
    return FMD_OK;
}

static fmd_status read_info(const fmd_reader *r, fmd_checkpoint_info *info)
{
    int normalize, n, values = 1;
    FMD_TRY(fmd_reader_text(r, FMD_FORMAT_GROUP, "layers", info->layers, sizeof info->layers));
    FMD_TRY(fmd_reader_ints(r, "normalize", 0, 1, &normalize, 1, &n));
    FMD_TRY(
        fmd_reader_ints(r, "input_shape", 1, INT_MAX, info->in.dim, FMD_SHAPE_MAX, &info->in.rank));
    for (int i = 0; i < info->in.rank; i++)
        if (__builtin_mul_overflow(values, info->in.dim[i], &values))
            return FMD_FAIL(FMD_EDATA, "'%s' is damaged: input_shape has more than %d values",
                            r->h5.path, INT_MAX);
    info->normalize = normalize == 1;
    FMD_TRY(read_precision(r, &info->bf16));
    info->step = r->step;
    return check_model(r, info);
}

fmd_status fmd_checkpoint_read_info(const char *path, fmd_checkpoint_info *info)
{
    fmd_checkpoint_info read = {0};
    fmd_reader r;
    FMD_TRY(fmd_reader_open(&r, path));
    const fmd_status status = read_info(&r, &read);
    if (status == FMD_OK)
        *info = read;
    fmd_reader_close(&r);
    return status;
}

/* Reads all parameters. FMD_EDATA if the file has more. */
static fmd_status read_params(const fmd_reader *r, const fmd_keras_layout *k, float *values)
{
    const fmd_model *m = k->model;
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        char at[FMD_KERAS_PATH], what[FMD_KERAS_PATH];
        fmd_keras_tensor_path(k, i, at);
        snprintf(what, sizeof what, "the %s of %s", t->name,
                 fmd_model_layer(m, (size_t)t->layer)->name);
        FMD_TRY(read_tensor(r, at, what, t->shape, values + t->offset));
    }
    FMD_TRY(check_count(r, "/layers", "layers", fmd_model_n_layers(m) + k->functional));
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        char vars[FMD_KERAS_PATH];
        snprintf(vars, sizeof vars, "/layers/%s/vars", fmd_keras_group(k, l));
        FMD_TRY(check_count(r, vars, "variables", fmd_layer_n_variables(l)));
    }
    return FMD_OK;
}

/* The model changes only after everything has been read. */
static fmd_status replace_params(const fmd_reader *r, const fmd_keras_layout *k)
{
    const size_t n = fmd_model_n_params(k->model);
    float *values;
    FMD_TRY(fmd_alloc(&values, n, sizeof *values, "parameters of the file"));
    const fmd_status status = read_params(r, k, values);
    if (status == FMD_OK)
        memcpy(fmd_model_params(k->model), values, n * sizeof *values);
    free(values);
    return status;
}

fmd_status fmd_checkpoint_read_params(const char *path, fmd_model *m)
{
    fmd_reader r;
    fmd_keras_layout k;
    FMD_TRY(fmd_reader_open(&r, path));
    fmd_status status = fmd_keras_layout_create(&k, m);
    if (status == FMD_OK) {
        status = replace_params(&r, &k);
        fmd_keras_layout_free(&k);
    }
    fmd_reader_close(&r);
    return status;
}

/* The slots follow each other in `values`, each in the order of the parameters. */
static fmd_status read_slots(const fmd_reader *r, const fmd_keras_layout *k, const fmd_state *s,
                             float *values)
{
    const fmd_model *m = s->model;
    const size_t slots = fmd_optimizer_n_slots(s->optimizer);
    const size_t tensors = fmd_model_n_trainable_tensors(m);
    for (size_t slot = 0; slot < slots; slot++)
        for (size_t i = 0; i < tensors; i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            char at[FMD_KERAS_PATH];
            fmd_keras_slot_path(k, s->optimizer, slot, i, at);
            FMD_TRY(read_tensor(r, at, fmd_optimizer_slot_name(s->optimizer, slot), t->shape,
                                values + slot * fmd_model_n_trainable_params(m) + t->offset));
        }
    return check_count(r, "/optimizer/vars", "variables",
                       2 + slots * tensors + (fmd_optimizer_ops_of(s->optimizer)->scalar != NULL));
}

/* Reads into `memory`: parameters, slots, state entries. */
static fmd_status read_all(const fmd_reader *r, const fmd_keras_layout *k, const fmd_state *s,
                           char *memory)
{
    const size_t params = fmd_model_n_params(s->model) * sizeof(float);
    const size_t slots = fmd_optimizer_n_slots(s->optimizer);
    FMD_TRY(check_count(r, FMD_FORMAT_FINGERPRINT, "links", 0)); /* a group of attributes */
    FMD_TRY(read_params(r, k, (float *)(void *)memory));
    FMD_TRY(read_slots(r, k, s, (float *)(void *)(memory + params)));
    char *at = memory + params + slots * fmd_model_n_trainable_params(s->model) * sizeof(float);
    for (size_t i = 0; i < s->n_entries; i++) {
        FMD_TRY(fmd_reader_entry(r, &s->entries[i], at));
        at += fmd_state_entry_bytes(&s->entries[i]);
    }
    return check_count(r, FMD_FORMAT_STATE, "values", s->n_entries);
}

static void take_over(const fmd_state *s, uint64_t step, const char *memory)
{
    const size_t params = fmd_model_n_params(s->model) * sizeof(float);
    memcpy(fmd_model_params(s->model), memory, params);
    memory += params;
    const size_t slot = fmd_model_n_trainable_params(s->model) * sizeof(float);
    for (size_t i = 0; i < fmd_optimizer_n_slots(s->optimizer); i++, memory += slot)
        memcpy(fmd_optimizer_slot(s->optimizer, i), memory, slot);
    for (size_t i = 0; i < s->n_entries; i++) {
        memcpy(s->entries[i].data, memory, fmd_state_entry_bytes(&s->entries[i]));
        memory += fmd_state_entry_bytes(&s->entries[i]);
    }
    fmd_optimizer_set_steps(s->optimizer, step);
}

static size_t state_bytes(const fmd_state *s)
{
    const size_t slots = fmd_optimizer_n_slots(s->optimizer);
    size_t bytes = sizeof(float) *
                   (fmd_model_n_params(s->model) + slots * fmd_model_n_trainable_params(s->model));
    for (size_t i = 0; i < s->n_entries; i++)
        bytes += fmd_state_entry_bytes(&s->entries[i]);
    return bytes;
}

fmd_status fmd_checkpoint_read(const char *path, const fmd_state *s)
{
    char *memory = NULL;
    fmd_reader r;
    fmd_keras_layout k;
    FMD_TRY(fmd_reader_open(&r, path));
    fmd_status status = fmd_keras_layout_create(&k, s->model);
    if (status == FMD_OK) {
        status = fmd_alloc(&memory, state_bytes(s), 1, "the state of a checkpoint");
        if (status == FMD_OK)
            status = read_all(&r, &k, s, memory);
        fmd_keras_layout_free(&k);
    }
    if (status == FMD_OK)
        take_over(s, r.step, memory);
    free(memory);
    fmd_reader_close(&r);
    return status;
}
