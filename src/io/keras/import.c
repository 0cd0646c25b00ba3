#include "io/keras/import.h"

#include "base/mem.h"
#include "io/atomic_file.h"
#include "io/hdf5/h5_file.h"
#include "io/keras/archive.h"
#include "io/keras/layout.h"
#include "io/keras/spec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_BYTES = 128 };

/* How Keras laid a file out. */
typedef enum layout {
    LAYOUT_MODEL,  /* *.h5: a description, and weights by lists of names below /model_weights */
    LAYOUT_NAMES,  /* *.h5 of save_weights in Keras 2: the lists alone, at the root */
    LAYOUT_NUMBERS /* *.weights.h5: weights by number, below /layers/NAME/vars */
} layout;

typedef struct source {
    fmd_h5_file h5;
    layout layout;
    const char *group; /* where the weights are */
    bool described;    /* the file describes its layers */
    bool archive;      /* *.keras: a description beside weights by number */
} source;

/* The progress of reading a model's parameters. */
typedef struct target {
    const source *from;
    const fmd_model *model;
    const fmd_keras_layout *layout;
    float *values;
} target;

static const char hdf5_magic[] = "\x89HDF\r\n\x1a\n", zip_magic[] = "PK\x03\x04";

/* Whether this is a regular file with these first bytes. False if it cannot be opened: the
 * checkpoint reader then reports the cause. */
static bool begins_with(const char *path, const char *magic)
{
    const size_t n = strlen(magic);
    char head[8];
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    const bool same = fread(head, 1, n, file) == n && memcmp(head, magic, n) == 0;
    fclose(file);
    return same;
}

bool fmd_weights_is_keras(const char *path)
{
    return begins_with(path, hdf5_magic) || begins_with(path, zip_magic);
}

/* FMD_EDATA for files that are easily mistaken for weights, by their first bytes. */
static fmd_status refuse_others(const char *path)
{
    static const struct {
        const char *magic, *kind;
    } others[] = {{"\x93NUMPY", "an array of NumPy"}, {"\x89PNG\r\n\x1a\n", "a picture"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins_with(path, others[i].magic))
            return FMD_FAIL(FMD_EDATA,
                            "'%s' is %s; weights are in *.keras, *.h5 and *.weights.h5 files: in "
                            "Keras, model.save('model.keras')",
                            path, others[i].kind);
    return FMD_OK;
}

static fmd_status find_layout(source *s)
{
    static const char *const numbers[] = {"layers", "_layer_checkpoint_dependencies"};
    const hid_t file = s->h5.id;
    s->layout = LAYOUT_NUMBERS;
    if (!s->archive && fmd_h5_has_attribute(file, "model_config")) {
        s->layout = LAYOUT_MODEL;
        s->group = "model_weights";
        s->described = true;
        return FMD_OK;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (H5Lexists(file, numbers[i], H5P_DEFAULT) > 0) {
            s->group = numbers[i];
            return FMD_OK;
        }
    if (fmd_h5_has_attribute(file, "layer_names") || fmd_h5_has_attribute(file, "layer_names0")) {
        s->layout = LAYOUT_NAMES;
        s->group = "";
        return FMD_OK;
    }
    return FMD_FAIL(FMD_EDATA,
                    "'%s' has neither a model nor weights of Keras: no model_config, no "
                    "layer_names, no group '/layers'",
                    s->h5.path);
}

static fmd_status open_source(source *s, const char *path)
{
    void *data = NULL;
    size_t bytes;
    memset(s, 0, sizeof *s);
    s->archive = s->described = begins_with(path, zip_magic);
    if (s->archive)
        FMD_TRY(fmd_keras_archive_read(&data, &bytes, path, "model.weights.h5"));
    else
        FMD_TRY(fmd_atomic_file_read(&data, &bytes, path));
    FMD_TRY(fmd_h5_file_open(&s->h5, path, data, bytes));
    const fmd_status status = find_layout(s);
    if (status != FMD_OK)
        fmd_h5_file_close(&s->h5);
    return status;
}

/* The description of the model in JSON, released by free(). */
static fmd_status read_description(char **json, const source *s)
{
    size_t bytes;
    void *data;
    if (!s->archive)
        return fmd_h5_string(json, &s->h5, s->h5.id, "/", "model_config");
    FMD_TRY(fmd_keras_archive_read(&data, &bytes, s->h5.path, "config.json"));
    *json = data;
    return FMD_OK;
}

/* An unsupported layer or option is not an error here: the user may describe a model that matches
 * the weights. */
static fmd_status describe(const source *s, fmd_weights_info *info)
{
    char *json = NULL;
    if (!s->described)
        return FMD_OK;
    fmd_status status = read_description(&json, s);
    if (status == FMD_OK)
        status = fmd_keras_spec(s->h5.path, json, info->model.layers, sizeof info->model.layers,
                                &info->model.in);
    free(json);
    if (status != FMD_EDATA)
        return status;
    snprintf(info->unknown, sizeof info->unknown, "%s", fmd_error_message());
    *info->model.layers = '\0';
    return FMD_OK;
}

fmd_status fmd_weights_read_info(const char *path, fmd_weights_info *info)
{
    fmd_weights_info read = {.keras = true, .model = {.normalize = true}};
    source s;
    FMD_TRY(refuse_others(path));
    if (!fmd_weights_is_keras(path)) {
        info->keras = false;
        return fmd_checkpoint_read_info(path, &info->model);
    }
    FMD_TRY(open_source(&s, path));
    const fmd_status status = describe(&s, &read);
    fmd_h5_file_close(&s.h5);
    if (status == FMD_OK)
        *info = read;
    return status;
}

/* The advice for a file that does not describe its layers. */
static const char *cure(const target *t)
{
    return t->from->described ? "" : "; describe the model of the file with --layers";
}

/* FMD_EDATA: a dataset does not fit the tensor. */
static fmd_status check_tensor(const target *t, const fmd_tensor *tensor, const char *at,
                               hid_t type, hid_t space)
{
    const fmd_h5_file *f = &t->from->h5;
    char found[FMD_H5_TEXT], expected[FMD_SHAPE_TEXT];
    if (H5Tget_class(type) != H5T_FLOAT)
        return FMD_FAIL(FMD_EDATA, "'%s': '%.200s' has %s, expected floats", f->path, at,
                        fmd_h5_type_text(type, found));
    if (!fmd_h5_space_equals(space, tensor->shape))
        return FMD_FAIL(FMD_EDATA,
                        "'%s': '%.200s' has shape %s, expected %s: the %s of %s in '%.300s'%s",
                        f->path, at, fmd_h5_space_text(space, found),
                        fmd_shape_text(tensor->shape, 0, expected), tensor->name,
                        fmd_model_layer(t->model, (size_t)tensor->layer)->name,
                        fmd_model_spec(t->model), cure(t));
    return FMD_OK;
}

/* Reads one tensor from the dataset at `path` below `from`. Half and double precision, and the
 * other order of bytes, are converted by HDF5. */
static fmd_status read_tensor(const target *t, const fmd_tensor *tensor, hid_t from,
                              const char *where, const char *path)
{
    const fmd_h5_file *f = &t->from->h5;
    float *values = t->values + tensor->offset;
    char at[2 * FMD_OPTION_TEXT_BYTES];
    hid_t dataset;
    FMD_TRY(fmd_h5_open_dataset(&dataset, f, from, where, path));
    snprintf(at, sizeof at, "%s%s", where, path);
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    fmd_status status = check_tensor(t, tensor, at, type, space);
    if (status == FMD_OK &&
        H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = fmd_h5_damaged(f, at);
    for (size_t i = 0; status == FMD_OK && i < tensor->count; i++)
        if (!isfinite(values[i]))
            status = FMD_FAIL(FMD_EDATA, "'%s': '%.200s' has %g at index %zu", f->path, at,
                              (double)values[i], i);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(dataset);
    return status;
}

/* FMD_EDATA: a layer of the file has another number of arrays than that of the model. */
static fmd_status check_arrays(const target *t, const fmd_layer *l, const char *where, size_t found)
{
    if (found == fmd_layer_n_variables(l))
        return FMD_OK;
    return FMD_FAIL(FMD_EDATA, "'%s': '%.200s' has %zu arrays, expected %zu for %s in '%.300s'",
                    t->from->h5.path, where, found, fmd_layer_n_variables(l), l->name,
                    fmd_model_spec(t->model));
}

/* The next layer with variables in Keras' order. */
static const fmd_layer *next_with_tensors(const target *t, size_t *i)
{
    while (*i < fmd_model_n_layers(t->model)) {
        const fmd_layer *l = fmd_keras_layer(t->layout, (*i)++);
        if (fmd_layer_n_variables(l) > 0)
            return l;
    }
    return NULL;
}

/* FMD_EDATA: the file has more layers than the model, or fewer. */
static fmd_status surplus(const target *t, const char *name)
{
    return FMD_FAIL(FMD_EDATA,
                    "'%s' has weights for the layer '%.64s', which '%.300s' does not have%s",
                    t->from->h5.path, name, fmd_model_spec(t->model), cure(t));
}

static fmd_status missing(const target *t, const fmd_layer *l)
{
    return FMD_FAIL(FMD_EDATA, "'%s' has no weights for %s in '%.300s'%s", t->from->h5.path,
                    l->name, fmd_model_spec(t->model), cure(t));
}

/* By the list of names of one layer: the next one of the model, unless the list is empty. */
static fmd_status read_named_layer(const target *t, hid_t group, const char *where,
                                   const char *name, size_t *next)
{
    fmd_strings weights = {0};
    const fmd_h5_file *f = &t->from->h5;
    if (!fmd_h5_has_attribute(group, "weight_names"))
        return FMD_OK;
    FMD_TRY(fmd_h5_strings(&weights, f, group, where, "weight_names"));
    fmd_status status = FMD_OK;
    if (weights.n > 0) {
        const fmd_layer *l = next_with_tensors(t, next);
        status = l == NULL ? surplus(t, name) : check_arrays(t, l, where, weights.n);
        for (size_t i = 0; status == FMD_OK && i < weights.n; i++)
            status = read_tensor(t, fmd_model_tensor(t->model, fmd_layer_variable(l, i)), group,
                                 where, weights.at[i]);
    }
    free(weights.at);
    return status;
}

/* By one of the lists of names: an attribute holds 64 kB at most, so there may be several. */
static fmd_status read_list(const target *t, hid_t root, const char *attribute, size_t *next)
{
    fmd_strings names = {0};
    const source *s = t->from;
    char root_name[NAME_BYTES], where[FMD_OPTION_TEXT_BYTES];
    snprintf(root_name, sizeof root_name, "/%s%s", s->group, *s->group ? "/" : "");
    FMD_TRY(fmd_h5_strings(&names, &s->h5, root, root_name, attribute));
    fmd_status status = FMD_OK;
    for (size_t i = 0; status == FMD_OK && i < names.n; i++) {
        hid_t group;
        status = fmd_h5_open_group(&group, &s->h5, root, root_name, names.at[i]);
        if (status != FMD_OK)
            break;
        snprintf(where, sizeof where, "%s%.500s/", root_name, names.at[i]);
        status = read_named_layer(t, group, where, names.at[i], next);
        H5Oclose(group);
    }
    free(names.at);
    return status;
}

static fmd_status read_by_names(const target *t, hid_t root)
{
    size_t next = 0;
    fmd_status status = FMD_OK;
    if (fmd_h5_has_attribute(root, "layer_names")) {
        status = read_list(t, root, "layer_names", &next);
    } else {
        char name[NAME_BYTES] = "layer_names0";
        if (!fmd_h5_has_attribute(root, name))
            return FMD_FAIL(FMD_EDATA, "'%s': '/%s' lacks layer_names", t->from->h5.path,
                            t->from->group);
        for (int i = 1; status == FMD_OK && fmd_h5_has_attribute(root, name); i++) {
            status = read_list(t, root, name, &next);
            snprintf(name, sizeof name, "layer_names%d", i);
        }
    }
    if (status != FMD_OK)
        return status;
    const fmd_layer *l = next_with_tensors(t, &next);
    return l == NULL ? FMD_OK : missing(t, l);
}

/* The layer of the model that Keras counts as `name`, or NULL. */
static const fmd_layer *layer_named(const target *t, const char *name)
{
    for (size_t i = 0; i < fmd_model_n_layers(t->model); i++)
        if (strcmp(fmd_keras_group(t->layout, fmd_model_layer(t->model, i)), name) == 0)
            return fmd_model_layer(t->model, i);
    return NULL;
}

/* /layers/NAME/vars/0, 1, ...: all that the file has for the layer, which must be the model's. */
static fmd_status read_numbered_layer(const target *t, hid_t root, const char *name)
{
    const fmd_h5_file *f = &t->from->h5;
    const fmd_layer *l = layer_named(t, name);
    char where[FMD_OPTION_TEXT_BYTES], path[2 * NAME_BYTES];
    hid_t vars;
    size_t n = 0;
    snprintf(where, sizeof where, "/%s/", t->from->group);
    snprintf(path, sizeof path, "%s/vars", name);
    FMD_TRY(fmd_h5_open_group(&vars, f, root, where, path));
    snprintf(where, sizeof where, "/%s/%s/", t->from->group, path);
    fmd_status status = fmd_h5_count_links(&n, f, vars, where);
    if (status == FMD_OK && n > 0 && (l == NULL || fmd_layer_n_variables(l) == 0))
        status = surplus(t, name);
    else if (status == FMD_OK && l != NULL)
        status = check_arrays(t, l, where, n);
    for (size_t i = 0; status == FMD_OK && i < n; i++) {
        snprintf(path, sizeof path, "%zu", i);
        status =
            read_tensor(t, fmd_model_tensor(t->model, fmd_layer_variable(l, i)), vars, where, path);
    }
    H5Oclose(vars);
    return status;
}

static fmd_status read_by_numbers(const target *t, hid_t root)
{
    const fmd_h5_file *f = &t->from->h5;
    size_t n = 0, next = 0;
    FMD_TRY(fmd_h5_count_links(&n, f, root, t->from->group));
    for (size_t i = 0; i < n; i++) {
        char name[NAME_BYTES];
        const ssize_t length = H5Lget_name_by_idx(root, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                                  sizeof name, H5P_DEFAULT);
        if (length < 0)
            return fmd_h5_damaged(f, t->from->group);
        if ((size_t)length >= sizeof name)
            return FMD_FAIL(FMD_EDATA, "'%s': the layer '%.64s...' has a name of %zd characters",
                            f->path, name, length);
        FMD_TRY(read_numbered_layer(t, root, name));
    }
    for (const fmd_layer *l; (l = next_with_tensors(t, &next)) != NULL;)
        if (H5Lexists(root, fmd_keras_group(t->layout, l), H5P_DEFAULT) <= 0)
            return missing(t, l);
    return FMD_OK;
}

static fmd_status read_params(const target *t)
{
    const source *s = t->from;
    hid_t root;
    if (*s->group != '\0')
        FMD_TRY(fmd_h5_open_group(&root, &s->h5, s->h5.id, "/", s->group));
    else if ((root = H5Gopen2(s->h5.id, "/", H5P_DEFAULT)) < 0)
        return fmd_h5_damaged(&s->h5, "/");
    const fmd_status status =
        s->layout == LAYOUT_NUMBERS ? read_by_numbers(t, root) : read_by_names(t, root);
    H5Oclose(root);
    return status;
}

fmd_status fmd_weights_read_params(const char *path, fmd_model *m)
{
    source s;
    fmd_keras_layout keras;
    target t = {.from = &s, .model = m, .layout = &keras};
    FMD_TRY(refuse_others(path));
    if (!fmd_weights_is_keras(path))
        return fmd_checkpoint_read_params(path, m);
    FMD_TRY(open_source(&s, path));
    fmd_status status = fmd_keras_layout_create(&keras, m);
    if (status == FMD_OK)
        status =
            fmd_alloc(&t.values, fmd_model_n_params(m), sizeof *t.values, "parameters of the file");
    if (status == FMD_OK)
        status = read_params(&t);
    if (status == FMD_OK)
        memcpy(fmd_model_params(m), t.values, fmd_model_n_params(m) * sizeof *t.values);
    free(t.values);
    fmd_keras_layout_free(&keras);
    fmd_h5_file_close(&s.h5);
    return status;
}
