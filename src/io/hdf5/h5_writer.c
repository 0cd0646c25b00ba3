#include "io/hdf5/h5_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An attribute holds less than 64 kB, but a text of variable length lies outside. */
enum { MAX_FIXED_TEXT = 60000 };

static hid_t check(fmd_h5_writer *w, hid_t result)
{
    if (result < 0 && w->why[0] == '\0')
        fmd_h5_why(w->why);
    return result;
}

/* HDF5 allocates the file through these callbacks, so that it need not be copied. */
static void *grow(void *data, size_t size, H5FD_file_image_op_t op, void *writer)
{
    (void)data;
    (void)op;
    fmd_h5_writer *w = writer;
    char *grown = realloc(w->data, w->front + size);
    if (grown == NULL)
        return NULL;
    w->data = grown;
    w->size = w->front + size;
    return grown + w->front;
}

static void *take(size_t size, H5FD_file_image_op_t op, void *writer)
{
    return grow(NULL, size, op, writer);
}

static void *copy(void *to, const void *from, size_t size, H5FD_file_image_op_t op, void *writer)
{
    (void)op;
    (void)writer;
    return memcpy(to, from, size);
}

static herr_t keep(void *data, H5FD_file_image_op_t op, void *writer)
{
    (void)data;
    (void)op;
    (void)writer;
    return 0;
}

static void *same_writer(void *writer)
{
    return writer;
}

static herr_t keep_writer(void *writer)
{
    (void)writer;
    return 0;
}

void fmd_h5_writer_begin(fmd_h5_writer *w, size_t front)
{
    *w = (fmd_h5_writer){.file = H5I_INVALID_HID, .front = front};
    H5FD_file_image_callbacks_t own = {.image_malloc = take,
                                       .image_memcpy = copy,
                                       .image_realloc = grow,
                                       .image_free = keep,
                                       .udata_copy = same_writer,
                                       .udata_free = keep_writer,
                                       .udata = w};
    hid_t access = check(w, fmd_h5_memory_access());
    check(w, H5Pset_file_image_callbacks(access, &own));
    check(w, H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18));
    w->file = check(w, H5Fcreate(FMD_H5_MEMORY, H5F_ACC_TRUNC, H5P_DEFAULT, access));
    w->new_group = check(w, H5Pcreate(H5P_GROUP_CREATE));
    w->new_dataset = check(w, H5Pcreate(H5P_DATASET_CREATE));
    check(w, H5Pset_obj_track_times(w->new_group, false));
    check(w, H5Pset_obj_track_times(w->new_dataset, false));
    check(w, H5Pset_fill_time(w->new_dataset, H5D_FILL_TIME_NEVER));
    H5Pclose(access);
}

fmd_status fmd_h5_writer_finish(fmd_h5_writer *w, const char *path, char **data, size_t *bytes)
{
    check(w, H5Fflush(w->file, H5F_SCOPE_GLOBAL));
    const ssize_t length = check(w, H5Fget_file_image(w->file, NULL, 0));
    H5Pclose(w->new_dataset);
    H5Pclose(w->new_group);
    H5Fclose(w->file);
    if (w->why[0] == '\0' && w->front + (size_t)length > w->size)
        snprintf(w->why, sizeof w->why, "HDF5 ended the file early");
    if (w->why[0] != '\0') {
        free(w->data);
        return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, w->why);
    }
    *data = w->data;
    *bytes = w->front + (size_t)length;
    return FMD_OK;
}

void fmd_h5_put_group(fmd_h5_writer *w, const char *path)
{
    H5Gclose(check(w, H5Gcreate2(w->file, path, H5P_DEFAULT, w->new_group, H5P_DEFAULT)));
}

void fmd_h5_put_dataset(fmd_h5_writer *w, const char *path, fmd_shape shape, hid_t file_type,
                        hid_t memory_type, const void *data)
{
    hsize_t dims[FMD_SHAPE_MAX];
    for (int i = 0; i < shape.rank; i++)
        dims[i] = (hsize_t)shape.dim[i];
    hid_t space = check(w, H5Screate_simple(shape.rank, dims, NULL));
    hid_t dataset = check(
        w, H5Dcreate2(w->file, path, file_type, space, H5P_DEFAULT, w->new_dataset, H5P_DEFAULT));
    check(w, H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    H5Dclose(dataset);
    H5Sclose(space);
}

void fmd_h5_put_link(fmd_h5_writer *w, const char *to, const char *path)
{
    check(w, H5Lcreate_hard(w->file, to, w->file, path, H5P_DEFAULT, H5P_DEFAULT));
}

static void put_attribute(fmd_h5_writer *w, const char *path, const char *name, hid_t space,
                          hid_t file_type, hid_t memory_type, const void *data)
{
    hid_t attribute = check(w, H5Acreate_by_name(w->file, path, name, file_type, space, H5P_DEFAULT,
                                                 H5P_DEFAULT, H5P_DEFAULT));
    check(w, H5Awrite(attribute, memory_type, data));
    H5Aclose(attribute);
}

/* Fixed length with room for the NUL is the one form that all versions of Keras read; an empty list
 * is of numbers, as h5py makes it. */
static void put_strings(fmd_h5_writer *w, const char *path, const char *name, hid_t space, size_t n,
                        size_t stride, const char *strings)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(strings + i * stride);
        longest = length > longest ? length : longest;
    }
    hid_t file_type = check(w, H5Tcopy(n > 0 ? H5T_C_S1 : H5T_IEEE_F64LE));
    hid_t memory_type = check(w, H5Tcopy(n > 0 ? H5T_C_S1 : H5T_NATIVE_DOUBLE));
    if (n > 0) {
        check(w, H5Tset_size(file_type, longest + 1));
        check(w, H5Tset_size(memory_type, stride));
    }
    put_attribute(w, path, name, space, file_type, memory_type, strings);
    H5Tclose(memory_type);
    H5Tclose(file_type);
}

/* Too long for an attribute; only Keras 3 reads this form. */
static void put_long_text(fmd_h5_writer *w, const char *path, const char *name, hid_t space,
                          const char *text)
{
    hid_t type = check(w, H5Tcopy(H5T_C_S1));
    check(w, H5Tset_size(type, H5T_VARIABLE));
    put_attribute(w, path, name, space, type, type, &text);
    H5Tclose(type);
}

void fmd_h5_put_text(fmd_h5_writer *w, const char *path, const char *name, const char *text)
{
    hid_t space = check(w, H5Screate(H5S_SCALAR));
    if (strlen(text) > MAX_FIXED_TEXT)
        put_long_text(w, path, name, space, text);
    else
        put_strings(w, path, name, space, 1, strlen(text) + 1, text);
    H5Sclose(space);
}

void fmd_h5_put_list(fmd_h5_writer *w, const char *path, const char *name, size_t n, size_t stride,
                     const char *texts)
{
    hid_t space = check(w, H5Screate_simple(1, &(hsize_t){n}, NULL));
    put_strings(w, path, name, space, n, stride, texts);
    H5Sclose(space);
}

void fmd_h5_put_int(fmd_h5_writer *w, const char *path, const char *name, int value)
{
    hid_t space = check(w, H5Screate(H5S_SCALAR));
    put_attribute(w, path, name, space, H5T_STD_I32LE, H5T_NATIVE_INT, &value);
    H5Sclose(space);
}

void fmd_h5_put_ints(fmd_h5_writer *w, const char *path, const char *name, size_t n,
                     const int *values)
{
    hid_t space = check(w, H5Screate_simple(1, &(hsize_t){n}, NULL));
    put_attribute(w, path, name, space, H5T_STD_I32LE, H5T_NATIVE_INT, values);
    H5Sclose(space);
}
