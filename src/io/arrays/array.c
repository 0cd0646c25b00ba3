#include "io/arrays/array_private.h"

#include "base/mem.h"
#include "base/system/regular_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A row of this many values takes half a gigabyte as it is read. */
static const size_t max_row = (size_t)1 << 26;

struct fmd_array_file {
    const fmd_array_ops *ops;
    void *file;
    char path[1024];
};

struct fmd_array {
    const fmd_array_ops *ops;
    void *array;
    fmd_array_info info;
    size_t done; /* rows */
};

/* HDF5 begins at byte 0, 512, 1024, 2048 and so on, behind a block of the user. */
static bool is_h5(int fd)
{
    char head[8];
    for (off_t at = 0; pread(fd, head, sizeof head, at) == sizeof head; at = at > 0 ? 2 * at : 512)
        if (memcmp(head, "\x89HDF\r\n\x1a\n", sizeof head) == 0)
            return true;
    return false;
}

/* By its first bytes. */
static fmd_status recognise(const fmd_array_ops **ops, int fd, const char *path)
{
    uint8_t head[6] = {0};
    const ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0)
        return FMD_FAIL(FMD_EIO, "cannot read '%s': %s", path, strerror(errno));
    if (memcmp(head, "\x93NUMPY", sizeof head) == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found a single array, expected images and labels: save them with "
                        "numpy.savez",
                        path);
    *ops = memcmp(head, "PK", 2) == 0 ? &fmd_array_npz : &fmd_array_h5;
    if (*ops == &fmd_array_h5 && !is_h5(fd))
        return FMD_FAIL(FMD_EDATA, "'%s': neither an .npz nor an HDF5 file", path);
    return FMD_OK;
}

fmd_status fmd_array_file_open(fmd_array_file **out, const char *path)
{
    int fd;
    size_t bytes;
    fmd_array_file *f;
    const fmd_array_ops *ops = NULL;
    FMD_TRY(fmd_regular_file_open(&fd, &bytes, path, "an .npz or HDF5 file"));
    fmd_status st = recognise(&ops, fd, path);
    if (st == FMD_OK)
        st = fmd_alloc(&f, 1, sizeof *f, "a file of arrays");
    if (st != FMD_OK) {
        close(fd);
        return st;
    }
    f->ops = ops;
    snprintf(f->path, sizeof f->path, "%s", path);
    st = ops->open_file(&f->file, fd, f->path);
    if (st == FMD_OK)
        *out = f;
    else
        free(f);
    return st;
}

void fmd_array_file_close(fmd_array_file *f)
{
    if (f == NULL)
        return;
    f->ops->close_file(f->file);
    free(f);
}

bool fmd_array_file_has(const fmd_array_file *f, const char *name)
{
    return f->ops->has(f->file, name);
}

static fmd_status check_shape(fmd_array_info *info)
{
    if (info->rank == 0)
        return FMD_FAIL(FMD_EDATA, "%s: found a single value, expected an array", info->where);
    info->row = 1;
    for (int i = 0; i < info->rank; i++) {
        if (info->dim[i] == 0)
            return FMD_FAIL(FMD_EDATA, "%s: found an empty array", info->where);
        if (i > 0 &&
            (__builtin_mul_overflow(info->row, info->dim[i], &info->row) || info->row > max_row))
            return FMD_FAIL(FMD_EDATA, "%s: found rows of more than %zu values", info->where,
                            max_row);
    }
    size_t all;
    if (__builtin_mul_overflow(info->row, info->dim[0], &all) || all > SIZE_MAX / 64)
        return FMD_FAIL(FMD_EDATA, "%s: found more values than fit into memory", info->where);
    return FMD_OK;
}

fmd_status fmd_array_open(fmd_array **out, const fmd_array_file *f, const char *name)
{
    fmd_array *a;
    FMD_TRY(fmd_alloc(&a, 1, sizeof *a, "an array"));
    a->ops = f->ops;
    snprintf(a->info.where, sizeof a->info.where, "'%s': %.300s", f->path, name);
    fmd_status st = f->ops->open(&a->array, f->file, name, &a->info);
    if (st == FMD_OK)
        st = check_shape(&a->info);
    if (st == FMD_OK)
        *out = a;
    else
        fmd_array_close(a);
    return st;
}

void fmd_array_close(fmd_array *a)
{
    if (a == NULL)
        return;
    a->ops->close(a->array);
    free(a);
}

const fmd_array_info *fmd_array_info_of(const fmd_array *a)
{
    return &a->info;
}

fmd_status fmd_array_next(fmd_array *a, size_t n, double *values)
{
    FMD_TRY(a->ops->next(a->array, &a->info, a->done, n, values));
    a->done += n;
    return FMD_OK;
}
