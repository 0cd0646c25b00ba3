/* What is wrong behind a user block that is right: no accident, but it must not be read. */
#include "fmd/version.h"
#include "io/checkpoint/checkpoint.h"

#include "io/checkpoint/user_block.h"
#include "support/fmd_test.h"
#include "support/temp_folder.h"
#include "support/trained.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char name[] = "bad.weights.h5";

/* Opens a good file to be damaged. */
static hid_t open_good(void)
{
    size_t n;
    free(trained_write(temp_path(name), &n));
    hid_t file = H5Fopen(temp_path(name), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

/* Closes it and makes the user block fit. */
static void close_and_seal(hid_t file)
{
    size_t n;
    assert_true(H5Fclose(file) >= 0);
    char *bytes = read_bytes(temp_path(name), &n);
    fmd_user_block_fill(bytes, n, TRAINED_STEPS);
    write_bytes(temp_path(name), bytes, n);
    free(bytes);
    uint64_t step;
    assert_ok(fmd_checkpoint_verify(temp_path(name), &step));
}

/* Puts a new dataset in the place of one; rank 0: a scalar; -1: nothing. */
static void replace(hid_t file, const char *path, hid_t type, int rank, hsize_t a, hsize_t b)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    if (rank < 0)
        return;
    hid_t space =
        rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, (hsize_t[]){a, b}, NULL);
    hid_t dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

static void replace_by_group(hid_t file, const char *path)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void add_group(hid_t file, const char *path)
{
    H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

/* Puts a new attribute in the place of one: `n` values of a type, zero; n 0: nothing, -1: none of
 * them. */
static void replace_attribute(hid_t file, const char *group, const char *attribute, hid_t type,
                              int n)
{
    static char zeros[1 << 16];
    assert_true(H5Adelete_by_name(file, group, attribute, H5P_DEFAULT) >= 0);
    if (n == 0)
        return;
    hid_t space = n < 0 ? H5Screate(H5S_NULL) : H5Screate_simple(1, (hsize_t[]){(hsize_t)n}, NULL);
    hid_t a = H5Acreate_by_name(file, group, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT,
                                H5P_DEFAULT);
    assert_true(a >= 0);
    if (n > 0 && H5Tis_variable_str(type) <= 0)
        assert_true(H5Awrite(a, type, zeros) >= 0);
    H5Aclose(a);
    H5Sclose(space);
}

static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    assert_true(H5Tset_size(type, size) >= 0);
    return type;
}

static void set_ints(hid_t file, const char *attribute, int value)
{
    hid_t group = H5Gopen2(file, "/fmnist_dist", H5P_DEFAULT); /* H5Aopen_by_name cannot write */
    hid_t a = H5Aopen(group, attribute, H5P_DEFAULT);
    assert_true(H5Awrite(a, H5T_NATIVE_INT, (int[2]){value, value}) >= 0);
    H5Aclose(a);
    H5Gclose(group);
}

static void set_float(hid_t file, const char *path, size_t i, float value)
{
    float values[64];
    hid_t d = H5Dopen2(file, path, H5P_DEFAULT);
    assert_true(H5Dread(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    values[i] = value;
    assert_true(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(d);
}

/* The whole state is refused with this in the message, and nothing has changed. */
static void assert_sealed_refused(hid_t file, const char *says)
{
    victim v;
    victim_make(&v);
    close_and_seal(file);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, stderr);
    watch_stderr_begin();
    const fmd_status status = fmd_checkpoint_read(temp_path(name), &v.t.state);
    assert_int_equal(watch_stderr_end(), 0);
    assert_int_equal(status, FMD_EDATA);
    if (strstr(fmd_error_message(), says) == NULL)
        fail_msg("'%s' does not say '%s'", fmd_error_message(), says);
    trained_assert_equal(&v.t, v.before);
    victim_release(&v);
}

static void test_checkpoint_sealed__a_dataset_of_another_form_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        hid_t *type;
        int rank;
        hsize_t a, b;
        const char *says;
    } cases[] = {
        {"/layers/dense_2/vars/1", NULL, -1, 0, 0, " lacks '/layers/dense_2/vars/1'"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F32LE_g, 1, 8, 0,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has shape (8), expected (7)"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F32LE_g, 2, 7, 1, "has shape (7, 1), expected (7)"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F32LE_g, 0, 0, 0, "has shape (), expected (7)"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F64LE_g, 1, 7, 0,
         "has 8-byte floats, expected 4-byte little-endian floats"},
        {"/layers/dense_2/vars/1", &H5T_STD_I32LE_g, 1, 7, 0, "has 4-byte integers, expected"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F32BE_g, 1, 7, 0, "has big-endian floats, expected"},
        {"/layers/dense_2/vars/1", &H5T_C_S1_g, 1, 7, 0, "values that are not numbers, expected"},
        {"/layers/dense_2/vars/1", &H5T_IEEE_F32LE_g, 2, 1ull << 40, 1ull << 20,
         "has shape (1099511627776, 1048576), expected (7)"},
        {"/optimizer/vars/3", NULL, -1, 0, 0, " lacks '/optimizer/vars/3'"},
        {"/optimizer/vars/3", &H5T_IEEE_F32LE_g, 1, 60, 0, "has shape (60), expected (12, 5)"},
        {"/fmnist_dist/state/scale", NULL, -1, 0, 0, " lacks '/fmnist_dist/state/scale'"},
        {"/fmnist_dist/state/scale", &H5T_STD_I32LE_g, 1, 4, 0, "is not 3 values of its type"},
        {"/fmnist_dist/state/scale", &H5T_STD_I32BE_g, 1, 3, 0, "is not 3 values of its type"},
        {"/fmnist_dist/state/scale", &H5T_IEEE_F32LE_g, 1, 3, 0, "is not 3 values of its type"},
        {"/fmnist_dist/state/scale", &H5T_C_S1_g, 1, 3, 0, "is not 3 values of its type"},
        {"/fmnist_dist/state/scale", &H5T_STD_I32LE_g, 1, 1ull << 60, 0, "is not 3 values"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = open_good();
        replace(file, cases[i].path, cases[i].type == NULL ? -1 : *cases[i].type, cases[i].rank,
                cases[i].a, cases[i].b);
        assert_sealed_refused(file, cases[i].says);
    }
}

static void test_checkpoint_sealed__groups_and_links_in_the_wrong_place_are_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/layers/dense/vars/0", "/optimizer/vars/2",
                                        "/fmnist_dist/state/scale"};
    for (int i = 0; i < 3; i++) {
        hid_t file = open_good();
        replace_by_group(file, paths[i]);
        assert_sealed_refused(file, paths[i]);
        file = open_good();
        replace(file, paths[i], -1, -1, 0, 0);
        H5Lcreate_soft(paths[i], file, paths[i], H5P_DEFAULT, H5P_DEFAULT); /* to itself */
        assert_sealed_refused(file, paths[i]);
        file = open_good();
        replace(file, paths[i], -1, -1, 0, 0);
        H5Lcreate_external("/dev/zero", "/", file, paths[i], H5P_DEFAULT, H5P_DEFAULT);
        assert_sealed_refused(file, paths[i]);
    }
    static const char *const groups[] = {"/layers", "/optimizer", "/fmnist_dist",
                                         "/fmnist_dist/fingerprint", "/fmnist_dist/state"};
    for (int i = 0; i < 5; i++) {
        hid_t file = open_good();
        replace(file, groups[i], -1, -1, 0, 0);
        assert_sealed_refused(file, "");
        file = open_good();
        replace(file, groups[i], H5T_IEEE_F32LE, 1, 7, 0);
        assert_sealed_refused(file, "");
        if (strcmp(groups[i], "/fmnist_dist/fingerprint") ==
            0) /* no fingerprint entry at all is a difference */
            continue;
        file = open_good();
        replace_by_group(file, groups[i]);
        assert_sealed_refused(file, "");
    }
}

static void test_checkpoint_sealed__more_than_the_program_has_is_refused(void **state)
{
    (void)state;
    hid_t file = open_good();
    add_group(file, "/layers/dense_3");
    assert_sealed_refused(file, ": '/layers' has 7 layers, expected 6");
    file = open_good();
    H5Lcreate_hard(file, "/layers/dense_1/vars/1", file, "/layers/dense/vars/1", H5P_DEFAULT,
                   H5P_DEFAULT);
    assert_sealed_refused(file, ": '/layers/dense/vars' has 2 variables, expected 1");
    file = open_good();
    add_group(file, "/optimizer/vars/12");
    assert_sealed_refused(file, ": '/optimizer/vars' has 13 variables, expected 12");
    file = open_good();
    add_group(file, "/fmnist_dist/state/more");
    assert_sealed_refused(file, ": '/fmnist_dist/state' has 6 values, expected 5");
}

static void test_checkpoint_sealed__values_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    hid_t file = open_good();
    set_float(file, "/layers/dense_1/vars/0", 2, (float)INFINITY);
    assert_sealed_refused(file, ": the kernel of dense_1, '/layers/dense_1/vars/0', has inf at "
                                "index 2");
    file = open_good();
    set_float(file, "/optimizer/vars/2", 59, NAN);
    assert_sealed_refused(file, ": momentum, '/optimizer/vars/2', has nan at index 59");
    file = open_good(); /* a mean of squares */
    set_float(file, "/optimizer/vars/3", 5, -1);
    assert_sealed_refused(file, ": velocity, '/optimizer/vars/3', has -1 at index 5");
}

static void test_checkpoint_sealed__traits_of_another_form_are_refused(void **state)
{
    (void)state;
    hid_t variable = text_type(H5T_VARIABLE), huge = text_type(2000), one = text_type(4);
    const struct {
        hid_t type;
        int n;
    } cases[] = {{H5T_STD_I32LE, 1}, {variable, 1}, {huge, 1}, {one, 2}, {one, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = open_good();
        replace_attribute(file, "/fmnist_dist/fingerprint", "layers", cases[i].type, cases[i].n);
        close_and_seal(file);
        fmd_checkpoint_contents contents;
        assert_int_equal(fmd_checkpoint_read_contents(temp_path(name), &contents), FMD_EDATA);
        assert_non_null(strstr(fmd_error_message(),
                               " is damaged: layers is not text of at most 1023 characters"));
    }
    H5Tclose(variable);
    H5Tclose(huge);
    H5Tclose(one);
}

static void assert_info_fails(hid_t file, fmd_status status, const char *says)
{
    char expected[512];
    fmd_checkpoint_info info = {.layers = "untouched"};
    close_and_seal(file);
    snprintf(expected, sizeof expected, "'%s'%s", temp_path(name), says);
    assert_fails(fmd_checkpoint_read_info(temp_path(name), &info), status, expected);
    assert_string_equal(info.layers, "untouched");
}

static void assert_info_refused(hid_t file, const char *says)
{
    assert_info_fails(file, FMD_EDATA, says);
}

/* A sound file that only another version reads: nobody may take it for a damaged one. */
static void test_checkpoint_sealed__another_format_is_not_damage(void **state)
{
    (void)state;
    hid_t file = open_good();
    set_ints(file, "format_version", 2);
    assert_info_fails(file, FMD_EUSAGE,
                      " has format 2, written by fmnist-dist " FMD_VERSION "; this is " FMD_VERSION
                      " and reads format 1");
}

static void test_checkpoint_sealed__a_description_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char not_ints[] = " is damaged: input_shape is not 1 to 4 integers";
    hid_t file = open_good();
    set_ints(file, "input_shape", 0);
    assert_info_refused(file, " is damaged: input_shape has 0, expected 1 to 2147483647");
    file = open_good();
    set_ints(file, "input_shape", 50000); /* in both dimensions */
    assert_info_refused(file, " is damaged: input_shape has more than 2147483647 values");
    file = open_good();
    set_ints(file, "normalize", 255);
    assert_info_refused(file, " is damaged: normalize has 255, expected 0 to 1");
    file = open_good();
    replace_attribute(file, "/fmnist_dist", "input_shape", H5T_STD_I32LE, 5);
    assert_info_refused(file, not_ints);
    file = open_good();
    replace_attribute(file, "/fmnist_dist", "input_shape", H5T_STD_I32LE, -1);
    assert_info_refused(file, not_ints);
    file = open_good();
    replace_attribute(file, "/fmnist_dist", "input_shape", H5T_IEEE_F32LE, 2);
    assert_info_refused(file, not_ints);
    file = open_good();
    replace_attribute(file, "/fmnist_dist", "layers", -1, 0);
    assert_info_refused(file, " is damaged: layers: can't locate attribute: 'layers'");
    file = open_good();
    hid_t huge = text_type(FMD_LAYERS_BYTES + 1);
    replace_attribute(file, "/fmnist_dist", "layers", huge, 1);
    assert_info_refused(file, " is damaged: layers is not text of at most 32767 characters");
    H5Tclose(huge);
    file = open_good();
    replace(file, "/fmnist_dist", -1, -1, 0, 0);
    assert_info_refused(file, " was not written by fmnist-dist: it has no group /fmnist_dist");
}

static void test_checkpoint_sealed__items_that_are_no_arrays_are_not_listed(void **state)
{
    (void)state;
    const struct {
        hid_t type;
        int rank;
        hsize_t a;
    } cases[] = {{H5T_C_S1, 1, 3},
                 {H5T_STD_I16LE, 1, 3},
                 {H5T_STD_I32BE, 1, 3},
                 {H5T_STD_I32LE, 1, 1ull << 60},
                 {H5T_STD_I32LE, 1, 1u << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_checkpoint_contents contents;
        hid_t file = open_good();
        replace(file, "/fmnist_dist/state/scale", cases[i].type, cases[i].rank, cases[i].a, 0);
        close_and_seal(file);
        assert_int_equal(fmd_checkpoint_read_contents(temp_path(name), &contents), FMD_EDATA);
        assert_non_null(strstr(fmd_error_message(), "state/scale is not an array of numbers"));
    }
}

static void set_layers(hid_t file, const char *layers)
{
    const hid_t type = text_type(strlen(layers) + 1);
    replace_attribute(file, "/fmnist_dist", "layers", type, 1);
    const hid_t group = H5Gopen2(file, "/fmnist_dist", H5P_DEFAULT);
    const hid_t a = H5Aopen(group, "layers", H5P_DEFAULT);
    assert_true(H5Awrite(a, type, layers) >= 0);
    H5Aclose(a);
    H5Gclose(group);
    H5Tclose(type);
}

/* A model of 17 GB in a file of some kB is refused before anybody takes memory for it. */
static void test_checkpoint_sealed__a_model_larger_than_the_file_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *layers, *says;
    } cases[] = {
        {"flatten,dense:65536,dense:65536,dense:7:softmax", "more than fit into its"},
        {"flatten,dense:2000,dense:7:softmax", "its layers have 40007 parameters, more than fit"},
        {"flatten,dens:7:softmax", " describes a model that cannot be built: "},
        {"", " describes a model that cannot be built: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fmd_checkpoint_info info = {.layers = "untouched"};
        hid_t file = open_good();
        set_layers(file, cases[i].layers);
        close_and_seal(file);
        assert_int_equal(fmd_checkpoint_read_info(temp_path(name), &info), FMD_EDATA);
        if (strstr(fmd_error_message(), cases[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", fmd_error_message(), cases[i].says);
        assert_string_equal(info.layers, "untouched");
    }
}

/* Data of the right type and shape that lie somewhere else: in an external file, behind a link, in
 * another dataset, in pieces. */
typedef enum elsewhere { SOFT, EXTERNAL_LINK, EXTERNAL_DATA, VIRTUAL, PIECES, PLACES } elsewhere;

static void put_elsewhere(hid_t file, const char *path, elsewhere kind, const char *other)
{
    const hid_t old = H5Dopen2(file, path, H5P_DEFAULT);
    const hid_t type = H5Dget_type(old), space = H5Dget_space(old);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t dims[4];
    H5Sget_simple_extent_dims(space, dims, NULL);
    assert_true(H5Lmove(file, path, file, "/aside", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    if (kind == SOFT)
        H5Lcreate_soft("/aside", file, path, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == EXTERNAL_LINK)
        H5Lcreate_external(other, path, file, path, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == EXTERNAL_DATA)
        H5Pset_external(creation, other, 0, H5F_UNLIMITED);
    if (kind == VIRTUAL)
        H5Pset_virtual(creation, space, other, path, space);
    if (kind == PIECES)
        H5Pset_chunk(creation, H5Sget_simple_extent_ndims(space), dims);
    if (kind >= EXTERNAL_DATA)
        H5Dclose(H5Dcreate2(file, path, type, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(old);
}

static void test_checkpoint_sealed__data_outside_the_file_are_not_read(void **state)
{
    (void)state;
    static const char *const paths[] = {"/layers/dense/vars/0", "/optimizer/vars/2",
                                        "/fmnist_dist/state/scale"};
    static const char *const says[PLACES] = {"is a link of the soft kind",
                                             "is a link of the external kind", "in another file",
                                             "in another file", "is not stored in one piece"};
    size_t n;
    char other[512];
    snprintf(other, sizeof other, "%s", temp_path("other.weights.h5"));
    free(trained_write(other, &n));
    for (int i = 0; i < 3; i++)
        for (int kind = 0; kind < PLACES; kind++) {
            hid_t file = open_good();
            put_elsewhere(file, paths[i], (elsewhere)kind, other);
            assert_sealed_refused(file, says[kind]);
            fmd_checkpoint_contents contents;
            if (i == 2)
                assert_int_equal(fmd_checkpoint_read_contents(temp_path(name), &contents),
                                 FMD_EDATA);
        }
    static const char *const groups[] = {"/layers", "/optimizer/vars", "/fmnist_dist/state",
                                         "/fmnist_dist/fingerprint", "/fmnist_dist"};
    for (int i = 0; i < 5; i++) {
        hid_t file = open_good();
        replace(file, groups[i], H5I_INVALID_HID, -1, 0, 0);
        H5Lcreate_external(other, groups[i], file, groups[i], H5P_DEFAULT, H5P_DEFAULT);
        assert_sealed_refused(file, "is a link of the external kind");
    }
    unlink(other);
}

static void test_checkpoint_sealed__values_out_of_their_range_are_refused(void **state)
{
    (void)state;
    const struct {
        int entry;
        double min, max;
        bool may_be_nan;
        const char *says;
    } cases[] = {
        {0, 0, 1, false, "state/reason has 115 at index 0, expected 0 to 1"},
        {1, -100, 100, false, "state/scale has -2147483648 at index 0, expected -100 to 100"},
        {2, 0, 10, false, "state/epoch has -9.223372037e+18 at index 0, expected 0 to 10"},
        {3, -1, 1, false, "state/best_params has nan at index 0, expected -1 to 1"},
        {4, -1, 1, false, "state/history has nan at index 0"},
        {4, -1, 1, true, "state/history has -inf at index 3, expected -1 to 1 or nan"},
        {4, 0.05, 1, true, "state/history has -0 at index 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n;
        victim v;
        free(trained_write(temp_path(name), &n));
        victim_make(&v);
        fmd_state_entry *e = &v.t.entries[cases[i].entry];
        const fmd_state_entry any = *e;
        e->min = cases[i].min;
        e->max = cases[i].max;
        e->may_be_nan = cases[i].may_be_nan;
        assert_int_equal(fmd_checkpoint_read(temp_path(name), &v.t.state), FMD_EDATA);
        if (strstr(fmd_error_message(), cases[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", fmd_error_message(), cases[i].says);
        *e = any;
        trained_assert_equal(&v.t, v.before);
        victim_release(&v);
    }
}

/* Bits of the data alone: the HDF5 library has faults of its own where its structures are wrong. */
static void test_checkpoint_sealed__wrong_bits_of_values_are_read_or_refused(void **state)
{
    (void)state;
    hid_t file = open_good();
    hid_t d = H5Dopen2(file, "/layers/dense/vars/0", H5P_DEFAULT);
    const haddr_t first = H5Dget_offset(d);
    H5Dclose(d);
    close_and_seal(file);
    size_t n;
    char *bytes = read_bytes(temp_path(name), &n);
    int refused = 0;
    for (size_t bit = 0; bit < 60 * 32; bit++) {
        victim v;
        victim_make(&v);
        char *value = bytes + first + bit / 32 * 4, old[4];
        memcpy(old, value, sizeof old);
        if (bit % 2 == 0) /* of infinity; else of what there is */
            memcpy(value, "\0\0\x80\x7f", sizeof old);
        value[bit % 32 / 8] = (char)(value[bit % 32 / 8] ^ 1 << bit % 8);
        fmd_user_block_fill(bytes, n, TRAINED_STEPS);
        write_bytes(temp_path(name), bytes, n);
        const fmd_status status = fmd_checkpoint_read(temp_path(name), &v.t.state);
        assert_true(status == FMD_OK || status == FMD_EDATA);
        refused += status == FMD_EDATA;
        if (status == FMD_EDATA)
            trained_assert_equal(&v.t, v.before);
        victim_release(&v);
        memcpy(value, old, sizeof old);
    }
    assert_int_equal(refused,
                     60 * 12); /* not a number: infinity with another bit in its mantissa */
    free(bytes);
}

int main(void)
{
    H5open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint_sealed__a_dataset_of_another_form_is_named),
        cmocka_unit_test(test_checkpoint_sealed__groups_and_links_in_the_wrong_place_are_refused),
        cmocka_unit_test(test_checkpoint_sealed__more_than_the_program_has_is_refused),
        cmocka_unit_test(test_checkpoint_sealed__values_that_are_not_finite_are_refused),
        cmocka_unit_test(test_checkpoint_sealed__traits_of_another_form_are_refused),
        cmocka_unit_test(test_checkpoint_sealed__another_format_is_not_damage),
        cmocka_unit_test(test_checkpoint_sealed__a_description_that_cannot_be_is_refused),
        cmocka_unit_test(test_checkpoint_sealed__items_that_are_no_arrays_are_not_listed),
        cmocka_unit_test(test_checkpoint_sealed__a_model_larger_than_the_file_is_refused),
        cmocka_unit_test(test_checkpoint_sealed__data_outside_the_file_are_not_read),
        cmocka_unit_test(test_checkpoint_sealed__values_out_of_their_range_are_refused),
        cmocka_unit_test(test_checkpoint_sealed__wrong_bits_of_values_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
