#include "io/hdf5/h5.h"

#include <stdio.h>

hid_t fmd_h5_memory_access(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (H5Pset_fapl_core(access, 1 << 20, 0) < 0 ||
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) {
        H5Pclose(access);
        return H5I_INVALID_HID;
    }
    return access;
}

static herr_t copy_description(unsigned n, const H5E_error2_t *error, void *text)
{
    (void)n;
    snprintf(text, FMD_H5_TEXT, "%s", error->desc);
    return 1; /* the first is the innermost: no further */
}

const char *fmd_h5_why(char text[FMD_H5_TEXT])
{
    snprintf(text, FMD_H5_TEXT, "unknown HDF5 error");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy_description, text);
    return text;
}

const char *fmd_h5_space_text(hid_t space, char text[FMD_H5_TEXT])
{
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    int used = snprintf(text, FMD_H5_TEXT, "(");
    for (int i = 0; i < rank && used < FMD_H5_TEXT; i++)
        used += snprintf(text + used, (size_t)(FMD_H5_TEXT - used), "%s%llu", i > 0 ? ", " : "",
                         (unsigned long long)dims[i]);
    if (used < FMD_H5_TEXT)
        snprintf(text + used, (size_t)(FMD_H5_TEXT - used), ")");
    return text;
}

bool fmd_h5_space_equals(hid_t space, fmd_shape shape)
{
    hsize_t dims[H5S_MAX_RANK];
    if (H5Sget_simple_extent_dims(space, dims, NULL) != shape.rank)
        return false;
    for (int i = 0; i < shape.rank; i++)
        if (dims[i] != (hsize_t)shape.dim[i])
            return false;
    return true;
}

const char *fmd_h5_type_text(hid_t type, char text[FMD_H5_TEXT])
{
    H5T_class_t class = H5Tget_class(type);
    if (H5Tget_size(type) == 4 && class == H5T_FLOAT)
        snprintf(text, FMD_H5_TEXT, "big-endian floats");
    else
        snprintf(text, FMD_H5_TEXT, "%zu-byte %s", H5Tget_size(type),
                 class == H5T_FLOAT     ? "floats"
                 : class == H5T_INTEGER ? "integers"
                                        : "values that are not numbers");
    return text;
}
