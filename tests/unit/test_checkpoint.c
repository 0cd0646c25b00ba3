/* What is written, as Keras and as this program see it, and that all of it comes back. Damage is in
 * test_checkpoint_damage.c. */
#include "fmd/version.h"
#include "io/checkpoint/checkpoint.h"

#include "base/hash.h"
#include "support/fmd_test.h"
#include "support/temp_folder.h"
#include "support/trained.h"

#include <hdf5.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Writes a trained model to model.weights.h5 and tells the path. */
static const char *write_model_of(const char *optimizer)
{
    const char *path = temp_path("model.weights.h5");
    trained t;
    trained_make(&t, optimizer);
    assert_ok(fmd_checkpoint_write(path, &t.state));
    trained_release(&t);
    return path;
}

static const char *write_model(void)
{
    return write_model_of("adam");
}

static hid_t open_file(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
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

static void test_checkpoint__the_whole_state_comes_back_bit_for_bit(void **state)
{
    (void)state;
    static const char *const optimizers[] = {"adam", "sgd", "sgd:momentum=0.9",
                                             "rmsprop:momentum=0.9:centered"};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        const char *path = write_model_of(optimizers[i]);
        trained before, after;
        trained_make(&before, optimizers[i]);
        trained_make_new(&after, optimizers[i]);
        void *expected = trained_copy(&before);
        assert_ok(fmd_checkpoint_read(path, &after.state));
        trained_assert_equal(&after, expected);
        assert_int_equal(fmd_optimizer_steps(after.o), TRAINED_STEPS);
        free(expected);
        trained_release(&before);
        trained_release(&after);
    }
}

static void test_checkpoint__a_file_says_enough_to_build_its_model(void **state)
{
    (void)state;
    fmd_checkpoint_info info;
    fmd_model *m;
    const char *path = write_model();
    trained t;
    trained_make(&t, "adam");
    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_string_equal(info.layers, trained_layers);
    assert_memory_equal(&info.in, &trained_image, sizeof trained_image);
    assert_true(info.normalize);
    assert_int_equal(info.step, TRAINED_STEPS);
    assert_ok(fmd_model_create(&m, info.layers, info.in, 1));
    assert_ok(fmd_checkpoint_read_params(path, m));
    assert_memory_equal(fmd_model_params(m), fmd_model_params(t.m),
                        fmd_model_n_params(m) * sizeof(float));
    fmd_model_destroy(m);

    t.state.normalize = false;
    t.state.step = 1ull << 40;
    uint64_t step;
    assert_ok(fmd_checkpoint_write(path, &t.state));
    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_false(info.normalize);
    assert_ok(fmd_checkpoint_verify(path, &step));
    assert_true(step == 1ull << 40 && info.step == step);
    trained_release(&t);
}

/* A row of numbers for an image, as long as they like. */
static void test_checkpoint__an_input_of_any_size_comes_back(void **state)
{
    (void)state;
    const char *path = temp_path("wide.weights.h5");
    fmd_checkpoint_info info;
    trained t;
    trained_make(&t, "sgd");
    fmd_model *small = t.state.model;
    const fmd_shape in = {.rank = 2, .dim = {1, 40000}};
    assert_ok(fmd_model_create(&t.state.model, "flatten,dropout:0.5", in, 1));
    assert_ok(fmd_checkpoint_write(path, &t.state));
    assert_ok(fmd_checkpoint_read_info(path, &info));
    assert_memory_equal(&info.in, &in, sizeof in);
    fmd_model_destroy(t.state.model);
    t.state.model = small;
    trained_release(&t);
}

static void test_checkpoint__contents_are_traits_and_items_by_name(void **state)
{
    (void)state;
    static const char *const fingerprint[] = {"BLAS kernels", "batch-size", "layers"};
    static const char *const entries[] = {"best_params", "epoch", "history", "reason", "scale"};
    fmd_checkpoint_contents c;
    trained t;
    trained_make(&t, "adam");
    assert_ok(fmd_checkpoint_read_contents(write_model(), &c));
    assert_string_equal(c.program_version, FMD_VERSION);
    assert_int_equal(c.n_fingerprint, TRAINED_FINGERPRINT);
    assert_int_equal(c.n_entries, TRAINED_ENTRIES);
    for (size_t i = 0; i < c.n_fingerprint; i++)
        assert_string_equal(c.fingerprint[i].name, fingerprint[i]);
    assert_string_equal(c.fingerprint[1].text, "256");
    for (size_t i = 0; i < c.n_entries; i++) {
        assert_string_equal(c.entries[i].name, entries[i]);
        for (size_t k = 0; k < TRAINED_ENTRIES; k++) {
            const fmd_state_entry *written = &t.entries[k];
            if (strcmp(written->name, c.entries[i].name) != 0)
                continue;
            assert_int_equal(c.entries[i].kind, written->kind);
            assert_int_equal(c.entries[i].count, written->count);
            assert_memory_equal(c.entries[i].data, written->data, fmd_state_entry_bytes(written));
        }
    }
    fmd_checkpoint_free_contents(&c);

    /* A state without any. */
    t.state.n_fingerprint = t.state.n_entries = 0;
    assert_ok(fmd_checkpoint_write(temp_path("model.weights.h5"), &t.state));
    assert_ok(fmd_checkpoint_read_contents(temp_path("model.weights.h5"), &c));
    assert_int_equal(c.n_fingerprint + c.n_entries, 0);
    fmd_checkpoint_free_contents(&c);
    trained_release(&t);
}

static void test_checkpoint__all_traits_that_differ_are_listed(void **state)
{
    (void)state;
    const char *path = write_model();
    char list[FMD_ERROR_BYTES];
    fmd_checkpoint_contents c;
    trained t;
    trained_make_new(&t, "adam");
    assert_ok(fmd_checkpoint_read_contents(path, &c));
    assert_int_equal(fmd_fingerprint_compare(&c, t.fingerprint, TRAINED_FINGERPRINT, list), 0);
    snprintf(t.fingerprint[0].text, sizeof t.fingerprint[0].text, "32");
    snprintf(t.fingerprint[2].text, sizeof t.fingerprint[2].text, "Zen");
    assert_int_equal(fmd_fingerprint_compare(&c, t.fingerprint, TRAINED_FINGERPRINT, list), 2);
    assert_string_equal(list,
                        "batch-size is 256 there, 32 here; BLAS kernels is none there, Zen here");
    t.fingerprint[2].may_change = true;
    assert_int_equal(fmd_fingerprint_compare(&c, t.fingerprint, TRAINED_FINGERPRINT, list), 1);

    /* Texts of any length. */
    memset(t.fingerprint[1].text, 'x', sizeof t.fingerprint[1].text - 1);
    assert_int_equal(fmd_fingerprint_compare(&c, t.fingerprint, TRAINED_FINGERPRINT, list), 2);
    assert_true(strlen(list) < sizeof list);
    /* A later version may know more: a missing entry is a difference. */
    t.fingerprint[0].name = "tomorrow";
    assert_int_equal(fmd_fingerprint_compare(&c, t.fingerprint, 1, list), 1);
    assert_string_equal(list, "tomorrow is unknown there, 32 here");
    fmd_checkpoint_free_contents(&c);
    trained_release(&t);
}

/* Little-endian numbers, as the layout has them. */
static uint64_t number_at(const char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

static void assert_hash_at(const char *bytes, fmd_hash expected)
{
    assert_true(number_at(bytes) == expected.high && number_at(bytes + 8) == expected.low);
}

static void test_checkpoint__the_user_block_has_magic_sizes_and_hashes(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_bytes(write_model(), &n);
    assert_memory_equal(bytes, "FMDCKPT\n", 8);
    assert_int_equal(number_at(bytes + 8), 1);
    assert_int_equal(number_at(bytes + 16), n);
    assert_int_equal(number_at(bytes + 24), TRAINED_STEPS);
    assert_hash_at(bytes + 32, fmd_hash_bytes(bytes + 512, n - 512));
    assert_hash_at(bytes + 48, fmd_hash_bytes(bytes, 48));
    for (int i = 64; i < 512; i++)
        assert_int_equal(bytes[i], 0);
    assert_memory_equal(bytes + 512, "\x89HDF\r\n\x1a\n", 8);
    free(bytes);
}

static void test_checkpoint__equal_states_give_equal_bytes(void **state)
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
    free(again);

    /* A state that was read is written alike. */
    trained t;
    trained_make_new(&t, "adam");
    assert_ok(fmd_checkpoint_read(temp_path("model.weights.h5"), &t.state));
    t.state.step = TRAINED_STEPS;
    assert_ok(fmd_checkpoint_write(temp_path("again.weights.h5"), &t.state));
    again = read_bytes(temp_path("again.weights.h5"), &n_again);
    assert_int_equal(n, n_again);
    assert_memory_equal(first, again, n);

    /* The control: one bit of one parameter, slot or state entry does show. */
    float *const values[] = {fmd_model_params(t.m) + 17, fmd_optimizer_slot(t.o, 1) + 17,
                             t.best_params + 2};
    for (int i = 0; i < 3; i++) {
        const float old = *values[i];
        *values[i] = nextafterf(old, 1);
        assert_ok(fmd_checkpoint_write(temp_path("other.weights.h5"), &t.state));
        *values[i] = old;
        char *other = read_bytes(temp_path("other.weights.h5"), &n_other);
        assert_int_equal(n, n_other);
        assert_memory_not_equal(first + 512, other + 512, n - 512);
        free(other);
    }
    trained_release(&t);
    free(first);
    free(again);
}

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = true }; /* which keeps memory that was given back */
#else
enum { SANITIZED = false };
#endif

/* Peak memory of this process in MB. */
static double peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1e3;
}

/* A file of 72 MB: writing takes one image of it, reading one image and the values. */
static void test_checkpoint__memory_holds_one_image_of_the_file(void **state)
{
    (void)state;
    const char *path = temp_path("large.weights.h5");
    trained t;
    trained_make_new(&t, "sgd");
    fmd_model_destroy(t.m);
    fmd_optimizer_destroy(t.o);
    assert_ok(
        fmd_model_create(&t.m, "flatten,dense:6000,dense:3000,dense:7:softmax", trained_image, 1));
    assert_ok(fmd_optimizer_create(&t.o, "sgd", fmd_model_n_params(t.m)));
    t.state.model = t.m;
    t.state.optimizer = t.o;
    fmd_model_init(t.m, 1); /* only then its values take memory */
    const double image = 4e-6 * (double)fmd_model_n_params(t.m), before = peak();
    assert_ok(fmd_checkpoint_write(path, &t.state));
    const double written = peak() - before;
    assert_ok(fmd_checkpoint_read(path, &t.state));
    const double read = peak() - before;
    printf("image %.0f MB; peak of writing %.0f MB, of reading %.0f MB\n", image, written, read);
    assert_true(image > 70);
    assert_true(SANITIZED || (written < 1.4 * image && read < 2.4 * image));
    unlink(path);
    trained_release(&t);
}

static void test_checkpoint__keras_is_told_every_argument_of_every_layer(void **state)
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
    hid_t file = open_file(write_model_of(optimizer));
    snprintf(text, sizeof text,
             "{\"optimizer_config\":{\"class_name\":%s}},"
             "\"loss\":\"sparse_categorical_crossentropy\",\"metrics\":[\"accuracy\"],"
             "\"weighted_metrics\":null,\"sample_weight_mode\":null,\"loss_weights\":null}",
             expected);
    assert_attribute(file, "/", "training_config", text);
    H5Fclose(file);
}

static void test_checkpoint__keras_is_told_every_argument_of_the_optimizer(void **state)
{
    (void)state;
    assert_training_config("adam:beta_2=0.99",
                           "\"Adam\",\"config\":{\"learning_rate\":0.005,\"beta_1\":0.9,"
                           "\"beta_2\":0.99,\"epsilon\":1e-07");
    assert_training_config("adamw:amsgrad:clipnorm=0.5:use_ema",
                           "\"AdamW\",\"config\":{\"learning_rate\":0.005,\"beta_1\":0.9,"
                           "\"beta_2\":0.999,\"epsilon\":1e-07,\"amsgrad\":true,"
                           "\"weight_decay\":0.004,\"clipnorm\":0.5,\"use_ema\":true");
    assert_training_config("sgd:momentum=0.9:nesterov",
                           "\"SGD\",\"config\":{\"learning_rate\":0.005,\"momentum\":0.9,"
                           "\"nesterov\":true");
    assert_training_config("rmsprop:centered",
                           "\"RMSprop\",\"config\":{\"learning_rate\":0.005,\"rho\":0.9,"
                           "\"momentum\":0.0,\"epsilon\":1e-07,\"centered\":true");
}

/* Keras cannot load what it has no class for. */
static void test_checkpoint__an_optimizer_that_keras_lacks_is_left_out(void **state)
{
    (void)state;
    hid_t file = open_file(write_model_of("lars"));
    assert_int_equal(H5Aexists(file, "training_config"), 0);
    assert_true(H5Lexists(file, "/optimizer/vars/2", H5P_DEFAULT) > 0);
    H5Fclose(file);
}

static void test_checkpoint__both_layouts_share_their_data(void **state)
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
    hid_t file = open_file(write_model_of(optimizer));
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

static void test_checkpoint__optimizer_variables_are_in_the_order_of_keras(void **state)
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
    /* The averages come before the slots of the optimizer. */
    const float ema[] = {1000, 1060, 1090, 1096, 1138, 2000, 3000, 2060,
                         3060, 2090, 3090, 2096, 3096, 2138, 3138};
    assert_slots("adam:use_ema", 15, ema);
    const float amsgrad[] = {1000, 2000, 1060, 2060, 1090, 2090, 1096, 2096,
                             1138, 2138, 3000, 3060, 3090, 3096, 3138};
    assert_slots("adam:amsgrad", 15, amsgrad);
}

static void test_checkpoint__a_failed_write_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    struct rlimit old, small;
    size_t n, n_again;
    temp_folder_count(1);
    const char *path = write_model();
    char *bytes = read_bytes(path, &n), expected[256];
    trained t;
    trained_make(&t, "sgd");

    /* A limit on the size of files stands for a full disk: the write stops half way. */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 2000, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    fmd_status status = fmd_checkpoint_write(path, &t.state);
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

    snprintf(expected, sizeof expected,
             "cannot write '%s': its folder cannot be opened: No such "
             "file or directory",
             temp_path("no/model.weights.h5"));
    assert_fails(fmd_checkpoint_write(temp_path("no/model.weights.h5"), &t.state), FMD_EIO,
                 expected);
    trained_release(&t);
}

int main(void)
{
    H5open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint__memory_holds_one_image_of_the_file),
        cmocka_unit_test(test_checkpoint__the_whole_state_comes_back_bit_for_bit),
        cmocka_unit_test(test_checkpoint__a_file_says_enough_to_build_its_model),
        cmocka_unit_test(test_checkpoint__an_input_of_any_size_comes_back),
        cmocka_unit_test(test_checkpoint__contents_are_traits_and_items_by_name),
        cmocka_unit_test(test_checkpoint__all_traits_that_differ_are_listed),
        cmocka_unit_test(test_checkpoint__the_user_block_has_magic_sizes_and_hashes),
        cmocka_unit_test(test_checkpoint__equal_states_give_equal_bytes),
        cmocka_unit_test(test_checkpoint__keras_is_told_every_argument_of_every_layer),
        cmocka_unit_test(test_checkpoint__keras_is_told_every_argument_of_the_optimizer),
        cmocka_unit_test(test_checkpoint__an_optimizer_that_keras_lacks_is_left_out),
        cmocka_unit_test(test_checkpoint__both_layouts_share_their_data),
        cmocka_unit_test(test_checkpoint__optimizer_variables_are_in_the_order_of_keras),
        cmocka_unit_test(test_checkpoint__a_failed_write_leaves_the_old_file_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
