/* Files of arrays: archives of NumPy, and HDF5. The archives are small and not compressed, so that a
 * changed byte reaches the parser of the header. */
#include "data/formats/array_set.h"
#include "fuzz/fuzz.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { SMALL = 1 << 16 };

/* HDF5 1.10 forgets some of its own memory when a file is damaged. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* One .npy file; returns its length. */
static size_t put_npy(uint8_t *out, const char *type, const char *order, const char *shape,
                      size_t bytes)
{
    char text[118 + 1];
    const int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
                           type, order, shape);
    memset(text + n, ' ', sizeof text - 1 - (size_t)n);
    text[117] = '\n';
    memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(out + 10, text, 118);
    for (size_t i = 0; i < bytes; i++)
        out[128 + i] = (uint8_t)(i % 3);
    return 128 + bytes;
}

static size_t put_npz(uint8_t *out, const char *type, const char *order, size_t item)
{
    static uint8_t x[512], y[512];
    const size_t x_bytes = put_npy(x, type, order, "(4, 3, 2)", 24 * item);
    const size_t y_bytes = put_npy(y, "|u1", "False", "(4,)", 4);
    zip_error_t error;
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_source_keep(target);
    zip_t *zip = zip_open_from_source(target, ZIP_TRUNCATE, &error);
    const char *const names[] = {"x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"};
    for (int i = 0; i < 4; i++) {
        zip_source_t *s =
            zip_source_buffer(zip, i % 2 == 0 ? x : y, i % 2 == 0 ? x_bytes : y_bytes, 0);
        const zip_int64_t at = zip_file_add(zip, names[i], s, 0);
        zip_set_file_compression(zip, (zip_uint64_t)at, ZIP_CM_STORE, 0);
    }
    zip_close(zip);
    zip_source_open(target);
    const zip_int64_t n = zip_source_read(target, out, FUZZ_BYTES);
    zip_source_close(target);
    zip_source_free(target);
    return n > 0 ? (size_t)n : 0;
}

static void put_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims)
{
    static const int values[24] = {0, 1, 2, 1, 0};
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(set);
    H5Sclose(space);
}

static size_t put_h5(uint8_t *out, hid_t type)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1024, 0);
    const hid_t file = H5Fcreate("/dev/null/memory", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hsize_t x[] = {4, 3, 2}, y[] = {4, 1};
    put_dataset(file, "x_train", type, 3, x);
    put_dataset(file, "y_train", H5T_NATIVE_UINT8, 2, y);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    const ssize_t n = H5Fget_file_image(file, out, FUZZ_BYTES);
    H5Fclose(file);
    H5Pclose(access);
    return n > 0 ? (size_t)n : 0;
}

size_t fuzz_seed(size_t i, uint8_t out[FUZZ_BYTES])
{
    switch (i) {
    case 0: return put_npz(out, "|u1", "False", 1);
    case 1: return put_npz(out, "<f8", "True", 8);
    case 2: return put_npz(out, ">i2", "False", 2);
    case 3: return put_h5(out, H5T_NATIVE_UINT8);
    case 4: return put_h5(out, H5T_IEEE_F32BE);
    default: return 0;
    }
}

/* Reads all of a split, if it is small. */
static void read_split(fmd_array_set *s, bool test, size_t n, size_t bytes)
{
    int labels[64];
    if (n == 0 || n > sizeof labels / sizeof *labels || bytes > SMALL || fmd_array_set_block(s) < n)
        return;
    uint8_t *images = malloc(n * bytes);
    if (images == NULL)
        exit(1);
    const fmd_status st = fmd_array_set_next(s, test, n, images, labels);
    fuzz_check_status(st, FMD_EDATA, FMD_ENOMEM);
    for (size_t i = 0; i < n && st == FMD_OK; i++)
        if (labels[i] < FMD_ARRAY_SET_PIXELS || labels[i] >= FMD_CLASSES_MAX)
            abort();
    free(images);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fmd_array_set *s;
    fmd_dataset_info info = {.classes = 0};
    const fmd_status st = fmd_array_set_open(&s, fuzz_file(data, size), &info);
    fuzz_check_status(st, FMD_EDATA, FMD_ENOMEM);
    if (st != FMD_OK)
        return 0;
    if (info.n_train == 0 || info.image.rank < 2 || fmd_shape_count(info.image) == 0)
        abort();
    read_split(s, false, info.n_train, fmd_shape_count(info.image));
    read_split(s, true, info.n_test, fmd_shape_count(info.image));
    fmd_array_set_close(s);
    return 0;
}
