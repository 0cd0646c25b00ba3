#include "io/archive_writer.h"

#include "base/mem.h"
#include "io/atomic_file.h"

#include <stdlib.h>
#include <zip.h>

/* 1980-01-01, the first day of the format. */
enum { FIRST_DAY = (1 << 5) + 1 };

struct fmd_archive_writer {
    zip_source_t *memory; /* receives the archive */
    zip_t *zip;           /* NULL once it is finished */
};

static fmd_status out_of_memory(void)
{
    return FMD_FAIL(FMD_ENOMEM, "out of memory: a ZIP archive");
}

fmd_status fmd_archive_writer_create(fmd_archive_writer **out)
{
    fmd_archive_writer *w;
    FMD_TRY(fmd_alloc(&w, 1, sizeof *w, "a ZIP archive"));
    w->memory = zip_source_buffer_create(NULL, 0, 0, NULL);
    if (w->memory != NULL) {
        zip_source_keep(w->memory); /* beyond the end of w->zip */
        w->zip = zip_open_from_source(w->memory, ZIP_TRUNCATE, NULL);
    }
    if (w->zip == NULL) {
        zip_source_free(w->memory);
        zip_source_free(w->memory);
        free(w);
        return out_of_memory();
    }
    *out = w;
    return FMD_OK;
}

void fmd_archive_writer_destroy(fmd_archive_writer *w)
{
    if (w == NULL)
        return;
    if (w->zip != NULL)
        zip_discard(w->zip);
    zip_source_free(w->memory);
    free(w);
}

fmd_status fmd_archive_writer_add(fmd_archive_writer *w, const char *name, void *data, size_t bytes)
{
    zip_source_t *source = zip_source_buffer(w->zip, data, bytes, 1);
    if (source == NULL) {
        free(data);
        return out_of_memory();
    }
    const zip_int64_t i = zip_file_add(w->zip, name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return FMD_FAIL(FMD_EINTERNAL, "cannot add '%s' to an archive: %s", name,
                        zip_strerror(w->zip));
    }
    if (zip_set_file_compression(w->zip, (zip_uint64_t)i, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(w->zip, (zip_uint64_t)i, 0, FIRST_DAY, 0) != 0)
        return out_of_memory();
    return FMD_OK;
}

static fmd_status write_memory(fmd_archive_writer *w, const char *path)
{
    zip_stat_t info;
    void *data;
    if (zip_source_stat(w->memory, &info) != 0 || zip_source_open(w->memory) != 0)
        return out_of_memory();
    fmd_status st = fmd_alloc(&data, info.size, 1, path);
    if (st == FMD_OK) {
        const zip_int64_t n = zip_source_read(w->memory, data, info.size);
        st = n >= 0 && (zip_uint64_t)n == info.size ? fmd_atomic_file_write(path, data, info.size)
                                                    : out_of_memory();
        free(data);
    }
    zip_source_close(w->memory);
    return st;
}

fmd_status fmd_archive_writer_finish(fmd_archive_writer *w, const char *path)
{
    if (zip_close(w->zip) != 0)
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, zip_strerror(w->zip));
    w->zip = NULL;
    return write_memory(w, path);
}
