#include "io/hdf5/h5_file.h"

#include "base/mem.h"
#include "base/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far more than any list of names or description of a model needs. */
enum { MAX_STRINGS = 4096, MAX_BYTES = 16 << 20 };

/* HDF5 would copy the bytes twice; with these callbacks it works on them in place. */
static void *image_place(size_t size, H5FD_file_image_op_t op, void *file)
{
    (void)op;
    const fmd_h5_file *f = file;
    return size == f->bytes ? f->data : NULL;
}

static void *image_copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op,
                        void *file)
{
    (void)size;
    (void)op;
    (void)file;
    return to == from ? to : NULL;
}

static void *image_grow(void *data, size_t size, H5FD_file_image_op_t op, void *file)
{
    (void)data;
    (void)size;
    (void)op;
    (void)file;
    return NULL; /* the file is read only */
}

static herr_t image_free(void *data, H5FD_file_image_op_t op, void *file)
{
    (void)data;
    (void)op;
    (void)file;
    return 0;
}

static void *same_file(void *file)
{
    return file;
}

static herr_t keep_file(void *file)
{
    (void)file;
    return 0;
}

fmd_status fmd_h5_file_open(fmd_h5_file *f, const char *path, void *data, size_t bytes)
{
    fmd_status status = FMD_OK;
    *f = (fmd_h5_file){.path = path, .id = H5I_INVALID_HID, .data = data, .bytes = bytes};
    H5FD_file_image_callbacks_t in_place = {.image_malloc = image_place,
                                            .image_memcpy = image_copy,
                                            .image_realloc = image_grow,
                                            .image_free = image_free,
                                            .udata_copy = same_file,
                                            .udata_free = keep_file,
                                            .udata = f};
    const hid_t access = fmd_h5_memory_access();
    if (H5Pset_file_image_callbacks(access, &in_place) < 0 ||
        H5Pset_file_image(access, data, bytes) < 0 ||
        (f->id = H5Fopen(FMD_H5_MEMORY, H5F_ACC_RDONLY, access)) < 0)
        status = fmd_h5_damaged(f, "it does not open");
    H5Pclose(access);
    if (status != FMD_OK)
        free(data);
    return status;
}

fmd_status fmd_h5_file_open_at(fmd_h5_file *f, const char *path)
{
    char why[FMD_H5_TEXT];
    *f = (fmd_h5_file){.path = path};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, 0, 1);
#endif
    f->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    return f->id >= 0
               ? FMD_OK
               : FMD_FAIL(FMD_EDATA, "'%s': not a sound HDF5 file: %s", path, fmd_h5_why(why));
}

void fmd_h5_file_close(fmd_h5_file *f)
{
    H5Fclose(f->id);
    free(f->data);
}

fmd_status fmd_h5_damaged(const fmd_h5_file *f, const char *part)
{
    char why[FMD_H5_TEXT];
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s: %s", f->path, part, fmd_h5_why(why));
}

bool fmd_h5_has_attribute(hid_t object, const char *name)
{
    return H5Aexists(object, name) > 0;
}

/* Lays `n` strings into one block; `longest` is where a string ends at the latest. */
static fmd_status lay_out(fmd_strings *out, size_t n, const char *const *strings, size_t longest)
{
    size_t bytes = n * sizeof(char *);
    for (size_t i = 0; i < n; i++)
        bytes += strnlen(strings[i], longest) + 1;
    FMD_TRY(fmd_alloc(&out->at, bytes, 1, "names in a file"));
    char *to = (char *)(out->at + n);
    for (size_t i = 0; i < n; i++) {
        const size_t length = strnlen(strings[i], longest);
        memcpy(to, strings[i], length);
        out->at[i] = to;
        to += length + 1;
    }
    out->n = n;
    return FMD_OK;
}

/* Reads `n` strings of this type. HDF5 cannot convert between kinds of strings or character sets,
 * so the type in memory matches the file. */
static fmd_status read_strings(fmd_strings *out, const fmd_h5_file *f, hid_t attribute, hid_t type,
                               hid_t space, size_t n)
{
    const bool variable = H5Tis_variable_str(type) > 0;
    const size_t stride = variable ? sizeof(char *) : H5Tget_size(type) + 1;
    const char **strings = NULL;
    char *memory = NULL;
    bool read = false;
    hid_t memory_type = H5Tcopy(H5T_C_S1);
    fmd_status status = FMD_OK;
    if (stride > MAX_BYTES / n)
        status =
            FMD_FAIL(FMD_EDATA, "'%s': a list of %zu names has %zu bytes each", f->path, n, stride);
    if (status == FMD_OK)
        status = fmd_alloc(&memory, n, stride, "names in a file");
    if (status == FMD_OK)
        status = fmd_alloc(&strings, n, sizeof *strings, "names in a file");
    if (status != FMD_OK)
        goto out;
    if (H5Tset_size(memory_type, variable ? H5T_VARIABLE : stride) < 0 ||
        H5Tset_cset(memory_type, H5Tget_cset(type)) < 0 ||
        H5Aread(attribute, memory_type, memory) < 0) {
        status = fmd_h5_damaged(f, "a list of names");
        goto out;
    }
    read = true;
    for (size_t i = 0; i < n; i++) {
        strings[i] = memory + i * stride;
        if (variable)
            memcpy(&strings[i], memory + i * stride, sizeof strings[i]);
        if (strings[i] == NULL)
            strings[i] = "";
    }
    status = lay_out(out, n, strings, MAX_BYTES);
out:
    if (read && variable)
        H5Dvlen_reclaim(memory_type, space, H5P_DEFAULT, memory);
    H5Tclose(memory_type);
    free(strings);
    free(memory);
    return status;
}

fmd_status fmd_h5_strings(fmd_strings *out, const fmd_h5_file *f, hid_t object, const char *where,
                          const char *name)
{
    fmd_status status = FMD_OK;
    char found[FMD_H5_TEXT];
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hssize_t n = -1;
    *out = (fmd_strings){0};
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0 || (n = H5Sget_simple_extent_npoints(space)) < 0)
        status = fmd_h5_damaged(f, name);
    else if (n > 0 && H5Tget_class(type) != H5T_STRING)
        status = FMD_FAIL(FMD_EDATA, "'%s': %s of '%s' has %s, expected text", f->path, name, where,
                          fmd_h5_type_text(type, found));
    else if (n > MAX_STRINGS)
        status = FMD_FAIL(FMD_EDATA, "'%s': %s of '%s' has %lld names, expected %d at most",
                          f->path, name, where, (long long)n, MAX_STRINGS);
    else if (n > 0)
        status = read_strings(out, f, attribute, type, space, (size_t)n);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

fmd_status fmd_h5_string(char **out, const fmd_h5_file *f, hid_t object, const char *where,
                         const char *name)
{
    fmd_strings strings;
    FMD_TRY(fmd_h5_strings(&strings, f, object, where, name));
    char *text = strings.n == 1 ? strdup(strings.at[0]) : NULL;
    free(strings.at);
    if (strings.n != 1)
        return FMD_FAIL(FMD_EDATA, "'%s': %s of '%s' has %zu texts, expected 1", f->path, name,
                        where, strings.n);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: %s of '%s'", name, f->path);
    *out = text;
    return FMD_OK;
}

static const char *link_text(H5L_type_t type)
{
    if (type == H5L_TYPE_SOFT)
        return "soft";
    return type == H5L_TYPE_EXTERNAL ? "external" : "user-defined";
}

fmd_status fmd_h5_open(hid_t *out, const fmd_h5_file *f, hid_t from, const char *where,
                       const char *path)
{
    char part[FMD_OPTION_TEXT_BYTES];
    size_t end = 0;
    if (*path == '/' || strlen(path) >= sizeof part)
        return FMD_FAIL(FMD_EDATA, "'%s': '%s%.200s' is not a path below '%s'", f->path, where,
                        path, where);
    do {
        H5L_info_t info;
        end += strcspn(path + end, "/");
        snprintf(part, sizeof part, "%.*s", (int)end, path);
        if (H5Lget_info(from, part, &info, H5P_DEFAULT) < 0)
            return FMD_FAIL(FMD_EDATA, "'%s' lacks '%s%.200s'", f->path, where, part);
        if (info.type != H5L_TYPE_HARD)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': '%s%.200s' is a link of the %s kind, expected what Keras "
                            "writes: the object itself",
                            f->path, where, part, link_text(info.type));
        end += path[end] == '/';
    } while (path[end] != '\0');
    *out = H5Oopen(from, part, H5P_DEFAULT);
    return *out < 0 ? fmd_h5_damaged(f, part) : FMD_OK;
}

fmd_status fmd_h5_open_group(hid_t *out, const fmd_h5_file *f, hid_t from, const char *where,
                             const char *path)
{
    hid_t group;
    FMD_TRY(fmd_h5_open(&group, f, from, where, path));
    if (H5Iget_type(group) != H5I_GROUP) {
        H5Oclose(group);
        return FMD_FAIL(FMD_EDATA, "'%s': '%s%.200s' is not a group", f->path, where, path);
    }
    *out = group;
    return FMD_OK;
}

/* External files and virtual datasets name other files. */
static bool is_inside(hid_t dataset)
{
    const hid_t creation = H5Dget_create_plist(dataset);
    const bool inside = H5Pget_layout(creation) != H5D_VIRTUAL &&
                        H5Pget_layout(creation) != H5D_LAYOUT_ERROR &&
                        H5Pget_external_count(creation) == 0;
    H5Pclose(creation);
    return inside;
}

fmd_status fmd_h5_open_dataset(hid_t *out, const fmd_h5_file *f, hid_t from, const char *where,
                               const char *path)
{
    hid_t dataset;
    fmd_status status = FMD_OK;
    FMD_TRY(fmd_h5_open(&dataset, f, from, where, path));
    if (H5Iget_type(dataset) != H5I_DATASET)
        status = FMD_FAIL(FMD_EDATA, "'%s': '%s%.200s' is not a dataset", f->path, where, path);
    else if (!is_inside(dataset))
        status =
            FMD_FAIL(FMD_EDATA, "'%s': the data of '%s%.200s' are in another file, expected here",
                     f->path, where, path);
    if (status == FMD_OK)
        *out = dataset;
    else
        H5Oclose(dataset);
    return status;
}

fmd_status fmd_h5_count_links(size_t *n, const fmd_h5_file *f, hid_t group, const char *where)
{
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0)
        return fmd_h5_damaged(f, where);
    *n = (size_t)info.nlinks;
    return FMD_OK;
}
