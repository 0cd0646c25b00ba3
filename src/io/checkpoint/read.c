#include "base/mem.h"
#include "fmd/checkpoint.h"
#include "io/checkpoint/reader.h"
#include "io/checkpoint/state_entry.h"
#include "io/keras/layout.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads the tensor at `at`, which messages call `what`. */
static fmd_status read_tensor(const fmd_reader *r, const char *at, const char *what,
                              fmd_shape shape, float *values)
{
    fmd_status status = FMD_OK;
    char found[FMD_KERAS_PATH], expected[FMD_SHAPE_TEXT];
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hid_t dataset = H5Dopen2(r->file, at, H5P_DEFAULT);
    if (dataset < 0) {
        char why[FMD_H5_WHY];
        status = FMD_FAIL(FMD_EDATA, "'%s' lacks %s, '%s': %s", r->path, what, at, fmd_h5_why(why));
        goto out;
    }
    if ((type = H5Dget_type(dataset)) < 0 || (space = H5Dget_space(dataset)) < 0) {
        status = fmd_reader_damaged(r, at);
        goto out;
    }
    if (H5Tequal(type, H5T_IEEE_F32LE) <= 0) {
        status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has %s, expected 4-byte little-endian floats",
                          r->path, what, at, fmd_h5_type_text(type, found, sizeof found));
        goto out;
    }
    if (!fmd_h5_space_equals(space, shape)) {
        status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has shape %s, expected %s", r->path, what, at,
                          fmd_h5_space_text(space, found, sizeof found),
                          fmd_shape_text(shape, 0, expected));
        goto out;
    }
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        status = fmd_reader_damaged(r, at);
        goto out;
    }
    for (size_t i = 0; i < fmd_shape_count(shape); i++)
        if (!isfinite(values[i])) {
            status = FMD_FAIL(FMD_EDATA, "'%s': %s, '%s', has %g at index %zu", r->path, what, at,
                              (double)values[i], i);
            goto out;
        }
out:
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* Finds what the tensors alone do not show: more layers or variables than the model has. */
static fmd_status check_count(const fmd_reader *r, const char *group, const char *what,
                              size_t expected)
{
    H5G_info_t info;
    if (H5Gget_info_by_name(r->file, group, &info, H5P_DEFAULT) < 0)
        return fmd_reader_damaged(r, group);
    if (info.nlinks != expected)
        return FMD_FAIL(FMD_EDATA, "'%s': '%s' has %llu %s, expected %zu", r->path, group,
                        (unsigned long long)info.nlinks, what, expected);
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

fmd_status fmd_checkpoint_read_info(const char *path, fmd_checkpoint_info *info)
{
    fmd_status status;
    fmd_checkpoint_info read = {0};
    fmd_reader r;
    int normalize, n;
    FMD_TRY(fmd_reader_open(&r, path));
    if ((status = fmd_reader_text(&r, FMD_KERAS_OURS, "layers", read.layers, sizeof read.layers)) !=
            FMD_OK ||
        (status = fmd_reader_ints(&r, "normalize", &normalize, 1, &n)) != FMD_OK ||
        (status = fmd_reader_ints(&r, "input_shape", read.in.dim, FMD_SHAPE_MAX, &read.in.rank)) !=
            FMD_OK)
        goto out;
    int values = 1;
    for (int i = 0; i < read.in.rank; i++)
        if (read.in.dim[i] < 1 || __builtin_mul_overflow(values, read.in.dim[i], &values)) {
            status = FMD_FAIL(FMD_EDATA,
                              "'%s' is damaged: input_shape has %d, expected at least 1 and %d "
                              "values at most",
                              path, read.in.dim[i], INT_MAX);
            goto out;
        }
    read.normalize = normalize != 0;
    read.step = r.step;
    *info = read;
out:
    fmd_reader_close(&r);
    return status;
}

/* All parameters, and nothing in the file that the model lacks. */
static fmd_status read_params(const fmd_reader *r, const fmd_model *m, float *values)
{
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
        const fmd_tensor *t = fmd_model_tensor(m, i);
        char at[FMD_KERAS_PATH], what[FMD_KERAS_PATH];
        fmd_keras_tensor_path(m, i, at);
        snprintf(what, sizeof what, "the %s of %s", t->name,
                 fmd_model_layer(m, (size_t)t->layer)->name);
        FMD_TRY(read_tensor(r, at, what, t->shape, values + t->offset));
    }
    FMD_TRY(check_count(r, "/layers", "layers", fmd_model_n_layers(m)));
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        char vars[FMD_KERAS_PATH];
        snprintf(vars, sizeof vars, "/layers/%s/vars", l->name);
        FMD_TRY(check_count(r, vars, "variables", l->n_tensors));
    }
    return FMD_OK;
}

fmd_status fmd_checkpoint_read_params(const char *path, fmd_model *m)
{
    float *values = NULL;
    fmd_reader r;
    FMD_TRY(fmd_reader_open(&r, path));
    /* The model changes only when all is read. */
    fmd_status status =
        fmd_alloc(&values, fmd_model_n_params(m), sizeof *values, "parameters of the file");
    if (status == FMD_OK)
        status = read_params(&r, m, values);
    if (status == FMD_OK)
        memcpy(fmd_model_params(m), values, fmd_model_n_params(m) * sizeof *values);
    free(values);
    fmd_reader_close(&r);
    return status;
}

/* Fails with the list of all fingerprint that differ. */
static fmd_status check_fingerprint(const fmd_reader *r, const fmd_state *s)
{
    char list[FMD_ERROR_BYTES] = "";
    size_t used = 0;
    FMD_TRY(check_count(r, FMD_KERAS_FINGERPRINT, "links", 0)); /* a group of attributes */
    for (size_t i = 0; i < s->n_fingerprint; i++) {
        const fmd_fingerprint_entry *t = &s->fingerprint[i];
        char text[FMD_OPTION_TEXT_BYTES];
        if (H5Aexists_by_name(r->file, FMD_KERAS_FINGERPRINT, t->name, H5P_DEFAULT) == 0)
            snprintf(text, sizeof text, "unknown"); /* another version's file is not a bad one */
        else
            FMD_TRY(fmd_reader_text(r, FMD_KERAS_FINGERPRINT, t->name, text, sizeof text));
        if (strcmp(text, t->text) != 0 && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s is %s there, %s here",
                                     used > 0 ? "; " : "", t->name, text, t->text);
    }
    if (used > 0)
        return FMD_FAIL(FMD_EUSAGE, "'%s' is of another run: %.800s", r->path, list);
    return FMD_OK;
}

/* Slots lie one behind another in `values`, each like the parameters. */
static fmd_status read_slots(const fmd_reader *r, const fmd_state *s, float *values)
{
    const fmd_model *m = s->model;
    const size_t slots = fmd_optimizer_n_slots(s->optimizer);
    for (size_t slot = 0; slot < slots; slot++)
        for (size_t i = 0; i < fmd_model_n_tensors(m); i++) {
            const fmd_tensor *t = fmd_model_tensor(m, i);
            char at[FMD_KERAS_PATH];
            fmd_keras_slot_path(m, s->optimizer, slot, i, at);
            FMD_TRY(read_tensor(r, at, fmd_optimizer_slot_name(s->optimizer, slot), t->shape,
                                values + slot * fmd_model_n_params(m) + t->offset));
        }
    return check_count(r, "/optimizer/vars", "variables", 2 + slots * fmd_model_n_tensors(m));
}

/* An state entry must be just as it would have been written. */
static fmd_status read_entry(const fmd_reader *r, const fmd_state_entry *item, void *values)
{
    fmd_status status = FMD_OK;
    char at[FMD_KERAS_PATH];
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    snprintf(at, sizeof at, FMD_KERAS_STATE "/%s", item->name);
    hid_t dataset = H5Dopen2(r->file, at, H5P_DEFAULT);
    if (dataset < 0 || (type = H5Dget_type(dataset)) < 0 || (space = H5Dget_space(dataset)) < 0) {
        status = fmd_reader_damaged(r, at);
        goto out;
    }
    if (H5Tequal(type, fmd_h5_entry_type(item)) <= 0 ||
        H5Sget_simple_extent_npoints(space) != (hssize_t)item->count) {
        status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not %zu values of its type", r->path,
                          at, item->count);
        goto out;
    }
    if (H5Dread(dataset, fmd_h5_entry_type(item), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = fmd_reader_damaged(r, at);
out:
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* Everything is read into `memory` first: parameters, slots, state entries. */
static fmd_status read_all(const fmd_reader *r, const fmd_state *s, char *memory)
{
    const size_t params = fmd_model_n_params(s->model) * sizeof(float);
    const size_t slots = fmd_optimizer_n_slots(s->optimizer);
    FMD_TRY(check_fingerprint(r, s));
    FMD_TRY(read_params(r, s->model, (float *)(void *)memory));
    FMD_TRY(read_slots(r, s, (float *)(void *)(memory + params)));
    char *at = memory + (1 + slots) * params;
    for (size_t i = 0; i < s->n_entries; i++) {
        FMD_TRY(read_entry(r, &s->entries[i], at));
        at += fmd_state_entry_bytes(&s->entries[i]);
    }
    return check_count(r, FMD_KERAS_STATE, "values", s->n_entries);
}

static void take_over(const fmd_state *s, uint64_t step, const char *memory)
{
    const size_t params = fmd_model_n_params(s->model) * sizeof(float);
    memcpy(fmd_model_params(s->model), memory, params);
    memory += params;
    for (size_t i = 0; i < fmd_optimizer_n_slots(s->optimizer); i++, memory += params)
        memcpy(fmd_optimizer_slot(s->optimizer, i), memory, params);
    for (size_t i = 0; i < s->n_entries; i++) {
        memcpy(s->entries[i].data, memory, fmd_state_entry_bytes(&s->entries[i]));
        memory += fmd_state_entry_bytes(&s->entries[i]);
    }
    fmd_optimizer_set_steps(s->optimizer, step);
}

fmd_status fmd_checkpoint_read(const char *path, const fmd_state *s)
{
    char *memory = NULL;
    fmd_reader r;
    size_t bytes =
        (1 + fmd_optimizer_n_slots(s->optimizer)) * fmd_model_n_params(s->model) * sizeof(float);
    for (size_t i = 0; i < s->n_entries; i++)
        bytes += fmd_state_entry_bytes(&s->entries[i]);
    FMD_TRY(fmd_reader_open(&r, path));
    fmd_status status = fmd_alloc(&memory, bytes, 1, "the state of a checkpoint");
    if (status == FMD_OK)
        status = read_all(&r, s, memory);
    if (status == FMD_OK)
        take_over(s, r.step, memory);
    free(memory);
    fmd_reader_close(&r);
    return status;
}
