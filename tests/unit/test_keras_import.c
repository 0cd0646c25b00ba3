/* Files as Keras writes them, made here with HDF5, and what is refused of them. */
#include "support/temp_folder.h"

#include "io/checkpoint/checkpoint.h"
#include "io/keras/import.h"

#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <zip.h>

/* The forms that strings have in Keras' files. */
typedef enum form { FIXED, FIXED_UTF8, FULL, PADDED, VARIABLE_ASCII, VARIABLE_UTF8 } form;

static const char layers[] = "flatten,dense:5:relu,dense:3:softmax";
static const fmd_shape image = {.rank = 2, .dim = {4, 3}};
enum { N_PARAMS = 12 * 5 + 5 + 5 * 3 + 3 };

#define INPUT                                                                                      \
    "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,4,3],\"name\":\"input\"}}"
#define FLATTEN "{\"class_name\":\"Flatten\",\"config\":{\"name\":\"flatten\"}}"
#define DENSE(NAME, UNITS, ACTIVATION, MORE)                                                       \
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"" NAME "\",\"units\":" UNITS                 \
    ",\"activation\":" ACTIVATION MORE "}}"
#define SEQUENTIAL(LAYERS)                                                                         \
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[" LAYERS "]}}"
#define TWO_DENSE                                                                                  \
    DENSE("dense", "5", "\"relu\"", ",\"use_bias\":true")                                          \
    "," DENSE("dense_1", "3", "\"softmax\"", "")
#define MODEL SEQUENTIAL(INPUT "," FLATTEN "," TWO_DENSE)

static hid_t create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void put_group(hid_t file, const char *path)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t group = H5Gcreate2(file, path, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(group >= 0);
    H5Gclose(group);
    H5Pclose(links);
}

/* n < 0: one string and no list. An empty list is of numbers. */
static void put_strings(hid_t file, const char *at, const char *name, int n,
                        const char *const *strings, form how)
{
    const bool list = n >= 0, variable = how == VARIABLE_ASCII || how == VARIABLE_UTF8;
    const size_t count = list ? (size_t)n : 1;
    size_t width = how == PADDED ? 4000 : 2000;
    if (how == FULL) /* no room for a NUL behind the longest */
        for (size_t i = width = 0; i < count; i++)
            width = strlen(strings[i]) > width ? strlen(strings[i]) : width;
    hid_t space = list ? H5Screate_simple(1, &(hsize_t){count}, NULL) : H5Screate(H5S_SCALAR);
    hid_t type = H5Tcopy(count > 0 ? H5T_C_S1 : H5T_IEEE_F64LE);
    char *text = calloc(count + 1, width + 1);
    if (count > 0)
        H5Tset_size(type, variable ? H5T_VARIABLE : width);
    if (how == PADDED && count > 0)
        H5Tset_strpad(type, H5T_STR_SPACEPAD);
    if (how == FULL && count > 0)
        H5Tset_strpad(type, H5T_STR_NULLPAD);
    if ((how == VARIABLE_UTF8 || how == FIXED_UTF8) && count > 0)
        H5Tset_cset(type, H5T_CSET_UTF8);
    for (size_t i = 0; i < count; i++) {
        memset(text + i * width, how == PADDED ? ' ' : 0, width);
        memcpy(text + i * width, strings[i], strlen(strings[i]));
    }
    hid_t attribute =
        H5Acreate_by_name(file, at, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attribute >= 0);
    if (count > 0)
        assert_true(H5Awrite(attribute, type, variable ? (const void *)strings : text) >= 0);
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    free(text);
}

static void put_text(hid_t file, const char *name, const char *text, form how)
{
    put_strings(file, "/", name, -1, &text, how);
}

/* Values first, first + 1, ... */
static void put_dataset(hid_t file, const char *path, hid_t type, int rows, int cols, float first)
{
    float values[64];
    hsize_t dims[2] = {(hsize_t)rows, (hsize_t)cols};
    for (int i = 0; i < rows * (cols > 0 ? cols : 1); i++)
        values[i] = first + (float)i;
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t space = H5Screate_simple(cols > 0 ? 2 : 1, dims, NULL);
    hid_t dataset = H5Dcreate2(file, path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(links);
}

/* The lists and data of a *.h5 below `root`, parameters 1, 2, 3, ... in the order of the model. A
 * weight is called what `weight` makes of its layer: "dense/kernel:0", "sequential/dense/kernel". */
static void put_named(hid_t file, const char *root, const char *prefix, const char *suffix,
                      form how, hid_t type)
{
    static const char *const names[] = {"flatten", "dense", "dense_1"};
    char at[200], kernel[100], bias[100], path[400];
    float first = 1;
    put_strings(file, root, "layer_names", 3, names, how);
    for (int i = 0; i < 3; i++) {
        const int in = i == 1 ? 12 : 5, out = i == 1 ? 5 : 3;
        const char *list[] = {kernel, bias};
        snprintf(at, sizeof at, "%s/%s", root, names[i]);
        put_group(file, at);
        snprintf(kernel, sizeof kernel, "%s%s/kernel%s", prefix, names[i], suffix);
        snprintf(bias, sizeof bias, "%s%s/bias%s", prefix, names[i], suffix);
        put_strings(file, at, "weight_names", i == 0 ? 0 : 2, list, how);
        if (i == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", at, kernel);
        put_dataset(file, path, type, in, out, first);
        first += (float)(in * out);
        snprintf(path, sizeof path, "%s/%s", at, bias);
        put_dataset(file, path, type, out, 0, first);
        first += (float)out;
    }
}

/* A whole *.h5, to be changed and closed by the caller. */
static hid_t start_model(const char *path, const char *config, form how)
{
    hid_t file = create(path);
    put_text(file, "model_config", config, how);
    put_group(file, "/model_weights");
    put_named(file, "/model_weights", "sequential/", "", how, H5T_IEEE_F32LE);
    return file;
}

/* A *.weights.h5; groups are in another order than layers. */
static hid_t start_numbers(const char *path, const char *root)
{
    char at[100];
    hid_t file = create(path);
    put_group(file, "/vars");
    snprintf(at, sizeof at, "%s/dense_1/vars/0", root);
    put_dataset(file, at, H5T_IEEE_F32LE, 5, 3, 66);
    snprintf(at, sizeof at, "%s/dense_1/vars/1", root);
    put_dataset(file, at, H5T_IEEE_F32LE, 3, 0, 81);
    snprintf(at, sizeof at, "%s/dense/vars/0", root);
    put_dataset(file, at, H5T_IEEE_F32LE, 12, 5, 1);
    snprintf(at, sizeof at, "%s/dense/vars/1", root);
    put_dataset(file, at, H5T_IEEE_F32LE, 5, 0, 61);
    snprintf(at, sizeof at, "%s/flatten/vars", root);
    put_group(file, at);
    return file;
}

static fmd_model *make_model(const char *spec)
{
    fmd_model *m = NULL;
    assert_ok(fmd_model_create(&m, spec, image, 1));
    return m;
}

/* The file gives the parameters 1, 2, 3, ... */
static void check_params(const char *path)
{
    fmd_model *m = make_model(layers);
    assert_ok(fmd_weights_read_params(path, m));
    assert_int_equal(fmd_model_n_params(m), N_PARAMS);
    for (size_t i = 0; i < N_PARAMS; i++)
        assert_float_equal(fmd_model_params(m)[i], (float)(i + 1), 0);
    fmd_model_destroy(m);
}

/* The file says the layers and the input that it should, and gives the parameters. */
static void check_model(const char *path)
{
    fmd_weights_info info = {.keras = false};
    assert_ok(fmd_weights_read_info(path, &info));
    assert_true(info.keras);
    assert_true(info.model.normalize);
    assert_string_equal(info.model.layers, layers);
    assert_int_equal(info.model.in.rank, 2);
    assert_int_equal(info.model.in.dim[0], 4);
    assert_int_equal(info.model.in.dim[1], 3);
    check_params(path);
}

/* The model stays as it was, and the message is what follows the file's name in quotes. */
static void check_refused(const char *path, const char *spec, const char *message)
{
    char text[FMD_ERROR_BYTES];
    fmd_model *m = make_model(spec);
    snprintf(text, sizeof text, "'%s'%s", path, message);
    assert_fails(fmd_weights_read_params(path, m), FMD_EDATA, text);
    for (size_t i = 0; i < fmd_model_n_params(m); i++)
        assert_float_equal(fmd_model_params(m)[i], 0, 0);
    fmd_model_destroy(m);
}

static void test_keras_import__strings_of_every_form_are_read(void **state)
{
    (void)state;
    const char *path = temp_path("strings.h5");
    for (int how = FIXED; how <= VARIABLE_UTF8; how++) {
        H5Fclose(start_model(path, MODEL, (form)how));
        check_model(path);
    }
}

static void test_keras_import__names_of_every_version_are_followed(void **state)
{
    (void)state;
    const char *path = temp_path("names.h5");
    static const char *const styles[][2] = {{"", ":0"}, {"", ""}, {"sequential/", ""}};
    for (size_t i = 0; i < 3; i++) {
        hid_t file = create(path);
        put_text(file, "model_config", MODEL, VARIABLE_ASCII);
        put_group(file, "/model_weights");
        put_named(file, "/model_weights", styles[i][0], styles[i][1], FIXED, H5T_IEEE_F32LE);
        H5Fclose(file);
        check_model(path);
    }
}

static void test_keras_import__lists_in_several_parts_are_joined(void **state)
{
    (void)state;
    const char *path = temp_path("parts.h5");
    static const char *const first[] = {"flatten", "dense"}, *const second[] = {"dense_1"};
    hid_t file = start_model(path, MODEL, FIXED);
    H5Adelete_by_name(file, "/model_weights", "layer_names", H5P_DEFAULT);
    put_strings(file, "/model_weights", "layer_names0", 2, first, FIXED);
    put_strings(file, "/model_weights", "layer_names1", 1, second, FIXED);
    H5Fclose(file);
    check_model(path);
}

static void test_keras_import__numbers_of_every_precision_are_converted(void **state)
{
    (void)state;
    const char *path = temp_path("precision.h5");
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const hid_t types[] = {half, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        hid_t file = create(path);
        put_text(file, "model_config", MODEL, FIXED);
        put_group(file, "/model_weights");
        put_named(file, "/model_weights", "", ":0", FIXED, types[i]);
        H5Fclose(file);
        check_model(path);
    }
    H5Tclose(half);
}

static void test_keras_import__weights_alone_fit_a_described_model(void **state)
{
    (void)state;
    fmd_weights_info info;
    const char *path = temp_path("x.weights.h5");
    static const char *const roots[] = {"/layers", "/_layer_checkpoint_dependencies"};
    for (size_t i = 0; i < 2; i++) {
        H5Fclose(start_numbers(path, roots[i]));
        assert_ok(fmd_weights_read_info(path, &info));
        assert_true(info.keras);
        assert_string_equal(info.model.layers, "");
        assert_int_equal(info.model.in.rank, 0);
        check_params(path);
    }
    hid_t file = create(path); /* save_weights of Keras 2 */
    put_named(file, "/", "", ":0", FIXED, H5T_IEEE_F32LE);
    H5Fclose(file);
    assert_ok(fmd_weights_read_info(path, &info));
    assert_string_equal(info.model.layers, "");
    check_params(path);
}

static void test_keras_import__layers_without_weights_may_be_added(void **state)
{
    (void)state;
    const char *path = temp_path("x.weights.h5");
    H5Fclose(start_numbers(path, "/layers"));
    fmd_model *m = make_model("flatten,dense:5,activation:gelu,dropout:0.5,dense:3:softmax");
    assert_ok(fmd_weights_read_params(path, m));
    assert_float_equal(fmd_model_params(m)[N_PARAMS - 1], N_PARAMS, 0);
    fmd_model_destroy(m);
}

static void test_keras_import__our_own_checkpoints_are_recognised(void **state)
{
    (void)state;
    const char *path = temp_path("ours.weights.h5");
    fmd_weights_info info = {.keras = true};
    fmd_optimizer *o = NULL;
    fmd_model *m = make_model(layers);
    for (size_t i = 0; i < N_PARAMS; i++)
        fmd_model_params(m)[i] = (float)(i + 1);
    assert_ok(fmd_optimizer_create(&o, "adam", N_PARAMS));
    const fmd_state s = {.model = m, .optimizer = o, .learning_rate = 0.1, .normalize = false};
    assert_ok(fmd_checkpoint_write(path, &s));
    assert_ok(fmd_weights_read_info(path, &info));
    assert_false(info.keras);
    assert_false(info.model.normalize);
    assert_string_equal(info.model.layers, layers);
    check_params(path);
    fmd_optimizer_destroy(o);
    fmd_model_destroy(m);
}

/* A description in JSON, and the layers, or where it is refused what the message says. */
typedef struct description {
    const char *config, *layers, *message;
} description;

static void check_description(const description *d)
{
    char text[FMD_ERROR_BYTES];
    const char *path = temp_path("described.h5");
    fmd_weights_info info;
    hid_t file = create(path);
    put_text(file, "model_config", d->config, FIXED);
    H5Fclose(file);
    snprintf(text, sizeof text, "'%s'%s", path, d->message != NULL ? d->message : "");
    assert_ok(fmd_weights_read_info(path, &info));
    assert_string_equal(info.unknown, d->message != NULL ? text : "");
    if (d->message != NULL) {
        assert_string_equal(info.model.layers, "");
        return;
    }
    assert_string_equal(info.model.layers, d->layers);
    fmd_model *m = NULL;
    assert_ok(fmd_model_create(&m, info.model.layers, info.model.in, 1));
    fmd_model_destroy(m);
}

#define LAYER(CLASS, CONFIG) "{\"class_name\":\"" CLASS "\",\"config\":{\"name\":\"l\"" CONFIG "}}"

#define FLATTEN_LAST LAYER("Flatten", ",\"data_format\":\"channels_last\"")
#define DROPOUT      LAYER("Dropout", ",\"rate\":0.25,\"seed\":null,\"noise_shape\":null")
#define LEAKY        LAYER("LeakyReLU", ",\"negative_slope\":0.1")
#define TANH         LAYER("Activation", ",\"activation\":\"tanh\"")

static void test_keras_import__every_layer_that_there_is_is_understood(void **state)
{
    (void)state;
    static const description cases[] = {
        {SEQUENTIAL(INPUT "," FLATTEN_LAST "," DROPOUT "," LEAKY "," TANH),
         "flatten,dropout:0.25,leaky_re_lu:negative_slope=0.1,activation:tanh", NULL},
        {SEQUENTIAL(INPUT "," LAYER("LeakyReLU", ",\"alpha\":0.5") "," LAYER("LeakyReLU", "")),
         "leaky_re_lu:negative_slope=0.5,leaky_re_lu", NULL},
        {SEQUENTIAL(INPUT "," DENSE("d", "7", "null",
                                    ",\"use_bias\":false,\"kernel_initializer\":{\"class_name\":"
                                    "\"Orthogonal\"},\"quantization_config\":null")),
         "dense:7:nobias", NULL},
        {SEQUENTIAL(INPUT "," DENSE("d", "7",
                                    "{\"module\":\"builtins\",\"class_name\":\"function\","
                                    "\"config\":\"elu\"}",
                                    "")),
         "dense:7:elu", NULL},
        {"{\"class_name\":\"Sequential\",\"config\":[" LAYER(
             "Flatten", ",\"batch_input_shape\":[null,4,3]") "]}",
         "flatten", NULL},
        {"{\"class_name\":\"Sequential\",\"config\":{\"build_input_shape\":[null,4],\"layers\":"
         "[" FLATTEN "]}}",
         "flatten", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_description(&cases[i]);
}

static void test_keras_import__what_the_program_lacks_is_named(void **state)
{
    (void)state;
    static const description cases[] = {
        {SEQUENTIAL(INPUT "," LAYER("LSTM", ",\"units\":8")), NULL,
         ": layer 'l' is a LSTM, which this program does not have; 'fmnist-dist help train' "
         "lists the layers"},
        {SEQUENTIAL(INPUT "," DENSE("d", "7", "\"swish\"", "")), NULL,
         ": layer 'd' has the activation 'swish', which this program does not have; it has "
         "linear|relu|leaky_relu|elu|gelu|sigmoid|tanh|softmax"},
        {SEQUENTIAL(INPUT "," DENSE("d", "7", "{\"class_name\":\"Mine\",\"config\":{}}", "")), NULL,
         ": layer 'd' has the activation 'Mine', which this program does not have; it has "
         "linear|relu|leaky_relu|elu|gelu|sigmoid|tanh|softmax"},
        {SEQUENTIAL(INPUT "," DENSE("d", "0", "\"relu\"", "")), NULL,
         ": layer 'd': units: '0' is not an integer from 1 to 65536"},
        {SEQUENTIAL(INPUT "," LAYER("Dense", "")), NULL, ": layer 'l' does not say its units"},
        {SEQUENTIAL(INPUT "," DENSE("d", "7", "\"relu\"", ",\"use_bias\":\"perhaps\"")), NULL,
         ": layer 'd': use_bias: 'perhaps' is neither true nor false"},
        {SEQUENTIAL(INPUT "," LAYER("Flatten", ",\"data_format\":\"channels_first\"")), NULL,
         ": layer 'l' has the data_format 'channels_first', expected channels_last"},
        {SEQUENTIAL(INPUT "," DENSE("d", "7", "\"relu\"", ",\"lora_rank\":4")), NULL,
         ": layer 'd' has the setting 'lora_rank', which this program does not have"},
        {SEQUENTIAL(INPUT "," INPUT), NULL,
         ": layer 'input' is a InputLayer, which this program does not have; 'fmnist-dist help "
         "train' lists the layers"},
        {"{\"class_name\":\"Functional\",\"config\":{}}", NULL,
         ": its model has no list of layers"},
        {"{\"class_name\":\"Mine\",\"config\":{}}", NULL,
         " has a model of the class 'Mine', expected Sequential or Functional"},
        {SEQUENTIAL(FLATTEN), NULL, " does not give the shape of its input"},
        {SEQUENTIAL(INPUT), NULL, " has no layer but its input"},
        {SEQUENTIAL("{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,null,3]}}"),
         NULL,
         ": the input has shape [null,null,3], expected null for the batch and 1 to 4 sizes, "
         "16777216 values at most"},
        {SEQUENTIAL("{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,32768,32768]"
                    "}}"),
         NULL,
         ": the input has shape [null,32768,32768], expected null for the batch and 1 to 4 sizes, "
         "16777216 values at most"},
        {"{\"class_name\":\"Sequential\",\"config\":{}}", NULL,
         ": its model has no list of layers"},
        {SEQUENTIAL("7"), NULL, ": an entry in its list of layers is not a layer"},
        {"{", NULL,
         ": its model is not JSON: line 1, column 1: string or '}' expected near "
         "end of file"},
        {"[]", NULL, " has a model of the class '', expected Sequential or Functional"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_description(&cases[i]);
}

/* Takes something away from a whole *.h5, or puts something else into its place. */
#define KERNEL "/model_weights/dense/sequential/dense/kernel"

static void unlink_kernel(hid_t file)
{
    H5Ldelete(file, KERNEL, H5P_DEFAULT);
}

static void soft_link(hid_t file)
{
    H5Lmove(file, KERNEL, file, "/elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_soft("/elsewhere", file, KERNEL, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void soft_group(hid_t file)
{
    H5Lmove(file, "/model_weights/dense/sequential", file, "/elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_soft("/elsewhere", file, "/model_weights/dense/sequential", H5P_DEFAULT,
                               H5P_DEFAULT) >= 0);
}

static void external_link(hid_t file)
{
    unlink_kernel(file);
    assert_true(H5Lcreate_external("other.h5", "/kernel", file, KERNEL, H5P_DEFAULT, H5P_DEFAULT) >=
                0);
}

static void replace_kernel(hid_t file, hid_t creation)
{
    unlink_kernel(file);
    hid_t space = H5Screate_simple(2, (hsize_t[]){12, 5}, NULL);
    if (H5Pget_layout(creation) == H5D_VIRTUAL)
        assert_true(H5Pset_virtual(creation, space, "other.h5", "/kernel", space) >= 0);
    hid_t dataset =
        H5Dcreate2(file, KERNEL, H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(creation);
}

static void external_data(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_external(creation, "/etc/passwd", 0, 12 * 5 * 4) >= 0);
    replace_kernel(file, creation);
}

static void virtual_data(hid_t file)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_layout(creation, H5D_VIRTUAL) >= 0);
    replace_kernel(file, creation);
}

static void integers(hid_t file)
{
    unlink_kernel(file);
    put_dataset(file, KERNEL, H5T_STD_I32LE, 12, 5, 1);
}

static void other_shape(hid_t file)
{
    unlink_kernel(file);
    put_dataset(file, KERNEL, H5T_IEEE_F32LE, 5, 12, 1);
}

static void other_rank(hid_t file)
{
    unlink_kernel(file);
    put_dataset(file, KERNEL, H5T_IEEE_F32LE, 60, 0, 1);
}

static void not_finite(hid_t file)
{
    unlink_kernel(file);
    put_dataset(file, KERNEL, H5T_IEEE_F32LE, 12, 5, INFINITY);
}

static void a_group(hid_t file)
{
    unlink_kernel(file);
    put_group(file, KERNEL);
}

static void no_layer_group(hid_t file)
{
    H5Ldelete(file, "/model_weights/flatten", H5P_DEFAULT);
}

static void no_weights(hid_t file)
{
    H5Ldelete(file, "/model_weights", H5P_DEFAULT);
}

static void no_names(hid_t file)
{
    H5Adelete_by_name(file, "/model_weights", "layer_names", H5P_DEFAULT);
}

static void replace_names(hid_t file, int n, const char *const *names)
{
    no_names(file);
    put_strings(file, "/model_weights", "layer_names", n, names, FIXED);
}

static void too_few_layers(hid_t file)
{
    replace_names(file, 1, (const char *const[]){"dense"});
}

static void too_many_layers(hid_t file)
{
    replace_names(file, 4, (const char *const[]){"dense", "dense_1", "dense_1", "flatten"});
}

static void kernel_alone(hid_t file)
{
    const char *kernel = "sequential/dense/kernel";
    H5Adelete_by_name(file, "/model_weights/dense", "weight_names", H5P_DEFAULT);
    put_strings(file, "/model_weights/dense", "weight_names", 1, &kernel, FIXED);
}

static void absolute_name(hid_t file)
{
    const char *const names[] = {KERNEL, KERNEL};
    H5Adelete_by_name(file, "/model_weights/dense", "weight_names", H5P_DEFAULT);
    put_strings(file, "/model_weights/dense", "weight_names", 2, names, FIXED);
}

static void names_of_numbers(hid_t file)
{
    no_names(file);
    const int three = 3;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate_by_name(file, "/model_weights", "layer_names", H5T_STD_I32LE, space,
                                        H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_INT, &three);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void test_keras_import__a_damaged_model_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        void (*change)(hid_t file);
        const char *message;
    } cases[] = {
        {unlink_kernel, " lacks '/model_weights/dense/sequential/dense/kernel'"},
        {soft_link, ": '/model_weights/dense/sequential/dense/kernel' is a link of the soft kind, "
                    "expected what Keras writes: the object itself"},
        {soft_group,
         ": '/model_weights/dense/sequential' is a link of the soft kind, expected what "
         "Keras writes: the object itself"},
        {external_link,
         ": '/model_weights/dense/sequential/dense/kernel' is a link of the external "
         "kind, expected what Keras writes: the object itself"},
        {external_data, ": the data of '/model_weights/dense/sequential/dense/kernel' are in "
                        "another file, expected here"},
        {virtual_data, ": the data of '/model_weights/dense/sequential/dense/kernel' are in "
                       "another file, expected here"},
        {integers, ": '/model_weights/dense/sequential/dense/kernel' has 4-byte integers, expected "
                   "floats"},
        {other_shape,
         ": '/model_weights/dense/sequential/dense/kernel' has shape (5, 12), expected "
         "(12, 5): the kernel of dense in 'flatten,dense:5:relu,dense:3:softmax'"},
        {other_rank, ": '/model_weights/dense/sequential/dense/kernel' has shape (60), expected "
                     "(12, 5): the kernel of dense in 'flatten,dense:5:relu,dense:3:softmax'"},
        {not_finite, ": '/model_weights/dense/sequential/dense/kernel' has inf at index 0"},
        {a_group, ": '/model_weights/dense/sequential/dense/kernel' is not a dataset"},
        {no_layer_group, " lacks '/model_weights/flatten'"},
        {no_weights, " lacks '/model_weights'"},
        {no_names, ": '/model_weights' lacks layer_names"},
        {too_few_layers, " has no weights for dense_1 in 'flatten,dense:5:relu,dense:3:softmax'"},
        {too_many_layers, " has weights for the layer 'dense_1', which "
                          "'flatten,dense:5:relu,dense:3:softmax' does not have"},
        {kernel_alone, ": '/model_weights/dense/' has 1 arrays, expected 2 for dense in "
                       "'flatten,dense:5:relu,dense:3:softmax'"},
        {absolute_name,
         ": '/model_weights/dense//model_weights/dense/sequential/dense/kernel' is not a path "
         "below '/model_weights/dense/'"},
        {names_of_numbers, ": layer_names of '/model_weights/' has 4-byte integers, expected text"},
    };
    const char *path = temp_path("damaged.h5");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = start_model(path, MODEL, FIXED);
        cases[i].change(file);
        H5Fclose(file);
        check_refused(path, layers, cases[i].message);
    }
}

static void test_keras_import__weights_for_another_model_are_refused(void **state)
{
    (void)state;
    const char *path = temp_path("x.weights.h5");
    H5Fclose(start_numbers(path, "/layers"));
    check_refused(
        path, "flatten,dense:3:softmax",
        ": '/layers/dense/vars/0' has shape (12, 5), expected (12, 3): the kernel of "
        "dense in 'flatten,dense:3:softmax'; describe the model of the file with --layers");
    check_refused(path, "flatten,dense:5:nobias,dense:3:softmax",
                  ": '/layers/dense/vars/' has 2 arrays, expected 1 for dense in "
                  "'flatten,dense:5:nobias,dense:3:softmax'");
    check_refused(path, "flatten,dense:5,dense:3,dense:3:softmax",
                  " has no weights for dense_2 in 'flatten,dense:5,dense:3,dense:3:softmax'; "
                  "describe the model of the file with --layers");

    hid_t file = start_numbers(path, "/layers");
    put_dataset(file, "/layers/conv2d/vars/0", H5T_IEEE_F32LE, 2, 2, 1);
    H5Fclose(file);
    check_refused(
        path, layers,
        " has weights for the layer 'conv2d', which "
        "'flatten,dense:5:relu,dense:3:softmax' does not have; describe the model of the file "
        "with --layers");

    file = start_numbers(path, "/layers");
    H5Ldelete(file, "/layers/dense/vars/0", H5P_DEFAULT);
    put_dataset(file, "/layers/dense/vars/7", H5T_IEEE_F32LE, 12, 5, 1);
    H5Fclose(file);
    check_refused(path, layers, " lacks '/layers/dense/vars/0'");
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void test_keras_import__what_has_no_weights_is_refused(void **state)
{
    (void)state;
    fmd_weights_info info;
    char text[FMD_ERROR_BYTES];
    const char *path = temp_path("strange.h5");
    static const char numpy[] = "\x93NUMPY and so on";
    static const char hdf5[] = "\x89HDF\r\n\x1a\n and no more";

    write_bytes(path, numpy, sizeof numpy);
    snprintf(text, sizeof text,
             "'%s' is an array of NumPy; weights are in *.keras, *.h5 and *.weights.h5 files: in "
             "Keras, model.save('model.keras')",
             path);
    assert_fails(fmd_weights_read_info(path, &info), FMD_EDATA, text);

    write_bytes(path, hdf5, sizeof hdf5);
    assert_int_equal(fmd_weights_read_info(path, &info), FMD_EDATA);
    snprintf(text, sizeof text, "'%s' is damaged: it does not open: ", path);
    assert_memory_equal(fmd_error_message(), text, strlen(text));

    H5Fclose(create(path));
    snprintf(text, sizeof text,
             "'%s' has neither a model nor weights of Keras: no model_config, no layer_names, no "
             "group '/layers'",
             path);
    assert_fails(fmd_weights_read_info(path, &info), FMD_EDATA, text);

    snprintf(text, sizeof text, "cannot open '%s': No such file or directory", temp_path("none"));
    assert_fails(fmd_weights_read_info(temp_path("none"), &info), FMD_ENOINPUT, text);
    snprintf(text, sizeof text, "'%s' is not a regular file", temp_folder);
    assert_fails(fmd_weights_read_info(temp_folder, &info), FMD_EDATA, text);
    const char *fifo = temp_path("fifo"); /* nobody writes into it: no waiting */
    assert_int_equal(mkfifo(fifo, 0600), 0);
    snprintf(text, sizeof text, "'%s' is not a regular file", fifo);
    assert_fails(fmd_weights_read_info(fifo, &info), FMD_EDATA, text);
}

/* Makes an archive of up to two files, stored or deflated. */
static void make_archive(const char *path, const char *name, const char *text, const char *weights,
                         zip_int32_t compression)
{
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(archive);
    zip_source_t *source = zip_source_buffer(archive, text, strlen(text), 0);
    zip_int64_t i = zip_file_add(archive, name, source, 0);
    assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)i, compression, 0), 0);
    if (weights != NULL) {
        source = zip_source_file(archive, weights, 0, -1);
        i = zip_file_add(archive, "model.weights.h5", source, 0);
        assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)i, compression, 0), 0);
    }
    assert_int_equal(zip_close(archive), 0);
}

static void test_keras_import__archives_are_read(void **state)
{
    (void)state;
    char weights[512];
    snprintf(weights, sizeof weights, "%s", temp_path("inner.weights.h5"));
    const char *path = temp_path("model.keras");
    H5Fclose(start_numbers(weights, "/layers"));
    make_archive(path, "config.json", MODEL, weights, ZIP_CM_STORE);
    check_model(path);
    make_archive(path, "config.json", MODEL, weights, ZIP_CM_DEFLATE);
    check_model(path);
}

static void test_keras_import__archives_that_are_none_of_keras_are_refused(void **state)
{
    (void)state;
    fmd_weights_info info;
    char text[FMD_ERROR_BYTES], weights[512];
    static const char zip[] = "PK\x03\x04 and so on";
    const char *path = temp_path("strange.keras");
    snprintf(weights, sizeof weights, "%s", temp_path("inner.weights.h5"));
    write_bytes(path, zip, sizeof zip);
    snprintf(text, sizeof text, "'%s' is no sound ZIP archive: Not a zip archive", path);
    assert_fails(fmd_weights_read_info(path, &info), FMD_EDATA, text);

    make_archive(path, "config.json", MODEL, NULL, ZIP_CM_STORE);
    snprintf(text, sizeof text,
             "'%s' is a ZIP archive without 'model.weights.h5', so not a .keras file", path);
    assert_fails(fmd_weights_read_info(path, &info), FMD_EDATA, text);

    H5Fclose(start_numbers(weights, "/layers"));
    make_archive(path, "notes.txt", MODEL, weights, ZIP_CM_STORE);
    assert_ok(fmd_weights_read_info(path, &info)); /* weights without a description */
    assert_non_null(strstr(info.unknown, "without 'config.json'"));

    /* A wrong byte of the weights: the checksum is compared before HDF5 sees them. */
    static char bytes[1 << 17];
    make_archive(path, "config.json", MODEL, weights, ZIP_CM_STORE);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    bytes[n / 2] ^= 1;
    write_bytes(path, bytes, n);
    assert_int_equal(fmd_weights_read_info(path, &info), FMD_EDATA);
    assert_non_null(strstr(fmd_error_message(), "is damaged: 'model.weights.h5': CRC error"));
}

/* HDF5 itself is trusted to survive them; what it lets through must be refused or harmless. */
static void test_keras_import__a_cut_file_is_refused(void **state)
{
    (void)state;
    static char bytes[1 << 17];
    const char *path = temp_path("cut.h5");
    fmd_weights_info info;
    H5Fclose(start_model(path, MODEL, VARIABLE_ASCII));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_in_range(n, 1000, sizeof bytes - 1);
    for (size_t cut = 8; cut < n; cut += n / 50) {
        write_bytes(path, bytes, cut);
        assert_int_equal(fmd_weights_read_info(path, &info), FMD_EDATA);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keras_import__strings_of_every_form_are_read),
        cmocka_unit_test(test_keras_import__names_of_every_version_are_followed),
        cmocka_unit_test(test_keras_import__lists_in_several_parts_are_joined),
        cmocka_unit_test(test_keras_import__numbers_of_every_precision_are_converted),
        cmocka_unit_test(test_keras_import__weights_alone_fit_a_described_model),
        cmocka_unit_test(test_keras_import__layers_without_weights_may_be_added),
        cmocka_unit_test(test_keras_import__our_own_checkpoints_are_recognised),
        cmocka_unit_test(test_keras_import__every_layer_that_there_is_is_understood),
        cmocka_unit_test(test_keras_import__what_the_program_lacks_is_named),
        cmocka_unit_test(test_keras_import__a_damaged_model_is_refused_by_name),
        cmocka_unit_test(test_keras_import__weights_for_another_model_are_refused),
        cmocka_unit_test(test_keras_import__what_has_no_weights_is_refused),
        cmocka_unit_test(test_keras_import__archives_are_read),
        cmocka_unit_test(test_keras_import__archives_that_are_none_of_keras_are_refused),
        cmocka_unit_test(test_keras_import__a_cut_file_is_refused),
    };
    return cmocka_run_group_tests(tests, temp_folder_make, temp_folder_remove);
}
