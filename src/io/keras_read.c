#include "fmd/keras_file.h"
#include "fmd/mem.h"
#include "io/keras_layout.h"
#include "io/whole_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of ours, open in memory: so no lock is asked of a file system that has none. */
typedef struct reader {
    const char *path;
    hid_t file;
} reader;

static fmd_status damaged(const reader *r, const char *part)
{
    char why[FMD_H5_WHY];
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s: %s", r->path, part, fmd_h5_why(why));
}

/* HDF5 looks for its signature at 0, 512, 1024, 2048, ... */
static bool is_hdf5(const char *data, size_t bytes)
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    const size_t n = sizeof signature - 1;
    for (size_t at = 0; at + n <= bytes; at = at == 0 ? 512 : 2 * at)
        if (memcmp(data + at, signature, n) == 0)
            return true;
    return false;
}

/* One integer attribute of our group, or up to `most` of them; *n tells how many. */
static fmd_status read_ints(const reader *r, const char *name, int *values, int most, int *n)
{
    fmd_status status = FMD_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hid_t attribute = H5Aopen_by_name(r->file, FMD_KERAS_OURS, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0) {
        status = damaged(r, name);
        goto out;
    }
    hssize_t count = H5Sget_simple_extent_npoints(space);
    if (H5Tget_class(type) != H5T_INTEGER || count < 1 || count > most) {
        status =
            FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not 1 to %d integers", r->path, name, most);
        goto out;
    }
    *n = (int)count;
    if (H5Aread(attribute, H5T_NATIVE_INT, values) < 0)
        status = damaged(r, name);
out:
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

/* A text attribute of our group, into `size` bytes. */
static fmd_status read_text(const reader *r, const char *name, char *text, size_t size)
{
    fmd_status status = FMD_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, memory_type = H5I_INVALID_HID;
    hid_t attribute = H5Aopen_by_name(r->file, FMD_KERAS_OURS, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0) {
        status = damaged(r, name);
        goto out;
    }
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
        H5Sget_simple_extent_npoints(space) != 1 || H5Tget_size(type) > size) {
        status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not text of at most %zu characters",
                          r->path, name, size - 1);
        goto out;
    }
    if ((memory_type = H5Tcopy(H5T_C_S1)) < 0 || H5Tset_size(memory_type, size) < 0 ||
        H5Tset_cset(memory_type, H5Tget_cset(type)) < 0 ||
        H5Aread(attribute, memory_type, text) < 0)
        status = damaged(r, name);
out:
    H5Tclose(memory_type);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

static fmd_status check_ours(const reader *r)
{
    int format, n;
    char version[32];
    if (H5Lexists(r->file, FMD_KERAS_OURS, H5P_DEFAULT) <= 0)
        return FMD_FAIL(FMD_EDATA, "'%s' was not written by fmnist-dist: it has no group %s",
                        r->path, FMD_KERAS_OURS);
    FMD_TRY(read_ints(r, "format_version", &format, 1, &n));
    FMD_TRY(read_text(r, "program_version", version, sizeof version));
    if (format != FMD_KERAS_FORMAT)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' has format %d, written by fmnist-dist %s; this is %s and reads "
                        "format %d",
                        r->path, format, version, FMD_VERSION, FMD_KERAS_FORMAT);
    return FMD_OK;
}

static void close_reader(reader *r)
{
    H5Fclose(r->file);
}

static fmd_status open_reader(reader *r, const char *path)
{
    fmd_status status = FMD_OK;
    void *data = NULL;
    size_t bytes;
    hid_t access = H5I_INVALID_HID;
    *r = (reader){.path = path, .file = H5I_INVALID_HID};
    FMD_TRY(fmd_whole_file_read(&data, &bytes, path));
    if (!is_hdf5(data, bytes)) {
        status = FMD_FAIL(FMD_EDATA, "'%s' is not an HDF5 file", path);
        goto out;
    }
    access = fmd_h5_memory_access();
    if (H5Pset_file_image(access, data, bytes) < 0 ||
        (r->file = H5Fopen(FMD_H5_MEMORY, H5F_ACC_RDONLY, access)) < 0) {
        status = damaged(r, "it does not open");
        goto out;
    }
    status = check_ours(r);
    if (status != FMD_OK)
        close_reader(r);
out:
    if (access >= 0)
        H5Pclose(access);
    free(data);
    return status;
}

/* "(784, 128)" of a data space of any rank. */
static const char *space_text(hid_t space, char *text, size_t size)
{
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    int used = snprintf(text, size, "(");
    for (int i = 0; i < rank && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%llu", i > 0 ? ", " : "",
                         (unsigned long long)dims[i]);
    if ((size_t)used < size)
        snprintf(text + used, size - (size_t)used, ")");
    return text;
}

static bool space_equals(hid_t space, fmd_shape shape)
{
    hsize_t dims[H5S_MAX_RANK];
    if (H5Sget_simple_extent_dims(space, dims, NULL) != shape.rank)
        return false;
    for (int i = 0; i < shape.rank; i++)
        if (dims[i] != (hsize_t)shape.dim[i])
            return false;
    return true;
}

/* "8-byte floats", for messages. */
static const char *type_text(hid_t type, char *text, size_t size)
{
    H5T_class_t class = H5Tget_class(type);
    if (H5Tget_size(type) == 4 && class == H5T_FLOAT)
        snprintf(text, size, "big-endian floats");
    else
        snprintf(text, size, "%zu-byte %s", H5Tget_size(type),
                 class == H5T_FLOAT     ? "floats"
                 : class == H5T_INTEGER ? "integers"
                                        : "values that are not numbers");
    return text;
}

/* Reads tensor number `i` of the model into `values`. */
static fmd_status read_tensor(const reader *r, const fmd_model *m, size_t i, float *values)
{
    fmd_status status = FMD_OK;
    char at[FMD_KERAS_PATH], found[FMD_KERAS_PATH], expected[FMD_SHAPE_TEXT];
    const fmd_tensor *t = fmd_model_tensor(m, i);
    const char *layer = fmd_model_layer(m, (size_t)t->layer)->name;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    fmd_keras_tensor_path(m, i, at);
    hid_t dataset = H5Dopen2(r->file, at, H5P_DEFAULT);
    if (dataset < 0) {
        char why[FMD_H5_WHY];
        status = FMD_FAIL(FMD_EDATA, "'%s' lacks the %s of %s, '%s': %s", r->path, t->name, layer,
                          at, fmd_h5_why(why));
        goto out;
    }
    if ((type = H5Dget_type(dataset)) < 0 || (space = H5Dget_space(dataset)) < 0) {
        status = damaged(r, at);
        goto out;
    }
    if (H5Tequal(type, H5T_IEEE_F32LE) <= 0) {
        status = FMD_FAIL(FMD_EDATA,
                          "'%s': the %s of %s, '%s', has %s, expected 4-byte little-endian floats",
                          r->path, t->name, layer, at, type_text(type, found, sizeof found));
        goto out;
    }
    if (!space_equals(space, t->shape)) {
        status = FMD_FAIL(FMD_EDATA, "'%s': the %s of %s, '%s', has shape %s, expected %s", r->path,
                          t->name, layer, at, space_text(space, found, sizeof found),
                          fmd_shape_text(t->shape, 0, expected));
        goto out;
    }
    if (H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        status = damaged(r, at);
        goto out;
    }
    for (size_t j = 0; j < t->count; j++)
        if (!isfinite(values[j])) {
            status = FMD_FAIL(FMD_EDATA, "'%s': the %s of %s, '%s', has %g at index %zu", r->path,
                              t->name, layer, at, (double)values[j], j);
            goto out;
        }
out:
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

/* Finds what the tensors alone do not show: more layers or variables than the model has. */
static fmd_status check_count(const reader *r, const char *group, const char *what, size_t expected)
{
    H5G_info_t info;
    if (H5Gget_info_by_name(r->file, group, &info, H5P_DEFAULT) < 0)
        return damaged(r, group);
    if (info.nlinks != expected)
        return FMD_FAIL(FMD_EDATA, "'%s': '%s' has %llu %s, expected %zu", r->path, group,
                        (unsigned long long)info.nlinks, what, expected);
    return FMD_OK;
}

fmd_status fmd_keras_read_info(const char *path, fmd_keras_info *info)
{
    fmd_status status;
    fmd_keras_info read = {0};
    reader r;
    int normalize, n;
    FMD_TRY(open_reader(&r, path));
    if ((status = read_text(&r, "layers", read.layers, sizeof read.layers)) != FMD_OK ||
        (status = read_ints(&r, "normalize", &normalize, 1, &n)) != FMD_OK ||
        (status = read_ints(&r, "input_shape", read.in.dim, FMD_SHAPE_MAX, &read.in.rank)) !=
            FMD_OK)
        goto out;
    for (int i = 0; i < read.in.rank; i++)
        if (read.in.dim[i] < 1 || read.in.dim[i] > 1 << 15) {
            status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: input_shape has %d, expected 1 to %d",
                              path, read.in.dim[i], 1 << 15);
            goto out;
        }
    read.normalize = normalize != 0;
    *info = read;
out:
    close_reader(&r);
    return status;
}

fmd_status fmd_keras_read_params(const char *path, fmd_model *m)
{
    fmd_status status;
    float *values = NULL;
    reader r;
    FMD_TRY(open_reader(&r, path));
    /* The model changes only when all is read. */
    status = fmd_alloc(&values, fmd_model_n_params(m), sizeof *values, "parameters of the file");
    if (status != FMD_OK)
        goto out;
    for (size_t i = 0; i < fmd_model_n_tensors(m); i++)
        if ((status = read_tensor(&r, m, i, values + fmd_model_tensor(m, i)->offset)) != FMD_OK)
            goto out;
    if ((status = check_count(&r, "/layers", "layers", fmd_model_n_layers(m))) != FMD_OK)
        goto out;
    for (size_t i = 0; i < fmd_model_n_layers(m); i++) {
        const fmd_layer *l = fmd_model_layer(m, i);
        char vars[FMD_KERAS_PATH];
        snprintf(vars, sizeof vars, "/layers/%s/vars", l->name);
        if ((status = check_count(&r, vars, "variables", l->n_tensors)) != FMD_OK)
            goto out;
    }
    memcpy(fmd_model_params(m), values, fmd_model_n_params(m) * sizeof *values);
out:
    free(values);
    close_reader(&r);
    return status;
}
