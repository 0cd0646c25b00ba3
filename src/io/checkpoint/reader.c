#include "io/checkpoint/reader.h"
#include "fmd/version.h"

#include "io/atomic_file.h"
#include "io/checkpoint/format.h"
#include "io/checkpoint/user_block.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Opens an attribute, its type and its space; on failure, too, the caller closes all three. */
static fmd_status open_attribute(const fmd_reader *r, const char *group, const char *name,
                                 hid_t *attribute, hid_t *type, hid_t *space)
{
    hid_t object;
    *attribute = *type = *space = H5I_INVALID_HID;
    FMD_TRY(fmd_h5_open_group(&object, &r->h5, r->h5.id, "/", group + 1));
    *attribute = H5Aopen(object, name, H5P_DEFAULT);
    const bool opened = *attribute >= 0 && (*type = H5Aget_type(*attribute)) >= 0 &&
                        (*space = H5Aget_space(*attribute)) >= 0;
    const fmd_status status = opened ? FMD_OK : fmd_h5_damaged(&r->h5, name);
    H5Oclose(object);
    return status;
}

fmd_status fmd_reader_ints(const fmd_reader *r, const char *name, int min, int max, int *values,
                           int most, int *n)
{
    hid_t attribute, type, space;
    fmd_status status = open_attribute(r, FMD_FORMAT_GROUP, name, &attribute, &type, &space);
    const hssize_t count = status == FMD_OK ? H5Sget_simple_extent_npoints(space) : 0;
    if (status == FMD_OK && (H5Tget_class(type) != H5T_INTEGER || count < 1 || count > most))
        status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not 1 to %d integers", r->h5.path,
                          name, most);
    if (status == FMD_OK && H5Aread(attribute, H5T_NATIVE_INT, values) < 0)
        status = fmd_h5_damaged(&r->h5, name);
    for (int i = 0; status == FMD_OK && i < count; i++)
        if (values[i] < min || values[i] > max)
            status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s has %d, expected %d to %d",
                              r->h5.path, name, values[i], min, max);
    *n = (int)count;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

fmd_status fmd_reader_text(const fmd_reader *r, const char *group, const char *name, char *text,
                           size_t size)
{
    hid_t attribute, type, space, memory_type = H5I_INVALID_HID;
    fmd_status status = open_attribute(r, group, name, &attribute, &type, &space);
    if (status != FMD_OK)
        goto out;
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
        H5Sget_simple_extent_npoints(space) != 1 || H5Tget_size(type) > size) {
        status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not text of at most %zu characters",
                          r->h5.path, name, size - 1);
        goto out;
    }
    if ((memory_type = H5Tcopy(H5T_C_S1)) < 0 || H5Tset_size(memory_type, size) < 0 ||
        H5Tset_cset(memory_type, H5Tget_cset(type)) < 0 ||
        H5Aread(attribute, memory_type, text) < 0)
        status = fmd_h5_damaged(&r->h5, name);
out:
    H5Tclose(memory_type);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

fmd_status fmd_reader_dataset(hid_t *out, const fmd_reader *r, const char *at)
{
    FMD_TRY(fmd_h5_open_dataset(out, &r->h5, r->h5.id, "/", at + 1));
    const hid_t creation = H5Dget_create_plist(*out);
    const bool in_one_piece = H5Pget_layout(creation) == H5D_CONTIGUOUS;
    H5Pclose(creation);
    if (in_one_piece)
        return FMD_OK;
    H5Oclose(*out);
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: '%s' is not stored in one piece", r->h5.path, at);
}

fmd_status fmd_reader_count(size_t *n, const fmd_reader *r, const char *at)
{
    hid_t group;
    FMD_TRY(fmd_h5_open_group(&group, &r->h5, r->h5.id, "/", at + 1));
    const fmd_status status = fmd_h5_count_links(n, &r->h5, group, at);
    H5Oclose(group);
    return status;
}

fmd_status fmd_reader_entry(const fmd_reader *r, const fmd_state_entry *e, void *values)
{
    fmd_status status = FMD_OK;
    char at[FMD_OPTION_TEXT_BYTES];
    hid_t dataset;
    snprintf(at, sizeof at, FMD_FORMAT_STATE "/%s", e->name);
    FMD_TRY(fmd_reader_dataset(&dataset, r, at));
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    if (H5Tequal(type, fmd_format_type(e->kind)) <= 0 ||
        H5Sget_simple_extent_npoints(space) != (hssize_t)e->count)
        status = FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not %zu values of its type",
                          r->h5.path, at, e->count);
    else if (H5Dread(dataset, fmd_format_type(e->kind), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        status = fmd_h5_damaged(&r->h5, at);
    else
        status = fmd_state_entry_check(e, values, r->h5.path);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(dataset);
    return status;
}

static fmd_status check_ours(const fmd_reader *r)
{
    int format, n;
    char version[32];
    if (H5Lexists(r->h5.id, FMD_FORMAT_GROUP, H5P_DEFAULT) <= 0)
        return FMD_FAIL(FMD_EDATA, "'%s' was not written by fmnist-dist: it has no group %s",
                        r->h5.path, FMD_FORMAT_GROUP);
    FMD_TRY(fmd_reader_ints(r, "format_version", 0, INT_MAX, &format, 1, &n));
    FMD_TRY(fmd_reader_text(r, FMD_FORMAT_GROUP, "program_version", version, sizeof version));
    if (format != FMD_FORMAT_VERSION)
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s' has format %d, written by fmnist-dist %s; this is %s and reads "
                        "format %d",
                        r->h5.path, format, version, FMD_VERSION, FMD_FORMAT_VERSION);
    return FMD_OK;
}

fmd_status fmd_reader_bytes(void **data, size_t *bytes, const char *path, uint64_t *step)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return FMD_FAIL(errno == ENOENT ? FMD_ENOINPUT : FMD_EIO, "cannot open '%s': %s", path,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return FMD_FAIL(FMD_EDATA, "'%s' is not a regular file", path);
    FMD_TRY(fmd_atomic_file_read(data, bytes, path));
    fmd_status status = fmd_user_block_check(*data, *bytes, path, step);
    if (status != FMD_OK)
        free(*data);
    return status;
}

fmd_status fmd_reader_open(fmd_reader *r, const char *path)
{
    void *data = NULL;
    size_t bytes;
    uint64_t step;
    FMD_TRY(fmd_reader_bytes(&data, &bytes, path, &step));
    FMD_TRY(fmd_h5_file_open(&r->h5, path, data, bytes));
    r->step = step;
    const fmd_status status = check_ours(r);
    if (status != FMD_OK)
        fmd_reader_close(r);
    return status;
}

void fmd_reader_close(fmd_reader *r)
{
    fmd_h5_file_close(&r->h5);
}
