#include "io/keras/archive.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

/* Deflate compresses at most 1,032 times: a larger announced size is false. */
enum { MAX_RATIO = 1032 };

static fmd_status cannot_open(const char *path, int code)
{
    const int cause = errno;
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fmd_status status;
    if (code == ZIP_ER_NOENT)
        status = FMD_FAIL(FMD_ENOINPUT, "cannot open '%s': %s", path, strerror(cause));
    else if (code == ZIP_ER_OPEN || code == ZIP_ER_READ || code == ZIP_ER_SEEK)
        status = FMD_FAIL(FMD_EIO, "cannot open '%s': %s", path, zip_error_strerror(&error));
    else
        status = FMD_FAIL(FMD_EDATA, "'%s' is no sound ZIP archive: %s", path,
                          zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

/* The index of the file in the archive, and its size. */
static fmd_status find(zip_t *archive, const char *path, const char *name, zip_stat_t *info)
{
    const zip_uint64_t needed = ZIP_STAT_INDEX | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    zip_stat_init(info);
    if (zip_stat(archive, name, 0, info) != 0 || (info->valid & needed) != needed)
        return FMD_FAIL(FMD_EDATA, "'%s' is a ZIP archive without '%s', so not a .keras file", path,
                        name);
    if (info->size / MAX_RATIO > info->comp_size)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: '%s' has %llu bytes, made from %llu", path,
                        name, (unsigned long long)info->size, (unsigned long long)info->comp_size);
    return FMD_OK;
}

/* The last zip_fread compares the checksum. */
static fmd_status read_file(zip_file_t *file, const char *path, const char *name, size_t bytes,
                            char *data)
{
    size_t used = 0;
    zip_int64_t n = 1;
    while (n > 0 && used <= bytes) {
        n = zip_fread(file, data + used, bytes + 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    if (n < 0 || used != bytes)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: '%s': %s", path, name,
                        n < 0 ? zip_file_strerror(file) : "it is not as long as the archive says");
    data[bytes] = '\0';
    return FMD_OK;
}

fmd_status fmd_keras_archive_read(void **data, size_t *bytes, const char *path, const char *name)
{
    int code = 0;
    zip_stat_t info;
    zip_file_t *file = NULL;
    char *memory = NULL;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    if (archive == NULL)
        return cannot_open(path, code);
    fmd_status status = find(archive, path, name, &info);
    if (status == FMD_OK)
        status = fmd_alloc(&memory, (size_t)info.size + 1, 1, name);
    if (status == FMD_OK && (file = zip_fopen_index(archive, info.index, 0)) == NULL)
        status =
            FMD_FAIL(FMD_EDATA, "'%s' is damaged: '%s': %s", path, name, zip_strerror(archive));
    if (status == FMD_OK)
        status = read_file(file, path, name, (size_t)info.size, memory);
    if (file != NULL)
        zip_fclose(file);
    zip_discard(archive);
    if (status != FMD_OK) {
        free(memory);
        return status;
    }
    *data = memory;
    *bytes = (size_t)info.size;
    return FMD_OK;
}
