#include "data/locate.h"
#include "data/source.h"

#include "support/fmd_test.h"
#include "support/idx_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBIAN_FOLDER "/usr/share/datasets/fashion-mnist"

static const tiny_dataset tiny = {
    .n_train = 20, .n_test = 10, .height = 6, .width = 5, .classes = 3};

/* A working directory and a home of its own; nothing else in the environment. */
static int setup(void **state)
{
    enter_folder(state);
    unsetenv("FMNIST_DIST_DATA");
    unsetenv("KERAS_HOME");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "home", 1);
    return 0;
}

/* Makes the folders of the path and writes the data set into the last. */
static void write_to(const char *path, const tiny_dataset *d)
{
    for (size_t i = 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        char *part = strndup(path, i);
        assert_non_null(part);
        mkdir(part, 0755);
        free(part);
    }
    write_tiny_dataset(path, d);
}

static void remove_file(const char *path)
{
    assert_int_equal(remove(path), 0);
}

/* Loads the data set; the caller frees the memory, which is NULL after a failure. */
static fmd_status load(const char *name, const char *dir, fmd_dataset *out, void **memory)
{
    fmd_source *s;
    fmd_dataset_info info;
    *memory = NULL;
    FMD_TRY(fmd_source_open(&s, name, dir));
    *memory = malloc(fmd_source_bytes(s));
    assert_non_null(*memory);
    fmd_status status = fmd_source_load(s, *memory, &info);
    fmd_source_close(s);
    if (status != FMD_OK) {
        free(*memory);
        *memory = NULL;
        return status;
    }
    fmd_dataset_view(out, &info, *memory);
    return FMD_OK;
}

static void assert_found_in(const char *path, const char *name, const char *dir)
{
    fmd_dataset d;
    void *memory;
    assert_ok(load(name, dir, &d, &memory));
    assert_string_equal(d.info.path, path);
    free(memory);
}

static void assert_class_name(const char *set, const char *dir, int label, const char *name)
{
    fmd_dataset d;
    void *memory;
    assert_ok(load(set, dir, &d, &memory));
    assert_string_equal(fmd_class_name(&d.info, label), name);
    free(memory);
}

#define assert_load_says(name, dir, status, message)                                               \
    do {                                                                                           \
        fmd_dataset loaded;                                                                        \
        void *loaded_bytes;                                                                        \
        assert_fails(load((name), (dir), &loaded, &loaded_bytes), (status), (message));            \
    } while (0)

static void assert_tiny(const fmd_dataset *d, bool colour)
{
    fmd_shape image = {2, {6, 5}}, colour_image = {3, {6, 5, 3}};
    assert_memory_equal(&d->info.image, colour ? &colour_image : &image, sizeof image);
    assert_int_equal(d->info.classes, 3);
    assert_int_equal(d->train.n, 20);
    assert_int_equal(d->test.n, 10);
    assert_false(d->info.verified);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(d->train.labels[i], i % 3);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(d->test.labels[i], i % 3);
    /* Bright where pixel % classes == label: pixels 0 and 1 of images 0 and 1 of each half. */
    size_t bytes = fmd_shape_count(d->info.image);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(d->train.images[i / 2 * bytes + i % 2] >= 128, i / 2 == i % 2);
        assert_int_equal(d->test.images[i / 2 * bytes + i % 2] >= 128, i / 2 == i % 2);
    }
}

static void test_dataset__plain_and_packed_are_equal(void **state)
{
    (void)state;
    fmd_dataset plain, packed;
    void *plain_bytes, *packed_bytes;
    tiny_dataset d = tiny;
    write_to("plain", &d);
    d.packed = true;
    write_to("packed", &d);
    assert_ok(load("./plain", "", &plain, &plain_bytes));
    assert_ok(load("./packed", "", &packed, &packed_bytes));
    assert_tiny(&plain, false);
    assert_tiny(&packed, false);
    assert_string_equal(plain.info.name, "plain");
    assert_string_equal(packed.info.name, "packed");
    assert_memory_equal(plain.info.hash, packed.info.hash, sizeof plain.info.hash);
    free(plain_bytes);
    free(packed_bytes);
}

static void test_dataset__colour_images_are_loaded(void **state)
{
    (void)state;
    fmd_dataset colour;
    void *bytes;
    tiny_dataset d = tiny;
    d.channels = 3;
    write_to("colour", &d);
    assert_ok(load("./colour", "", &colour, &bytes));
    assert_tiny(&colour, true);
    free(bytes);
}

/* From the last place to the first, so that each is preferred to all that follow it. */
static void test_dataset__usual_places_are_searched_in_order(void **state)
{
    (void)state;
    static const char *const order[] = {"home/.local/share/fmnist-dist/mnist",
                                        "home/.keras/datasets/mnist", "data/MNIST/raw", "data",
                                        "data/mnist"};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        write_to(order[i], &tiny);
        assert_found_in(order[i], "mnist", "");
    }
    setenv("FMNIST_DIST_DATA", "mine", 1);
    write_to("mine", &tiny);
    assert_found_in("mine", "mnist", "");
    write_to("mine/mnist", &tiny);
    assert_found_in("mine/mnist", "mnist", "");
    write_to("given", &tiny);
    assert_found_in("given", "mnist", "given");
}

static void test_dataset__homes_of_keras_and_xdg_are_searched(void **state)
{
    (void)state;
    setenv("KERAS_HOME", "keras", 1);
    setenv("XDG_DATA_HOME", "xdg", 1);
    write_to("xdg/fmnist-dist/mnist", &tiny);
    assert_found_in("xdg/fmnist-dist/mnist", "mnist", "");
    write_to("keras/datasets/mnist", &tiny);
    assert_found_in("keras/datasets/mnist", "mnist", "");
}

static void test_dataset__only_the_given_folder_is_searched(void **state)
{
    (void)state;
    write_to("data/mnist", &tiny);
    make_subfolder(".", "given");
    assert_load_says(
        "mnist", "given", FMD_ENOINPUT,
        "cannot find data set 'mnist': get it with fmnist-dist data get mnist, or name "
        "its folder with --data-dir; looked in given/mnist, given, given/MNIST/raw");
    assert_load_says("mnist", "nowhere", FMD_ENOINPUT,
                     "cannot open the data folder 'nowhere': No such file or directory");
}

static void test_dataset__names_of_folders_are_folders(void **state)
{
    (void)state;
    write_to("own/set", &tiny);
    write_to("letters", &tiny);
    assert_found_in("own/set", "own/set", "");
    assert_found_in("own/set", "own/set", "ignored");
    assert_found_in("letters", "letters", "");
    assert_found_in("own/set", "set", "own");
    assert_int_equal(chdir("letters"), 0);
    assert_found_in(".", ".", "");
    assert_found_in(".", ".", "ignored");
}

static void test_dataset__keras_spelling_of_the_name_is_understood(void **state)
{
    (void)state;
    write_to("own/fashion-mnist", &tiny);
    assert_found_in("own/fashion-mnist", "fashion_mnist", "own");
    assert_class_name("fashion_mnist", "own", 9, "Ankle boot");
}

static void test_dataset__plain_files_and_old_names_are_taken(void **state)
{
    (void)state;
    tiny_dataset d = tiny;
    d.packed = true;
    write_to("old", &d);
    write_file("old", "train-images-idx3-ubyte.gz", "damaged", 7);
    d.packed = false;
    write_to("old", &d);
    assert_int_equal(rename("old/train-images-idx3-ubyte", "old/train-images.idx3-ubyte"), 0);
    assert_found_in("./old", "./old", "");
}

static void test_dataset__missing_set_names_places_and_command(void **state)
{
    (void)state;
    assert_load_says(
        "mnist", "", FMD_ENOINPUT,
        "cannot find data set 'mnist': get it with fmnist-dist data get mnist, or name "
        "its folder with --data-dir; looked in data/mnist, data, data/MNIST/raw, "
        "home/.keras/datasets/mnist, home/.local/share/fmnist-dist/mnist, "
        "/usr/share/datasets/mnist");
    assert_load_says(
        "fashon", "", FMD_ENOINPUT,
        "cannot find data set 'fashon': expected fashion-mnist, mnist, cifar-10 or a folder; "
        "looked in data/fashon, data/fashon/raw, home/.keras/datasets/fashon, "
        "home/.local/share/fmnist-dist/fashon, /usr/share/datasets/fashon");
    assert_load_says("./nowhere", "", FMD_ENOINPUT,
                     "cannot open the data folder './nowhere': No such file or directory");
    assert_load_says("", "", FMD_EUSAGE,
                     "the data set has an empty name: expected fashion-mnist, "
                     "mnist, cifar-10 or a folder");
    make_subfolder(".", "empty");
    assert_load_says("./empty", "", FMD_ENOINPUT,
                     "cannot find a data set in './empty': expected train-images-idx3-ubyte and "
                     "train-labels-idx1-ubyte, and the same with t10k, plain or .gz");
    write_file(".", "file", "x", 1);
    assert_load_says(
        "./file", "", FMD_ENOINPUT,
        "'./file': found a file, expected a folder with four IDX files, or a file .npz "
        "or .h5: fmnist-dist data import ./file FOLDER converts other files");
}

static void test_dataset__forbidden_place_is_named(void **state)
{
    (void)state;
    fmd_source *s;
    make_subfolder(".", "given");
    assert_int_equal(chmod("given", 0), 0);
    assert_int_equal(chmod(".", 0755), 0);
    uid_t user = geteuid();
    if (user == 0)
        assert_int_equal(seteuid(65534), 0); /* root may read everything */
    fmd_status status = fmd_source_open(&s, "./given", "");
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod("given", 0755), 0);
    assert_fails(status, FMD_ENOINPUT,
                 "cannot find a data set in './given': expected train-images-idx3-ubyte and "
                 "train-labels-idx1-ubyte, and the same with t10k, plain or .gz (permission "
                 "denied)");
}

static void test_dataset__one_missing_file_is_named(void **state)
{
    (void)state;
    write_to("data/mnist", &tiny);
    remove_file("data/mnist/t10k-labels-idx1-ubyte");
    assert_load_says("mnist", "", FMD_ENOINPUT,
                     "'data/mnist' has train-images but no t10k-labels-idx1-ubyte, plain or .gz; "
                     "all files come with: fmnist-dist data get mnist");
    assert_load_says("data/mnist", "", FMD_ENOINPUT,
                     "'data/mnist' has train-images but no t10k-labels-idx1-ubyte, plain or .gz");
    write_to("home/.keras/datasets/mnist", &tiny);
    assert_found_in("home/.keras/datasets/mnist", "mnist", "");
}

static void test_dataset__images_without_labels_are_named(void **state)
{
    (void)state;
    tiny_dataset more = tiny;
    more.n_train++;
    write_to("a", &tiny);
    write_to("b", &more);
    assert_int_equal(rename("b/train-labels-idx1-ubyte", "a/train-labels-idx1-ubyte"), 0);
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/train-labels-idx1-ubyte': found 21 labels, expected 20, one for each "
                     "image of './a/train-images-idx3-ubyte'");
}

static void test_dataset__test_images_of_other_shape_are_named(void **state)
{
    (void)state;
    tiny_dataset other = tiny;
    other.width = 7;
    write_to("a", &tiny);
    write_to("b", &other);
    assert_int_equal(rename("b/t10k-images-idx3-ubyte", "a/t10k-images-idx3-ubyte"), 0);
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/t10k-images-idx3-ubyte': found images of shape (6, 7), expected (6, 5) "
                     "as in './a/train-images-idx3-ubyte'");
}

static void test_dataset__damaged_file_is_named(void **state)
{
    (void)state;
    write_to("a", &tiny);
    write_file("a", "t10k-labels-idx1-ubyte", "<html>", 6);
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/t10k-labels-idx1-ubyte': bytes 0 to 3: found 3c 68 74 6d (a web "
                     "page?), expected 00 00 08 01: not an IDX file");
}

static void test_dataset__classes_are_those_of_both_halves(void **state)
{
    (void)state;
    fmd_dataset d;
    void *bytes;
    tiny_dataset more = tiny;
    more.classes = 7;
    write_to("a", &tiny);
    write_to("b", &more);
    assert_int_equal(rename("b/t10k-labels-idx1-ubyte", "a/t10k-labels-idx1-ubyte"), 0);
    assert_ok(load("./a", "", &d, &bytes));
    assert_int_equal(d.info.classes, 7);
    free(bytes);
}

static void test_dataset__classes_of_known_sets_have_names(void **state)
{
    (void)state;
    write_to("own/fashion-mnist", &tiny);
    write_to("own/mnist", &tiny);
    write_to("own/letters", &tiny);
    assert_class_name("fashion-mnist", "own", 0, "T-shirt/top");
    assert_class_name("fashion-mnist", "own", 9, "Ankle boot");
    assert_class_name("fashion-mnist", "own", 10, "");
    assert_class_name("fashion-mnist", "own", -1, "");
    assert_class_name("fashion-mnist", "own", 256, "");
    assert_class_name("mnist", "own", 9, "nine");
    assert_class_name("letters", "own", 2, "");
}

static void write_classes(const char *folder, const char *text)
{
    write_file(folder, "classes.txt", text, strlen(text));
}

static void test_dataset__folder_brings_names_of_classes(void **state)
{
    (void)state;
    write_to("data/mnist", &tiny);
    write_classes("data/mnist", "\xef\xbb\xbf ant \r\n\xc3\x84nte\r\nbee hive\n\n\n");
    assert_class_name("mnist", "", 0, "ant");
    assert_class_name("mnist", "", 1, "\xc3\x84nte");
    assert_class_name("data/mnist", "", 2, "bee hive");
    assert_class_name("mnist", "", 3, "");     /* not "three" */
    write_classes("data/mnist", "a\nb\nc\nd"); /* more than labels */
    assert_class_name("mnist", "", 3, "d");
}

static void test_dataset__wrong_names_of_classes_are_named(void **state)
{
    (void)state;
    write_to("a", &tiny);
    write_classes("a", "ant\nbee\n");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt': found 2 names, expected at least 3: labels go up to 2");
    write_classes("a", "ant\n \nbee\n");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt', line 2: found an empty line, expected a name");
    write_classes("a", "\n\n");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt': found no names, expected one a line");
    write_classes("a", "ant\nb\x1b[31mee\ncat\n");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt', line 2: found byte 0x1b, expected a name in UTF-8");
    write_file("a", "classes.txt", "a\0n\0", 4);
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt', line 1: found byte 0x00, expected a name in UTF-8");
    write_classes("a", "ant\n48 bytes are one too many for the name of a class.\ncat\n");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt', line 2: found a name of 50 bytes, expected at most 47");
    char many[257 * 2 + 1] = "";
    for (int i = 0; i < 257; i++)
        memcpy(many + 2 * i, "x\n", 2);
    write_classes("a", many);
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt': found more than 256 names, but labels are bytes");
    remove_file("a/classes.txt");
    make_subfolder("a", "classes.txt");
    assert_load_says("./a", "", FMD_EDATA,
                     "'./a/classes.txt': found a folder, expected a text file with names of "
                     "classes");
}

static void test_dataset__list_has_the_usual_places_in_order(void **state)
{
    (void)state;
    static const char *const order[] = {"./data", "data/MNIST/raw", "data/letters",
                                        "home/.keras/datasets/mnist",
                                        "home/.local/share/fmnist-dist/own"};
    enum { N = sizeof order / sizeof order[0] };
    char paths[N + 2][FMD_PATH_BYTES];
    for (size_t i = N; i-- > 0;)
        write_to(order[i], &tiny);
    make_subfolder("data", "empty");
    write_to("data/part", &tiny);
    remove_file("data/part/t10k-labels-idx1-ubyte");
    assert_true(fmd_locate_list(paths, N + 2, "") >= N); /* and what /usr/share/datasets has */
    for (size_t i = 0; i < N; i++) {
        assert_string_equal(paths[i], order[i]);
        assert_found_in(paths[i], paths[i], "");
    }
    assert_int_equal(fmd_locate_list(paths, 2, ""), 2);
    assert_int_equal(fmd_locate_list(paths, N, "home/.keras/datasets"), 1);
    assert_int_equal(fmd_locate_list(paths, N, "nowhere"), 0);
    setenv("FMNIST_DIST_DATA", "data", 1);
    assert_int_equal(fmd_locate_list(paths, N, ""), 3);
    assert_found_in("./data", paths[0], "");
}

static void test_dataset__names_are_known_without_loading(void **state)
{
    (void)state;
    fmd_dataset_info info = {.classes = 7};
    assert_ok(fmd_source_names(&info, "fashion_mnist", ""));
    assert_string_equal(info.name, "fashion-mnist");
    assert_string_equal(fmd_class_name(&info, 9), "Ankle boot");
    assert_int_equal(info.classes, 7);
    write_to("data/ants", &tiny);
    write_classes("data/ants", "ant\nbee\ncat\n");
    assert_ok(fmd_source_names(&info, "data/ants", ""));
    assert_string_equal(info.name, "ants");
    assert_string_equal(info.path, "data/ants");
    assert_string_equal(fmd_class_name(&info, 1), "bee");
    assert_string_equal(fmd_class_name(&info, 9), "");
}

/* EMNIST's archive has the files of six sets in one folder, with their name in front. */
static void rename_to_emnist(const char *folder, const char *set)
{
    static const char *const names[][2] = {
        {"train-images-idx3-ubyte.gz", "train-images-idx3-ubyte.gz"},
        {"train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte.gz"},
        {"t10k-images-idx3-ubyte.gz", "test-images-idx3-ubyte.gz"},
        {"t10k-labels-idx1-ubyte.gz", "test-labels-idx1-ubyte.gz"}};
    for (int i = 0; i < 4; i++) {
        char from[TEST_PATH_BYTES], to[TEST_PATH_BYTES];
        snprintf(from, sizeof from, "%s/%s", folder, names[i][0]);
        snprintf(to, sizeof to, "%s/%s-%s", folder, set, names[i][1]);
        assert_int_equal(rename(from, to), 0);
    }
}

static void test_dataset__sets_of_emnist_are_found_by_their_prefix(void **state)
{
    (void)state;
    fmd_dataset d;
    void *bytes;
    tiny_dataset letters = tiny, digits = tiny;
    letters.packed = digits.packed = true;
    letters.n_train = 25;
    write_to("gzip", &letters);
    rename_to_emnist("gzip", "emnist-letters");
    write_to("gzip", &digits);
    rename_to_emnist("gzip", "emnist-digits");
    assert_found_in("gzip", "emnist-digits", "gzip");
    assert_ok(load("emnist-letters", "gzip", &d, &bytes));
    assert_int_equal(d.train.n, 25);
    assert_string_equal(d.info.name, "emnist-letters");
    free(bytes);
    assert_load_says(
        "emnist-balanced", "gzip", FMD_ENOINPUT,
        "cannot find data set 'emnist-balanced': expected fashion-mnist, mnist, cifar-10 or a "
        "folder; looked in gzip/emnist-balanced, gzip, gzip/EMNIST/raw");
    assert_load_says("gzip", "", FMD_ENOINPUT,
                     "cannot find a data set in 'gzip': found sets of EMNIST, name one as in "
                     "--dataset emnist-digits --data-dir gzip");
    write_to("data", &tiny); /* another set, in the folder of all */
    write_to("data/EMNIST/raw", &letters);
    rename_to_emnist("data/EMNIST/raw", "emnist-letters");
    assert_found_in("data/EMNIST/raw", "emnist-letters", "");
    write_to("data/emnist-letters", &tiny);
    assert_found_in("data/emnist-letters", "emnist-letters", "");
}

/* Needs Debian's package dataset-fashion-mnist. */
static void require_debian_package(void)
{
    if (access(DEBIAN_FOLDER, R_OK) != 0)
        skip();
}

static void link_debian_files(const char *folder)
{
    static const char *const names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
    make_subfolder(".", folder);
    for (int i = 0; i < 4; i++) {
        char from[TEST_PATH_BYTES], to[TEST_PATH_BYTES];
        snprintf(from, sizeof from, "%s/%s", DEBIAN_FOLDER, names[i]);
        snprintf(to, sizeof to, "%s/%s", folder, names[i]);
        assert_int_equal(symlink(from, to), 0);
    }
}

static void test_dataset__published_files_are_recognised(void **state)
{
    (void)state;
    require_debian_package();
    fmd_dataset d;
    void *bytes;
    assert_ok(load("fashion-mnist", "/usr/share/datasets", &d, &bytes));
    assert_true(d.info.verified);
    assert_string_equal(d.info.path, DEBIAN_FOLDER);
    assert_int_equal(d.train.n, 60000);
    assert_int_equal(d.test.n, 10000);
    assert_int_equal(d.info.classes, 10);
    assert_int_equal(d.train.labels[0], 9);
    free(bytes);
    link_debian_files("other-name");
    assert_ok(load("./other-name", "", &d, &bytes));
    assert_true(d.info.verified);
    assert_string_equal(d.info.name, "fashion-mnist");
    free(bytes);
}

static void test_dataset__published_files_under_another_name_are_refused(void **state)
{
    (void)state;
    require_debian_package();
    make_subfolder(".", "data");
    link_debian_files("data/mnist");
    assert_load_says("mnist", "", FMD_EDATA,
                     "'data/mnist/train-images-idx3-ubyte.gz': found the clothes of Fashion-MNIST, "
                     "expected the digits of MNIST: get them with fmnist-dist data get mnist");
}

/* Sizes and counts are equal in all published sets; a hash is all that tells. */
static void test_dataset__one_other_file_is_not_verified(void **state)
{
    (void)state;
    require_debian_package();
    fmd_dataset d;
    void *bytes;
    link_debian_files("own");
    uint8_t labels[8 + 10000] = {0};
    put_idx_header(labels, 1, (uint32_t[]){10000});
    write_file("own", "t10k-labels-idx1-ubyte", labels, sizeof labels);
    assert_ok(load("./own", "", &d, &bytes));
    assert_false(d.info.verified);
    assert_string_equal(d.info.name, "own");
    free(bytes);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(test_dataset__plain_and_packed_are_equal),
        in_folder(test_dataset__colour_images_are_loaded),
        in_folder(test_dataset__usual_places_are_searched_in_order),
        in_folder(test_dataset__homes_of_keras_and_xdg_are_searched),
        in_folder(test_dataset__only_the_given_folder_is_searched),
        in_folder(test_dataset__names_of_folders_are_folders),
        in_folder(test_dataset__keras_spelling_of_the_name_is_understood),
        in_folder(test_dataset__plain_files_and_old_names_are_taken),
        in_folder(test_dataset__missing_set_names_places_and_command),
        in_folder(test_dataset__forbidden_place_is_named),
        in_folder(test_dataset__one_missing_file_is_named),
        in_folder(test_dataset__images_without_labels_are_named),
        in_folder(test_dataset__test_images_of_other_shape_are_named),
        in_folder(test_dataset__damaged_file_is_named),
        in_folder(test_dataset__classes_are_those_of_both_halves),
        in_folder(test_dataset__classes_of_known_sets_have_names),
        in_folder(test_dataset__folder_brings_names_of_classes),
        in_folder(test_dataset__wrong_names_of_classes_are_named),
        in_folder(test_dataset__list_has_the_usual_places_in_order),
        in_folder(test_dataset__names_are_known_without_loading),
        in_folder(test_dataset__sets_of_emnist_are_found_by_their_prefix),
        in_folder(test_dataset__published_files_are_recognised),
        in_folder(test_dataset__published_files_under_another_name_are_refused),
        in_folder(test_dataset__one_other_file_is_not_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
