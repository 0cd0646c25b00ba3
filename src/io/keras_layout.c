#include "io/keras_layout.h"

#include <stdio.h>

const char *fmd_keras_tensor_path(const fmd_model *m, size_t tensor, char text[FMD_KERAS_PATH])
{
    const fmd_layer *l = fmd_model_layer(m, (size_t)fmd_model_tensor(m, tensor)->layer);
    snprintf(text, FMD_KERAS_PATH, "/layers/%s/vars/%zu", l->name, tensor - l->first_tensor);
    return text;
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
