#include "io/keras/layout.h"

#include <stdio.h>

const char *fmd_keras_tensor_path(const fmd_model *m, size_t tensor, char text[FMD_KERAS_PATH])
{
    const fmd_layer *l = fmd_model_layer(m, (size_t)fmd_model_tensor(m, tensor)->layer);
    snprintf(text, FMD_KERAS_PATH, "/layers/%s/vars/%zu", l->name, tensor - l->first_tensor);
    return text;
}

const char *fmd_keras_slot_path(const fmd_model *m, const fmd_optimizer *o, size_t slot,
                                size_t tensor, char text[FMD_KERAS_PATH])
{
    const size_t slots = fmd_optimizer_n_slots(o), tensors = fmd_model_n_tensors(m);
    const size_t place =
        fmd_optimizer_ops_of(o)->interleaved ? tensor * slots + slot : slot * tensors + tensor;
    snprintf(text, FMD_KERAS_PATH, "/optimizer/vars/%zu", 2 + place);
    return text;
}

hid_t fmd_h5_entry_type(const fmd_state_entry *entry)
{
    switch (entry->kind) {
    case FMD_STATE_U8: return H5T_NATIVE_UINT8;
    case FMD_STATE_I32: return H5T_NATIVE_INT32;
    case FMD_STATE_I64: return H5T_NATIVE_INT64;
    case FMD_STATE_F32: return H5T_NATIVE_FLOAT;
    case FMD_STATE_F64: return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

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
    snprintf(text, FMD_H5_WHY, "%s", error->desc);
    return 1; /* the first is the innermost: no further */
}

const char *fmd_h5_why(char text[FMD_H5_WHY])
{
    snprintf(text, FMD_H5_WHY, "unknown HDF5 error");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy_description, text);
    return text;
}

const char *fmd_h5_space_text(hid_t space, char *text, size_t size)
{
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    int used = snprintf(text, size, "(");
    for (int i = 0; i < rank && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%llu", i > 0 ? ", " : "",
                         (unsigned long long)dims[i]);
    if ((size_t)used < size)
        snprintf(text + used, size - (size_t)used, ")");
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

const char *fmd_h5_type_text(hid_t type, char *text, size_t size)
{
    H5T_class_t class = H5Tget_class(type);
    if (H5Tget_size(type) == 4 && class == H5T_FLOAT)
        snprintf(text, size, "big-endian floats");
    else
        snprintf(text, size, "%zu-byte %s", H5Tget_size(type),
                 class == H5T_FLOAT     ? "floats"
                 : class == H5T_INTEGER ? "integers"
                                        : "values that are not numbers");
    return text;
}
