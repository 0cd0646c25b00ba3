#include "fmd/keras_file.h"

#include "support/fmd_test.h"
#include "support/temp_folder.h"

#include <hdf5.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const fmd_shape image = {.rank = 2, .dim = {4, 3}};
static const char layers[] = "flatten,dense:5:relu:init=he_normal:nobias,dropout:0.25,"
                             "activation:tanh,dense:6,dense:7:softmax";

/* A trained model: every value differs from every other. */
typedef struct trained {
    fmd_model *m;
    fmd_optimizer *o;
} trained;

static trained train(const char *optimizer)
{
    trained t;
    assert_ok(fmd_model_create(&t.m, layers, image, 4));
    const size_t n = fmd_model_n_params(t.m);
    assert_ok(fmd_optimizer_create(&t.o, optimizer, n));
    float *grads = calloc(n, sizeof *grads);
    assert_non_null(grads);
    for (int i = 0; i < 3; i++)
        fmd_optimizer_step(t.o, fmd_model_params(t.m), grads, 0.001);
    free(grads);
    for (size_t i = 0; i < n; i++)
        fmd_model_params(t.m)[i] = 1.0f / (float)(i + 3);
    for (size_t slot = 0; slot < fmd_optimizer_n_slots(t.o); slot++)
        for (size_t i = 0; i < n; i++)
            fmd_optimizer_slot(t.o, slot)[i] = (float)(1000 * (slot + 1) + i);
    return t;
}

static void release(trained *t)
{
    fmd_model_destroy(t->m);
    fmd_optimizer_destroy(t->o);
}

/* Writes a trained model with Adam to model.weights.h5 and tells the path. */
static const char *write_model(void)
{
    const char *path = temp_path("model.weights.h5");
    trained t = train("adam");
    assert_ok(fmd_keras_write(path, t.m, t.o, 0.005, true));
    release(&t);
    return path;
}

static char *read_bytes(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *bytes = malloc(1 << 20);
    assert_non_null(bytes);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static hid_t open_file(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void assert_attribute(hid_t file, const char *group, const char *name, const char *expected)
{
    char text[4096] = "";
    hid_t attribute = H5Aopen_by_name(file, group, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    hid_t type = H5Aget_type(attribute);
    assert_int_equal(H5Tis_variable_str(type), 0);
    assert_int_equal(H5Tget_size(type), strlen(expected) + 1);
    assert_true(H5Aread(attribute, type, text) >= 0);
    assert_string_equal(text, expected);
    H5Tclose(type);
    H5Aclose(attribute);
}

static haddr_t address(hid_t file, const char *path)
{
    H5O_info_t info;
    assert_true(H5Oget_info_by_name2(file, path, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0);
    return info.addr;
}

static void test_keras_file__parameters_and_description_come_back(void **state)
{
    (void)state;
    fmd_keras_info info;
    fmd_model *m;
    const char *path = write_model();
    trained t = train("adam");
    assert_ok(fmd_keras_read_info(path, &info));
    assert_string_equal(info.layers, layers);
    assert_memory_equal(&info.in, &image, sizeof image);
    assert_true(info.normalize);
    assert_ok(fmd_model_create(&m, info.layers, info.in, 1));
    assert_ok(fmd_keras_read_params(path, m));
    assert_memory_equal(fmd_model_params(m), fmd_model_params(t.m),
                        fmd_model_n_params(m) * sizeof(float));
    assert_ok(fmd_keras_write(path, t.m, t.o, 0.005, false));
    assert_ok(fmd_keras_read_info(path, &info));
    assert_false(info.normalize);
    fmd_model_destroy(m);
    release(&t);
}

static void test_keras_file__equal_models_give_equal_bytes(void **state)
{
    (void)state;
    size_t n, n_again, n_other;
    /* Memory that starts with other garbage must not show. */
    mallopt(M_PERTURB, 0x5a);
    char *first = read_bytes(write_model(), &n);
    mallopt(M_PERTURB, 0xa5);
    usleep(1100000); /* nor the second in which it was written */
    char *again = read_bytes(write_model(), &n_again);
    mallopt(M_PERTURB, 0);
    assert_int_equal(n, n_again);
    assert_memory_equal(first, again, n);

    /* The control: one bit of one parameter does show. */
    trained t = train("adam");
    fmd_model_params(t.m)[17] = nextafterf(fmd_model_params(t.m)[17], 1);
    assert_ok(fmd_keras_write(temp_path("other.weights.h5"), t.m, t.o, 0.005, true));
    char *other = read_bytes(temp_path("other.weights.h5"), &n_other);
    assert_int_equal(n, n_other);
    assert_memory_not_equal(first, other, n);
    release(&t);
    free(first);
    free(again);
    free(other);
}

static void test_keras_file__keras_is_told_every_argument_of_every_layer(void **state)
{
    (void)state;
    hid_t file = open_file(write_model());
    assert_attribute(
        file, "/", "model_config",
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"sequential\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"batch_input_shape\":[null,4,3],"
        "\"dtype\":\"float32\",\"sparse\":false,\"name\":\"input_1\"}},"
        "{\"class_name\":\"Flatten\",\"config\":{\"name\":\"flatten\",\"trainable\":true,"
        "\"dtype\":\"float32\"}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense\",\"trainable\":true,"
        "\"dtype\":\"float32\",\"units\":5,\"activation\":\"relu\","
        "\"kernel_initializer\":\"he_normal\",\"use_bias\":false}},"
        "{\"class_name\":\"Dropout\",\"config\":{\"name\":\"dropout\",\"trainable\":true,"
        "\"dtype\":\"float32\",\"rate\":0.25}},"
        "{\"class_name\":\"Activation\",\"config\":{\"name\":\"activation\",\"trainable\":true,"
        "\"dtype\":\"float32\",\"activation\":\"tanh\"}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense_1\",\"trainable\":true,"
        "\"dtype\":\"float32\",\"units\":6,\"activation\":\"linear\","
        "\"kernel_initializer\":\"glorot_uniform\",\"use_bias\":true}},"
        "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense_2\",\"trainable\":true,"
        "\"dtype\":\"float32\",\"units\":7,\"activation\":\"softmax\","
        "\"kernel_initializer\":\"glorot_uniform\",\"use_bias\":true}}]}}");
    assert_attribute(file, "/", "keras_version", "2.15.0");
    assert_attribute(file, "/model_weights", "backend", "tensorflow");
    H5Fclose(file);
}

static void assert_training_config(const char *optimizer, const char *expected)
{
    char text[1024];
    trained t = train(optimizer);
    assert_ok(fmd_keras_write(temp_path("model.weights.h5"), t.m, t.o, 0.005, true));
    release(&t);
    hid_t file = open_file(temp_path("model.weights.h5"));
    snprintf(text, sizeof text,
             "{\"optimizer_config\":{\"class_name\":%s}},"
             "\"loss\":\"sparse_categorical_crossentropy\",\"metrics\":[\"accuracy\"],"
             "\"weighted_metrics\":null,\"sample_weight_mode\":null,\"loss_weights\":null}",
             expected);
    assert_attribute(file, "/", "training_config", text);
    H5Fclose(file);
}

static void test_keras_file__keras_is_told_every_argument_of_the_optimizer(void **state)
{
    (void)state;
    assert_training_config("adam:beta_2=0.99",
                           "\"Adam\",\"config\":{\"learning_rate\":0.005,\"beta_1\":0.9,"
                           "\"beta_2\":0.99,\"epsilon\":1e-07");
    assert_training_config("sgd:momentum=0.9:nesterov",
                           "\"SGD\",\"config\":{\"learning_rate\":0.005,\"momentum\":0.9,"
                           "\"nesterov\":true");
    assert_training_config("rmsprop:centered",
                           "\"RMSprop\",\"config\":{\"learning_rate\":0.005,\"rho\":0.9,"
                           "\"momentum\":0.0,\"epsilon\":1e-07,\"centered\":true");
}

static void test_keras_file__both_layouts_share_their_data(void **state)
{
    (void)state;
    hid_t file = open_file(write_model());
    assert_int_equal(address(file, "/layers/dense/vars/0"),
                     address(file, "/model_weights/dense/dense/kernel:0"));
    assert_int_equal(address(file, "/layers/dense_2/vars/1"),
                     address(file, "/model_weights/dense_2/dense_2/bias:0"));
    assert_int_not_equal(address(file, "/layers/dense_2/vars/1"),
                         address(file, "/layers/dense_1/vars/1"));
    assert_true(H5Lexists(file, "/vars", H5P_DEFAULT) > 0);
    assert_true(H5Lexists(file, "/layers/activation/vars", H5P_DEFAULT) > 0);
    assert_int_equal(H5Lexists(file, "/optimizer_weights", H5P_DEFAULT), 0);
    H5Fclose(file);
}

/* The first value of each optimizer variable from number 2 on tells slot and place. */
static void assert_slots(const char *optimizer, int n, const float *expected)
{
    hid_t file;
    trained t = train(optimizer);
    assert_ok(fmd_keras_write(temp_path("model.weights.h5"), t.m, t.o, 0.005, true));
    release(&t);
    file = open_file(temp_path("model.weights.h5"));
    H5G_info_t info;
    assert_true(H5Gget_info_by_name(file, "/optimizer/vars", &info, H5P_DEFAULT) >= 0);
    assert_int_equal(info.nlinks, n + 2);
    for (int i = 0; i < n + 2; i++) {
        char path[64];
        float values[64];
        int steps;
        snprintf(path, sizeof path, "/optimizer/vars/%d", i);
        hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
        assert_true(dataset >= 0);
        if (i == 0) {
            H5Dread(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &steps);
            assert_int_equal(steps, 3);
        } else {
            H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
            assert_true(values[0] == (i == 1 ? 0.005f : expected[i - 2]));
        }
        H5Dclose(dataset);
    }
    H5Fclose(file);
}

static void test_keras_file__optimizer_variables_are_in_the_order_of_keras(void **state)
{
    (void)state;
    /* The tensors begin at 0, 60, 90, 96, 138. Orders seen in Keras 3.15. */
    const float adam[] = {1000, 2000, 1060, 2060, 1090, 2090, 1096, 2096, 1138, 2138};
    const float rmsprop[] = {1000, 1060, 1090, 1096, 1138, 2000, 2060, 2090,
                             2096, 2138, 3000, 3060, 3090, 3096, 3138};
    assert_slots("adam", 10, adam);
    assert_slots("sgd", 0, NULL);
    assert_slots("sgd:momentum=0.9", 5, rmsprop);
    assert_slots("rmsprop:momentum=0.9:centered", 15, rmsprop);
}

/* Both readers refuse the file with this message, and the model stays as it was. */
static void assert_refused(const char *path, fmd_status status, const char *before,
                           const char *after)
{
    char expected[512];
    fmd_keras_info info = {.layers = "untouched"};
    snprintf(expected, sizeof expected, "%s'%s'%s", before, path, after);
    assert_fails(fmd_keras_read_info(path, &info), status, expected);
    assert_string_equal(info.layers, "untouched");
}

static void test_keras_file__a_file_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_bytes(write_model(), &n);
    const char *path = temp_path("bad.weights.h5");
    assert_refused(temp_path("none.h5"), FMD_ENOINPUT, "cannot open ",
                   ": No such file or directory");
    write_bytes(path, "", 0);
    assert_refused(path, FMD_EDATA, "", " is not an HDF5 file");
    write_bytes(path, "PK\3\4 a .keras file, perhaps", 27);
    assert_refused(path, FMD_EDATA, "", " is not an HDF5 file");
    write_bytes(path, bytes, n / 2);
    fmd_keras_info info;
    assert_int_equal(fmd_keras_read_info(path, &info), FMD_EDATA);
    assert_non_null(strstr(fmd_error_message(), "is damaged: it does not open: truncated file"));
    free(bytes);

    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_refused(path, FMD_EDATA, "",
                   " was not written by fmnist-dist: it has no group /fmnist_dist");
}

static void test_keras_file__hdf5_prints_nothing_of_its_own(void **state)
{
    (void)state;
    size_t n;
    fmd_keras_info info;
    free(read_bytes(write_model(), &n));
    assert_int_equal(truncate(temp_path("model.weights.h5"), (off_t)n / 2), 0);
    H5Eset_auto2(H5E_DEFAULT, (H5E_auto2_t)H5Eprint2, stderr);
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    assert_non_null(freopen(temp_path("stderr"), "w", stderr));
    fmd_status status = fmd_keras_read_info(temp_path("model.weights.h5"), &info);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    assert_int_equal(status, FMD_EDATA);
    free(read_bytes(temp_path("stderr"), &n));
    assert_int_equal(n, 0);
}

static void set_int(hid_t file, const char *name, int value)
{
    hid_t group = H5Gopen2(file, "/fmnist_dist", H5P_DEFAULT);
    hid_t attribute = H5Aopen(group, name, H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT, (int[2]){value, value}) >= 0);
    H5Aclose(attribute);
    H5Gclose(group);
}

static void test_keras_file__a_description_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *path = write_model();
    hid_t file = open_file(path);
    set_int(file, "format_version", 2);
    H5Fclose(file);
    assert_refused(path, FMD_EDATA, "",
                   " has format 2, written by fmnist-dist " FMD_VERSION "; this is " FMD_VERSION
                   " and reads format 1");
    file = open_file(path);
    set_int(file, "format_version", 1);
    set_int(file, "input_shape", 0);
    H5Fclose(file);
    assert_refused(path, FMD_EDATA, "", " is damaged: input_shape has 0, expected 1 to 32768");
    file = open_file(path);
    assert_true(H5Adelete_by_name(file, "/fmnist_dist", "layers", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    fmd_keras_info info;
    assert_int_equal(fmd_keras_read_info(path, &info), FMD_EDATA);
    assert_non_null(strstr(fmd_error_message(), "is damaged: layers: "));
}

/* Replaces a dataset by an empty one of this form; rank 0: by none. */
static void replace(hid_t file, const char *path, hid_t type, int rank, hsize_t a, hsize_t b)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    if (rank == 0)
        return;
    hid_t space = H5Screate_simple(rank, (hsize_t[]){a, b}, NULL);
    hid_t dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

static void assert_params_refused(const char *message)
{
    char expected[512];
    fmd_model *m;
    const char *path = temp_path("model.weights.h5");
    snprintf(expected, sizeof expected, "'%s'%s", path, message);
    assert_ok(fmd_model_create(&m, layers, image, 1));
    assert_fails(fmd_keras_read_params(path, m), FMD_EDATA, expected);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        assert_true(fmd_model_params(m)[i] == 0);
    fmd_model_destroy(m);
}

static void test_keras_file__a_tensor_that_does_not_fit_is_named(void **state)
{
    (void)state;
    static const struct {
        hid_t *type;
        int rank;
        hsize_t a, b;
        const char *message;
    } cases[] = {
        {NULL, 0, 0, 0,
         " lacks the bias of dense_2, '/layers/dense_2/vars/1': object '1' doesn't exist"},
        {&H5T_IEEE_F32LE_g, 1, 8, 0,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has shape (8), expected (7)"},
        {&H5T_IEEE_F32LE_g, 2, 7, 1,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has shape (7, 1), expected (7)"},
        {&H5T_IEEE_F64LE_g, 1, 7, 0,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has 8-byte floats, expected 4-byte "
         "little-endian floats"},
        {&H5T_STD_I32LE_g, 1, 7, 0,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has 4-byte integers, expected "
         "4-byte little-endian floats"},
        {&H5T_IEEE_F32BE_g, 1, 7, 0,
         ": the bias of dense_2, '/layers/dense_2/vars/1', has big-endian floats, expected "
         "4-byte little-endian floats"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = open_file(write_model());
        replace(file, "/layers/dense_2/vars/1", cases[i].type == NULL ? 0 : *cases[i].type,
                cases[i].rank, cases[i].a, cases[i].b);
        H5Fclose(file);
        assert_params_refused(cases[i].message);
    }
}

static void test_keras_file__more_than_the_model_has_is_refused(void **state)
{
    (void)state;
    hid_t file = open_file(write_model());
    H5Gclose(H5Gcreate2(file, "/layers/dense_3", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    assert_params_refused(": '/layers' has 7 layers, expected 6");
    file = open_file(write_model());
    H5Lcreate_hard(file, "/layers/dense_1/vars/1", file, "/layers/dense/vars/1", H5P_DEFAULT,
                   H5P_DEFAULT);
    H5Fclose(file);
    assert_params_refused(": '/layers/dense/vars' has 2 variables, expected 1");
}

static void test_keras_file__values_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    trained t = train("adam");
    fmd_model_params(t.m)[62] = (float)INFINITY;
    assert_ok(fmd_keras_write(temp_path("model.weights.h5"), t.m, t.o, 0.005, true));
    release(&t);
    assert_params_refused(": the kernel of dense_1, '/layers/dense_1/vars/0', has inf at index 2");
}

static void test_keras_file__a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    struct rlimit old, small;
    size_t n, n_again;
    temp_folder_count(1);
    const char *path = write_model();
    char *bytes = read_bytes(path, &n), expected[256];
    trained t = train("sgd");

    /* A limit on the size of files stands for a full disk: the write stops half way. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 2000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fmd_status status = fmd_keras_write(path, t.m, t.o, 0.005, true);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, FMD_EIO);
    snprintf(expected, sizeof expected, "cannot write '%s': File too large", path);
    assert_string_equal(fmd_error_message(), expected);
    char *again = read_bytes(path, &n_again);
    assert_int_equal(n, n_again);
    assert_memory_equal(bytes, again, n);
    assert_int_equal(temp_folder_count(0), 1);
    free(bytes);
    free(again);
    release(&t);
}

int main(void)
{
    H5open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keras_file__parameters_and_description_come_back),
        cmocka_unit_test(test_keras_file__equal_models_give_equal_bytes),
        cmocka_unit_test(test_keras_file__keras_is_told_every_argument_of_every_layer),
        cmocka_unit_test(test_keras_file__keras_is_told_every_argument_of_the_optimizer),
        cmocka_unit_test(test_keras_file__both_layouts_share_their_data),
        cmocka_unit_test(test_keras_file__optimizer_variables_are_in_the_order_of_keras),
        cmocka_unit_test(test_keras_file__a_file_that_is_not_ours_is_refused),
        cmocka_unit_test(test_keras_file__hdf5_prints_nothing_of_its_own),
        cmocka_unit_test(test_keras_file__a_description_that_cannot_be_is_refused),
        cmocka_unit_test(test_keras_file__a_tensor_that_does_not_fit_is_named),
        cmocka_unit_test(test_keras_file__more_than_the_model_has_is_refused),
        cmocka_unit_test(test_keras_file__values_that_are_not_finite_are_refused),
        cmocka_unit_test(test_keras_file__a_failed_write_leaves_the_old_file_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
