#include "io/checkpoint/reader.h"

#include "io/atomic_file.h"
#include "io/checkpoint/user_block.h"
#include "io/keras/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

fmd_status fmd_reader_damaged(const fmd_reader *r, const char *part)
{
    char why[FMD_H5_WHY];
    return FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s: %s", r->path, part, fmd_h5_why(why));
}

fmd_status fmd_reader_ints(const fmd_reader *r, const char *name, int *values, int most, int *n)
{
    fmd_status status = FMD_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    hid_t attribute = H5Aopen_by_name(r->file, FMD_KERAS_OURS, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0) {
        status = fmd_reader_damaged(r, name);
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
        status = fmd_reader_damaged(r, name);
out:
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

fmd_status fmd_reader_text(const fmd_reader *r, const char *group, const char *name, char *text,
                           size_t size)
{
    fmd_status status = FMD_OK;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, memory_type = H5I_INVALID_HID;
    hid_t attribute = H5Aopen_by_name(r->file, group, name, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || (type = H5Aget_type(attribute)) < 0 ||
        (space = H5Aget_space(attribute)) < 0) {
        status = fmd_reader_damaged(r, name);
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
        status = fmd_reader_damaged(r, name);
out:
    H5Tclose(memory_type);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

static fmd_status check_ours(const fmd_reader *r)
{
    int format, n;
    char version[32];
    if (H5Lexists(r->file, FMD_KERAS_OURS, H5P_DEFAULT) <= 0)
        return FMD_FAIL(FMD_EDATA, "'%s' was not written by fmnist-dist: it has no group %s",
                        r->path, FMD_KERAS_OURS);
    FMD_TRY(fmd_reader_ints(r, "format_version", &format, 1, &n));
    FMD_TRY(fmd_reader_text(r, FMD_KERAS_OURS, "program_version", version, sizeof version));
    if (format != FMD_KERAS_FORMAT)
        return FMD_FAIL(FMD_EUSAGE,
                        "'%s' has format %d, written by fmnist-dist %s; this is %s and reads "
                        "format %d",
                        r->path, format, version, FMD_VERSION, FMD_KERAS_FORMAT);
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

void fmd_reader_close(fmd_reader *r)
{
    H5Fclose(r->file);
}

fmd_status fmd_reader_open(fmd_reader *r, const char *path)
{
    fmd_status status = FMD_OK;
    void *data = NULL;
    hid_t access = H5I_INVALID_HID;
    *r = (fmd_reader){.path = path, .file = H5I_INVALID_HID};
    FMD_TRY(fmd_reader_bytes(&data, &r->bytes, path, &r->step));
    access = fmd_h5_memory_access();
    if (H5Pset_file_image(access, data, r->bytes) < 0 ||
        (r->file = H5Fopen(FMD_H5_MEMORY, H5F_ACC_RDONLY, access)) < 0) {
        status = fmd_reader_damaged(r, "it does not open");
        goto out;
    }
    status = check_ours(r);
    if (status != FMD_OK)
        fmd_reader_close(r);
out:
    H5Pclose(access);
    free(data);
    return status;
}
