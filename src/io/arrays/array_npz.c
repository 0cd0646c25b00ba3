/* Archives of NumPy: a ZIP file with one .npy file for each array. */
#include "base/mem.h"
#include "io/arrays/array_private.h"
#include "io/arrays/npy.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

/* Deflate compresses at most 1,032 times: a larger announced size is false. */
enum { MAX_RATIO = 1032, BLOCK_BYTES = 1 << 16 };
_Static_assert((int)FMD_ARRAY_RANK == (int)FMD_NPY_RANK, "an array of a file fits into its struct");

typedef struct npz {
    zip_t *zip;
    const char *path;
} npz;

typedef struct npz_array {
    zip_t *zip;
    zip_file_t *file;
    fmd_npy npy;
    uint8_t *all; /* the values of an array in Fortran's order */
    uint8_t block[BLOCK_BYTES];
} npz_array;

static fmd_status open_file(void **out, int fd, const char *path)
{
    int code = 0;
    npz *f;
    zip_t *zip = zip_fdopen(fd, ZIP_CHECKCONS, &code);
    if (zip == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        const fmd_status st =
            FMD_FAIL(code == ZIP_ER_MEMORY ? FMD_ENOMEM : FMD_EDATA,
                     "'%s': a damaged or cut off .npz file: %s", path, zip_error_strerror(&error));
        zip_error_fini(&error);
        close(fd);
        return st;
    }
    const fmd_status st = fmd_alloc(&f, 1, sizeof *f, "a file of arrays");
    if (st != FMD_OK) {
        zip_discard(zip);
        return st;
    }
    *f = (npz){zip, path};
    *out = f;
    return FMD_OK;
}

static void close_file(void *file)
{
    npz *f = file;
    zip_discard(f->zip);
    free(f);
}

static zip_int64_t locate(const npz *f, const char *name)
{
    char member[320];
    snprintf(member, sizeof member, "%.300s.npy", name);
    return zip_name_locate(f->zip, member, 0);
}

static bool has(const void *file, const char *name)
{
    return locate(file, name) >= 0;
}

/* Reads the next bytes of the member. */
static fmd_status read_bytes(npz_array *a, const char *where, void *to, size_t bytes)
{
    for (size_t got = 0; got < bytes;) {
        const zip_int64_t n = zip_fread(a->file, (char *)to + got, bytes - got);
        if (n <= 0)
            return FMD_FAIL(FMD_EDATA, "%s: damaged or cut off: %s", where,
                            n < 0 ? zip_file_strerror(a->file) : "the archive ends early");
        got += (size_t)n;
    }
    return FMD_OK;
}

/* Reading to the end compares the checksum. */
static fmd_status check_end(npz_array *a, const char *where)
{
    char beyond;
    const zip_int64_t n = zip_fread(a->file, &beyond, 1);
    if (n < 0)
        return FMD_FAIL(FMD_EDATA, "%s: damaged: %s", where, zip_file_strerror(a->file));
    if (n > 0)
        return FMD_FAIL(FMD_EDATA, "%s: found more values than its header announces", where);
    return FMD_OK;
}

static fmd_status read_header(npz_array *a, const char *where, size_t *used)
{
    uint8_t prefix[FMD_NPY_PREFIX];
    size_t begin, bytes;
    char *text;
    /* Version 1 has 10 bytes before the text, but its text is longer than two. */
    FMD_TRY(read_bytes(a, where, prefix, sizeof prefix));
    FMD_TRY(fmd_npy_prefix(&begin, &bytes, prefix, where));
    const size_t early = sizeof prefix - begin;
    if (bytes < early)
        return FMD_FAIL(FMD_EDATA, "%s: the header of NumPy's format is damaged", where);
    FMD_TRY(fmd_alloc(&text, bytes, 1, "a header"));
    memcpy(text, prefix + begin, early);
    fmd_status st = read_bytes(a, where, text + early, bytes - early);
    if (st == FMD_OK)
        st = fmd_npy_parse(&a->npy, text, bytes, where);
    free(text);
    *used = begin + bytes;
    return st;
}

/* The bytes that the archive announces are those of the header and of all values. */
static fmd_status check_size(const npz_array *a, const char *where, const zip_stat_t *info,
                             size_t used)
{
    size_t bytes = a->npy.item;
    bool overflow = false;
    for (int i = 0; i < a->npy.rank; i++)
        overflow = overflow || __builtin_mul_overflow(bytes, a->npy.dim[i], &bytes);
    if (overflow || bytes > SIZE_MAX - used || bytes + used != info->size)
        return FMD_FAIL(FMD_EDATA, "%s: found %llu bytes, expected another size by its header",
                        where, (unsigned long long)info->size);
    if (info->size / MAX_RATIO > info->comp_size)
        return FMD_FAIL(FMD_EDATA, "%s: damaged: %llu bytes, made from %llu", where,
                        (unsigned long long)info->size, (unsigned long long)info->comp_size);
    return FMD_OK;
}

/* An array in Fortran's order is in memory as a whole, since its rows are not together. */
static fmd_status read_all(npz_array *a, const char *where)
{
    size_t n = 1;
    for (int i = 0; i < a->npy.rank; i++)
        n *= a->npy.dim[i];
    FMD_TRY(fmd_mem_check((double)n * (double)a->npy.item, where,
                          "save it with numpy.ascontiguousarray"));
    FMD_TRY(fmd_alloc(&a->all, n, a->npy.item, "an array"));
    FMD_TRY(read_bytes(a, where, a->all, n * a->npy.item));
    return check_end(a, where);
}

static void describe(fmd_array_info *info, const fmd_npy *npy)
{
    info->kind = npy->kind == 'f'                     ? FMD_ARRAY_FLOATS
                 : npy->kind == 'b'                   ? FMD_ARRAY_BOOL
                 : npy->kind == 'u' && npy->item == 1 ? FMD_ARRAY_BYTES
                                                      : FMD_ARRAY_INTEGERS;
    info->rank = npy->rank;
    memcpy(info->dim, npy->dim, sizeof npy->dim);
}

static void close_array(void *array)
{
    npz_array *a = array;
    if (a == NULL)
        return;
    if (a->file != NULL)
        zip_fclose(a->file);
    free(a->all);
    free(a);
}

static fmd_status open_array(void **out, const void *file, const char *name, fmd_array_info *info)
{
    const npz *f = file;
    const zip_int64_t at = locate(f, name);
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    zip_stat_t stat;
    npz_array *a;
    size_t used = 0;
    if (at < 0 || zip_stat_index(f->zip, (zip_uint64_t)at, 0, &stat) != 0 ||
        (stat.valid & needed) != needed)
        return FMD_FAIL(FMD_EDATA, "%s: not in the archive", info->where);
    FMD_TRY(fmd_alloc(&a, 1, sizeof *a, "an array"));
    *out = a;
    a->zip = f->zip;
    a->file = zip_fopen_index(f->zip, (zip_uint64_t)at, 0);
    if (a->file == NULL)
        return FMD_FAIL(FMD_EDATA, "%s: cannot be unpacked: %s", info->where, zip_strerror(f->zip));
    FMD_TRY(read_header(a, info->where, &used));
    FMD_TRY(check_size(a, info->where, &stat, used));
    describe(info, &a->npy);
    return a->npy.fortran && a->npy.rank > 1 ? read_all(a, info->where) : FMD_OK;
}

/* Row `row`, gathered from an array whose first dimension is the fastest. */
static void gather_row(const npz_array *a, const fmd_array_info *info, size_t row, double *values)
{
    size_t index[FMD_ARRAY_RANK] = {0};
    for (size_t i = 0; i < info->row; i++) {
        size_t offset = row, stride = 1;
        for (int k = 1; k < info->rank; k++) {
            stride *= info->dim[k - 1];
            offset += index[k] * stride;
        }
        values[i] = fmd_npy_value(&a->npy, a->all + offset * a->npy.item);
        for (int k = info->rank - 1; k > 0 && ++index[k] == info->dim[k]; k--)
            index[k] = 0;
    }
}

static fmd_status next_rows(void *array, const fmd_array_info *info, size_t first, size_t n,
                            double *values)
{
    npz_array *a = array;
    for (size_t i = 0; a->all != NULL && i < n; i++)
        gather_row(a, info, first + i, values + i * info->row);
    if (a->all != NULL)
        return FMD_OK;
    for (size_t left = n * info->row; left > 0;) {
        const size_t fit = BLOCK_BYTES / a->npy.item, k = left < fit ? left : fit;
        FMD_TRY(read_bytes(a, info->where, a->block, k * a->npy.item));
        for (size_t i = 0; i < k; i++)
            *values++ = a->npy.item == 1 && a->npy.kind == 'u'
                            ? (double)a->block[i]
                            : fmd_npy_value(&a->npy, a->block + i * a->npy.item);
        left -= k;
    }
    return first + n == info->dim[0] ? check_end(a, info->where) : FMD_OK;
}

const fmd_array_ops fmd_array_npz = {open_file,  close_file, has,
                                     open_array, next_rows,  close_array};
