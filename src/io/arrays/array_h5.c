/* Arrays in HDF5 files: datasets of integers or floats, read where they lie, not as a whole. */
#include "base/mem.h"
#include "io/arrays/array_private.h"
#include "io/hdf5/h5_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Chunks are unpacked as a whole; those of some rows must fit, or they are unpacked for each block. */
enum { CACHE_SLOTS = 12421 };
static const size_t cache_bytes = (size_t)64 << 20;

typedef struct h5_array {
    const fmd_h5_file *file;
    hid_t dataset, space;
} h5_array;

static fmd_status open_file(void **out, int fd, const char *path)
{
    fmd_h5_file *f;
    close(fd); /* HDF5 opens files by name */
    FMD_TRY(fmd_alloc(&f, 1, sizeof *f, "an HDF5 file"));
    const fmd_status st = fmd_h5_file_open_at(f, path);
    if (st == FMD_OK)
        *out = f;
    else
        free(f);
    return st;
}

static void close_file(void *file)
{
    fmd_h5_file_close(file);
    free(file);
}

static bool has(const void *file, const char *name)
{
    const fmd_h5_file *f = file;
    return H5Lexists(f->id, name, H5P_DEFAULT) > 0;
}

static fmd_status look_at_type(const h5_array *a, fmd_array_info *info)
{
    char found[FMD_H5_TEXT];
    fmd_status st = FMD_OK;
    const hid_t type = H5Dget_type(a->dataset);
    const H5T_class_t class = H5Tget_class(type);
    if (class == H5T_INTEGER)
        info->kind = H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE
                         ? FMD_ARRAY_BYTES
                         : FMD_ARRAY_INTEGERS;
    else if (class == H5T_FLOAT)
        info->kind = FMD_ARRAY_FLOATS;
    else
        st = FMD_FAIL(FMD_EDATA, "%s: found %s, expected integers or floats", info->where,
                      fmd_h5_type_text(type, found));
    H5Tclose(type);
    return st;
}

/* Values that were never written take no space, and read as zeros without end. */
static fmd_status check_storage(const h5_array *a, const fmd_array_info *info)
{
    enum { MAX_RATIO = 1032 }; /* of deflate */
    const hid_t type = H5Dget_type(a->dataset);
    const double stored = (double)H5Dget_storage_size(a->dataset);
    double bytes = (double)H5Tget_size(type);
    H5Tclose(type);
    for (int i = 0; i < info->rank; i++)
        bytes *= (double)info->dim[i];
    if (bytes / MAX_RATIO > stored)
        return FMD_FAIL(FMD_EDATA, "%s: found %.0f bytes, but the shape announces %.0f",
                        info->where, stored, bytes);
    return FMD_OK;
}

static fmd_status look_at_shape(const h5_array *a, fmd_array_info *info)
{
    hsize_t dims[H5S_MAX_RANK];
    info->rank = H5Sget_simple_extent_dims(a->space, dims, NULL);
    if (info->rank < 0 || info->rank > FMD_ARRAY_RANK)
        return FMD_FAIL(FMD_EDATA, "%s: found %d dimensions, expected 1 to 4", info->where,
                        info->rank);
    for (int i = 0; i < info->rank; i++)
        info->dim[i] = (size_t)dims[i];
    return FMD_OK;
}

/* The same dataset with room for its chunks. */
static hid_t with_cache(hid_t from, const char *name)
{
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, CACHE_SLOTS, cache_bytes, 1.0);
    const hid_t dataset = H5Dopen2(from, name, access);
    H5Pclose(access);
    return dataset;
}

static void close_array(void *array)
{
    h5_array *a = array;
    if (a == NULL)
        return;
    if (a->space > 0)
        H5Sclose(a->space);
    if (a->dataset > 0)
        H5Oclose(a->dataset);
    free(a);
}

static fmd_status open_array(void **out, const void *file, const char *name, fmd_array_info *info)
{
    const fmd_h5_file *f = file;
    h5_array *a;
    hid_t checked;
    FMD_TRY(fmd_h5_open_dataset(&checked, f, f->id, "/", name));
    H5Oclose(checked);
    FMD_TRY(fmd_alloc(&a, 1, sizeof *a, "an array"));
    *out = a;
    a->file = f;
    if ((a->dataset = with_cache(f->id, name)) < 0 || (a->space = H5Dget_space(a->dataset)) < 0)
        return fmd_h5_damaged(f, name);
    FMD_TRY(look_at_type(a, info));
    FMD_TRY(look_at_shape(a, info));
    return check_storage(a, info);
}

static fmd_status next_rows(void *array, const fmd_array_info *info, size_t first, size_t n,
                            double *values)
{
    const h5_array *a = array;
    hsize_t start[FMD_ARRAY_RANK] = {first}, count[FMD_ARRAY_RANK] = {n};
    for (int i = 1; i < info->rank; i++)
        count[i] = info->dim[i];
    const hid_t memory = H5Screate_simple(info->rank, count, NULL);
    const bool read =
        memory >= 0 &&
        H5Sselect_hyperslab(a->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
        H5Dread(a->dataset, H5T_NATIVE_DOUBLE, memory, a->space, H5P_DEFAULT, values) >= 0;
    const fmd_status st = read ? FMD_OK : fmd_h5_damaged(a->file, strrchr(info->where, ' ') + 1);
    if (memory >= 0)
        H5Sclose(memory);
    return st;
}

const fmd_array_ops fmd_array_h5 = {open_file, close_file, has, open_array, next_rows, close_array};
