/* make_arrays FILE ARRAY...: an HDF5 file of arrays. An array is NAME:TYPE:DIMS[:OPTION], with a type of
 * u1, i1, i4, f4, f8, be4 (big-endian floats), text; dims as in 6x4x4; and an option: chunks (compressed),
 * empty (space that was never written), soft (a link elsewhere), far (the data are in another file), nan (one
 * value in the middle is none), max=N (values 0 to N; 255), real (divided by 255). Values count up. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hid_t type_of(const char *name)
{
    if (strcmp(name, "u1") == 0)
        return H5T_STD_U8LE;
    if (strcmp(name, "i1") == 0)
        return H5T_STD_I8LE;
    if (strcmp(name, "i4") == 0)
        return H5T_STD_I32LE;
    if (strcmp(name, "f4") == 0)
        return H5T_IEEE_F32LE;
    if (strcmp(name, "be4") == 0)
        return H5T_IEEE_F32BE;
    if (strcmp(name, "text") == 0)
        return H5T_C_S1;
    return H5T_IEEE_F64LE;
}

static void put(hid_t file, const char *name, const char *type, const char *shape,
                const char *option)
{
    hsize_t dims[8], n = 1;
    int rank = 0, max = 255;
    for (const char *at = shape; *at != '\0' && rank < 8; at += *at == 'x') {
        dims[rank] = strtoull(at, NULL, 10);
        n *= dims[rank++];
        at += strspn(at, "0123456789");
    }
    if (strncmp(option, "max=", 4) == 0)
        max = atoi(option + 4);
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (strcmp(option, "chunks") == 0) {
        H5Pset_chunk(creation, rank, dims);
        H5Pset_deflate(creation, 6);
    }
    if (strcmp(option, "far") == 0)
        H5Pset_external(creation, "elsewhere", 0, H5F_UNLIMITED);
    if (strcmp(option, "soft") == 0) {
        H5Lcreate_soft("/elsewhere", file, name, H5P_DEFAULT, H5P_DEFAULT);
        return;
    }
    const hid_t set =
        H5Dcreate2(file, name, type_of(type), space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (strcmp(option, "empty") != 0 && strcmp(type, "text") != 0) {
        double *values = malloc((size_t)(n > 0 ? n : 1) * sizeof *values);
        for (hsize_t i = 0; values != NULL && i < n; i++) {
            values[i] = (double)((i + i / 7) % (hsize_t)(max + 1));
            if (strcmp(option, "real") == 0)
                values[i] /= 255;
        }
        if (values != NULL && strcmp(option, "nan") == 0)
            values[n / 2] = (double)NAN;
        H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        free(values);
    }
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
}

int main(int argc, char **argv)
{
    const hid_t file =
        argc > 2 ? H5Fcreate(argv[1], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT) : H5I_INVALID_HID;
    if (file < 0)
        return 1;
    for (int i = 2; i < argc; i++) {
        char *rest = argv[i];
        const char *name = strsep(&rest, ":"), *type = strsep(&rest, ":");
        const char *shape = strsep(&rest, ":");
        put(file, name, type, shape, rest != NULL ? rest : "");
    }
    return H5Fclose(file) < 0;
}
