#include "io/keras/strings.h"

#include "base/mem.h"
#include "io/keras/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No list of names and no description of a model comes near. */
enum { MAX_STRINGS = 4096, MAX_BYTES = 16 << 20 };

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

/* Reads what `type` says is `n` strings. The type in memory must be of the same kind and the same
 * character set: HDF5 has no way from one to the other. */
static fmd_status read_strings(fmd_strings *out, const fmd_reader *r, hid_t attribute, hid_t type,
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
            FMD_FAIL(FMD_EDATA, "'%s': a list of %zu names has %zu bytes each", r->path, n, stride);
    if (status == FMD_OK)
        status = fmd_alloc(&memory, n, stride, "names in a file");
    if (status == FMD_OK)
        status = fmd_alloc(&strings, n, sizeof *strings, "names in a file");
    if (status != FMD_OK)
        goto out;
    if (H5Tset_size(memory_type, variable ? H5T_VARIABLE : stride) < 0 ||
        H5Tset_cset(memory_type, H5Tget_cset(type)) < 0 ||
        H5Aread(attribute, memory_type, memory) < 0) {
        status = fmd_reader_damaged(r, "a list of names");
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

fmd_status fmd_h5_strings(fmd_strings *out, const fmd_reader *r, hid_t object, const char *where,
                          const char *name)
{
    fmd_status status = FMD_OK;
    char found[FMD_KERAS_PATH];
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hssize_t n = -1;
    *out = (fmd_strings){0};
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0 || (n = H5Sget_simple_extent_npoints(space)) < 0)
        status = fmd_reader_damaged(r, name);
    else if (n > 0 && H5Tget_class(type) != H5T_STRING)
        status = FMD_FAIL(FMD_EDATA, "'%s': %s of '%s' has %s, expected text", r->path, name, where,
                          fmd_h5_type_text(type, found, sizeof found));
    else if (n > MAX_STRINGS)
        status = FMD_FAIL(FMD_EDATA, "'%s': %s of '%s' has %lld names, expected %d at most",
                          r->path, name, where, (long long)n, MAX_STRINGS);
    else if (n > 0)
        status = read_strings(out, r, attribute, type, space, (size_t)n);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

static const char *link_text(H5L_type_t type)
{
    if (type == H5L_TYPE_SOFT)
        return "soft";
    return type == H5L_TYPE_EXTERNAL ? "external" : "user-defined";
}

fmd_status fmd_h5_open(hid_t *out, const fmd_reader *r, hid_t from, const char *where,
                       const char *path)
{
    char part[FMD_OPTION_TEXT_BYTES];
    size_t end = 0;
    if (*path == '/' || strlen(path) >= sizeof part)
        return FMD_FAIL(FMD_EDATA, "'%s': '%s%.200s' is not a path below '%s'", r->path, where,
                        path, where);
    do {
        H5L_info_t info;
        end += strcspn(path + end, "/");
        snprintf(part, sizeof part, "%.*s", (int)end, path);
        if (H5Lget_info(from, part, &info, H5P_DEFAULT) < 0)
            return FMD_FAIL(FMD_EDATA, "'%s' lacks '%s%.200s'", r->path, where, part);
        if (info.type != H5L_TYPE_HARD)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': '%s%.200s' is a link of the %s kind, expected what Keras "
                            "writes: the object itself",
                            r->path, where, part, link_text(info.type));
        end += path[end] == '/';
    } while (path[end] != '\0');
    *out = H5Oopen(from, part, H5P_DEFAULT);
    return *out < 0 ? fmd_reader_damaged(r, part) : FMD_OK;
}

fmd_status fmd_h5_open_group(hid_t *out, const fmd_reader *r, hid_t from, const char *where,
                             const char *path)
{
    hid_t group;
    FMD_TRY(fmd_h5_open(&group, r, from, where, path));
    if (H5Iget_type(group) != H5I_GROUP) {
        H5Oclose(group);
        return FMD_FAIL(FMD_EDATA, "'%s': '%s%.200s' is not a group", r->path, where, path);
    }
    *out = group;
    return FMD_OK;
}
