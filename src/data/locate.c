#include "data/locate.h"

#include "base/option.h"
#include "data/known_datasets.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LOCATIONS = 12 };

/* A file name is stem, '-' or '.', idx<dimensions>-ubyte, and ".gz" if gzipped. Files of EMNIST
 * start with the name of the set: emnist-letters-train-images-idx3-ubyte.gz. */
static const struct {
    const char *stem, *other; /* EMNIST has test, not t10k */
    const char *dims;         /* digits allowed in the name, the usual one first */
} files[FMD_DATASET_FILES] = {[FMD_TRAIN_IMAGES] = {"train-images", "train-images", "34"},
                              [FMD_TRAIN_LABELS] = {"train-labels", "train-labels", "1"},
                              [FMD_TEST_IMAGES] = {"t10k-images", "test-images", "34"},
                              [FMD_TEST_LABELS] = {"t10k-labels", "test-labels", "1"}};

static const char *const cifar[FMD_CIFAR_FILES] = {"data_batch_1.bin", "data_batch_2.bin",
                                                   "data_batch_3.bin", "data_batch_4.bin",
                                                   "data_batch_5.bin", "test_batch.bin"};

static const char emnist[] = "emnist-";

/* The folders to search, in this order. */
typedef struct places {
    char path[MAX_LOCATIONS][FMD_PATH_BYTES];
    bool shared[MAX_LOCATIONS]; /* shared with other sets: only files with the prefix count */
    int n;
    bool given;      /* by the user, not the usual ones */
    char prefix[64]; /* "emnist-letters-", or empty */
} places;

/* The contents of one folder. */
typedef struct folder {
    fmd_files files;
    char file[FMD_CIFAR_FILES][FMD_PATH_BYTES];
    int found;
    int present, missing; /* one present and one missing file, or -1 */
    bool denied;
} folder;

static int n_files(fmd_files kind)
{
    return kind == FMD_FILES_CIFAR ? FMD_CIFAR_FILES : FMD_DATASET_FILES;
}

/* Skips a path that is too long to exist. */
__attribute__((format(printf, 2, 3))) static void add_place(places *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(p->path[p->n], FMD_PATH_BYTES, format, args);
    va_end(args);
    p->shared[p->n] = false;
    if (length < FMD_PATH_BYTES)
        p->n++;
}

/* Adds a folder that may contain several data sets, or the files of the requested one. */
static void add_root(places *p, const char *root, const char *name, const fmd_known_dataset *set)
{
    const bool of_emnist = *p->prefix != '\0';
    add_place(p, "%s/%s", root, name);
    const int own = p->n;
    if (set != NULL || of_emnist)
        add_place(p, "%s", root);
    add_place(p, "%s/%s/raw", root, set != NULL ? set->torchvision : of_emnist ? "EMNIST" : name);
    for (int i = own; i < p->n; i++)
        p->shared[i] = of_emnist;
    if (set != NULL && set->archive != NULL)
        add_place(p, "%s/%s", root, set->archive);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

/* The folders that hold data sets, each in a folder of its name. */
static void add_usual_roots(places *p)
{
    const char *home = env("HOME"), *keras = env("KERAS_HOME"), *xdg = env("XDG_DATA_HOME");
    add_place(p, "data");
    if (*keras != '\0')
        add_place(p, "%s/datasets", keras);
    else if (*home != '\0')
        add_place(p, "%s/.keras/datasets", home);
    if (*xdg != '\0')
        add_place(p, "%s/fmnist-dist", xdg);
    else if (*home != '\0')
        add_place(p, "%s/.local/share/fmnist-dist", home);
    add_place(p, "/usr/share/datasets");
}

static void add_usual_locations(places *p, const char *name, const fmd_known_dataset *set)
{
    places roots = {.n = 0};
    add_usual_roots(&roots);
    add_root(p, roots.path[0], name, set);
    for (int i = 1; i < roots.n; i++)
        add_place(p, "%s/%s", roots.path[i], name);
}

/* A file of arrays, by the end of its name. */
static bool is_array_file(const char *name)
{
    static const char *const ends[] = {".npz", ".h5", ".hdf5"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n > strlen(ends[i]) && strcmp(name + n - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

bool fmd_locate_is_path(const char *name)
{
    return strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           is_array_file(name);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder that the user named must exist. */
static fmd_status require_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return FMD_FAIL(errno == EACCES ? FMD_EIO : FMD_ENOINPUT,
                        "cannot open the data folder '%s': %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return FMD_FAIL(FMD_ENOINPUT,
                        "'%s': found a file, expected a folder with four IDX files, or a file .npz "
                        "or .h5: fmnist-dist data import %s FOLDER converts other files",
                        path, path);
    return FMD_OK;
}

/* "emnist-letters-" for the set of this name, or for a folder of this name. */
static void set_prefix(places *p, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *last = slash != NULL ? slash + 1 : name;
    p->prefix[0] = '\0';
    if (strncmp(last, emnist, sizeof emnist - 1) == 0 && strlen(last) + 1 < sizeof p->prefix)
        snprintf(p->prefix, sizeof p->prefix, "%s-", last);
}

static fmd_status list_locations(places *p, const char *name, const char *dir)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    p->n = 0;
    p->given = true;
    set_prefix(p, name);
    if (*name == '\0')
        return FMD_FAIL(FMD_EUSAGE,
                        "the data set has an empty name: expected fashion-mnist, mnist, "
                        "cifar-10 or a folder");
    if (set != NULL)
        name = set->name;
    if (*dir == '\0')
        dir = env("FMNIST_DIST_DATA");
    if (fmd_locate_is_path(name) || (set == NULL && *dir == '\0' && access(name, F_OK) == 0)) {
        FMD_TRY(require_folder(name));
        add_place(p, "%s", name);
    } else if (*dir != '\0') {
        FMD_TRY(require_folder(dir));
        add_root(p, dir, name, set);
    } else {
        add_usual_locations(p, name, set);
        p->given = false;
    }
    return FMD_OK;
}

/* Whether there is a file at the path. *other receives the path of any other object, such as the
 * folder that some programs unpack a file into; it counts only if no file is found. */
static bool is_file(const char *path, char other[FMD_PATH_BYTES], bool *denied)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        *denied = *denied || errno == EACCES;
        return false;
    }
    if (!S_ISREG(st.st_mode) && *other == '\0')
        snprintf(other, FMD_PATH_BYTES, "%s", path);
    return S_ISREG(st.st_mode);
}

/* The path of IDX file `i` in the folder, plain before gzipped; false if it is missing. */
static bool find_idx(folder *f, const char *path, const char *prefix, int i)
{
    static const char *const ends[] = {"", ".gz"};
    const char *const stems[] = {files[i].stem, files[i].other};
    char *out = f->file[i], other[FMD_PATH_BYTES] = "";
    for (int end = 0; end < 2; end++) {
        for (const char *digit = files[i].dims; *digit != '\0'; digit++) {
            for (int form = 0; form < 4; form++) {
                int length = snprintf(out, FMD_PATH_BYTES, "%s/%s%s%cidx%c-ubyte%s", path, prefix,
                                      stems[form / 2], "-."[form % 2], *digit, ends[end]);
                if (length < FMD_PATH_BYTES && is_file(out, other, &f->denied))
                    return true;
            }
        }
    }
    memcpy(out, other, sizeof other);
    return *other != '\0';
}

static bool find_cifar(folder *f, const char *path, int i)
{
    char *out = f->file[i], other[FMD_PATH_BYTES] = "";
    const int length = snprintf(out, FMD_PATH_BYTES, "%s/%s", path, cifar[i]);
    return length < FMD_PATH_BYTES && (is_file(out, other, &f->denied) || *other != '\0');
}

static void search_files(folder *f, const char *path, const char *prefix, fmd_files kind)
{
    *f = (folder){.files = kind, .present = -1, .missing = -1, .denied = f->denied};
    for (int i = 0; i < n_files(kind); i++) {
        bool there =
            kind == FMD_FILES_CIFAR ? find_cifar(f, path, i) : find_idx(f, path, prefix, i);
        f->found += there;
        if (there && f->present < 0)
            f->present = i;
        if (!there && f->missing < 0)
            f->missing = i;
    }
}

static void search_folder(folder *f, const char *path, const char *prefix)
{
    f->denied = false;
    search_files(f, path, prefix, FMD_FILES_IDX);
    if (f->found == 0 && *prefix == '\0')
        search_files(f, path, prefix, FMD_FILES_CIFAR);
}

static bool is_whole(const folder *f)
{
    return f->found == n_files(f->files);
}

static fmd_status incomplete(const char *name, const char *path, const folder *f)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    const char *cure = set != NULL ? "; all files come with: fmnist-dist data get " : "";
    const char *set_name = set != NULL ? set->name : "";
    if (f->files == FMD_FILES_CIFAR)
        return FMD_FAIL(FMD_ENOINPUT, "'%s' has %s but no %s%s%s", path, cifar[f->present],
                        cifar[f->missing], cure, set_name);
    return FMD_FAIL(FMD_ENOINPUT, "'%s' has %s but no %s-idx%c-ubyte, plain or .gz%s%s", path,
                    files[f->present].stem, files[f->missing].stem, files[f->missing].dims[0], cure,
                    set_name);
}

/* Data sets in files of other kinds, and whether data import reads them. */
static const struct {
    const char *pattern, *kind;
    bool imported;
} foreign[] = {{"qmnist-*", "QMNIST's files", true},
               {"*.npz", "arrays of NumPy", true},
               {"*.npy", "an array of NumPy: save images and labels in one .npz", false},
               {"*.csv", "a table", true},
               {"*.csv.gz", "a table", true},
               {"*.parquet", "a table of Parquet: save it as CSV", false},
               {"*.pt", "tensors of PyTorch: save them as .npz", false},
               {"*.mat", "arrays of MATLAB: save them as .npz", false},
               {"*.h5", "arrays in HDF5", true},
               {"fine_label_names.txt", "CIFAR-100", true},
               {"data_batch_1", "CIFAR-10 for Python: get the binary version", false},
               {"*.tar.gz", "an archive to unpack", false},
               {"*.zip", "an archive to unpack", false},
               {"*.png", "pictures", true},
               {"*.jpg", "pictures", true}};

/* ": found 'mnist.npz' (arrays of NumPy)", for the first file of another kind in a folder; empty:
 * none. */
static void name_foreign(const char *path, char text[FMD_PATH_BYTES])
{
    struct dirent **entries;
    const int n = scandir(path, &entries, NULL, alphasort);
    *text = '\0';
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; *text == '\0' && k < sizeof foreign / sizeof *foreign; k++)
            if (fnmatch(foreign[k].pattern, entries[i]->d_name, 0) == 0)
                snprintf(text, FMD_PATH_BYTES, ": found '%.200s' (%s)%s", entries[i]->d_name,
                         foreign[k].kind,
                         foreign[k].imported ? ": convert it with fmnist-dist data import" : "");
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* The first set of EMNIST in a folder; empty: none. */
static void find_emnist(const char *path, char set[64])
{
    static const char end[] = "-train-images";
    struct dirent **entries;
    const int n = scandir(path, &entries, NULL, alphasort);
    set[0] = '\0';
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (*set == '\0' && fnmatch("emnist-*-train-images*", name, 0) == 0)
            snprintf(set, 64, "%.*s", (int)(strstr(name, end) - name), name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* A folder that the user named is the only place to search. */
static fmd_status not_found(const char *name, const places *p, const bool denied[MAX_LOCATIONS])
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    char of_emnist[64] = "", other[FMD_PATH_BYTES], hint[FMD_OPTION_TEXT_BYTES];
    if (is_folder(name))
        find_emnist(name, of_emnist);
    if (*of_emnist != '\0')
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find a data set in '%s': found sets of EMNIST, name one as in "
                        "--dataset %s --data-dir %s",
                        name, of_emnist, name);
    char looked[FMD_ERROR_BYTES] = "";
    size_t used = 0;
    *other = '\0';
    for (int i = 0; i < p->n && p->given && *other == '\0'; i++)
        name_foreign(p->path[i], other);
    for (int i = 0; i < p->n && used < sizeof looked; i++)
        used += (size_t)snprintf(looked + used, sizeof looked - used, "%s%s%s", i > 0 ? ", " : "",
                                 p->path[i], denied[i] ? " (permission denied)" : "");
    if (set != NULL)
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find data set '%s': get it with fmnist-dist data get %s, or name "
                        "its folder with --data-dir; looked in %s%s",
                        set->name, set->name, looked, other);
    if (strcmp(p->path[0], name) == 0)
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find a data set in '%s': expected train-images-idx3-ubyte and "
                        "train-labels-idx1-ubyte, and the same with t10k, plain or .gz%s%s",
                        name, denied[0] ? " (permission denied)" : "", other);
    return FMD_FAIL(FMD_ENOINPUT,
                    "cannot find data set '%s'%s: expected fashion-mnist, mnist, cifar-10 or a "
                    "folder; looked in %s",
                    name, fmd_did_you_mean("fashion-mnist|mnist|cifar-10", name, hint), looked);
}

/* Finds the first place that has all files; *f and *path are its contents and its path. */
static fmd_status search(const places *p, const char *name, folder *f, const char **path)
{
    bool denied[MAX_LOCATIONS] = {false};
    folder part; /* the first place with some of the files */
    const char *part_path = NULL;
    for (int i = 0; i < p->n; i++) {
        *path = p->path[i];
        search_folder(f, *path, p->shared[i] ? p->prefix : "");
        if (f->found == 0 && !p->shared[i] && *p->prefix != '\0')
            search_folder(f, *path, p->prefix);
        if (is_whole(f))
            return FMD_OK;
        if (f->found > 0 && part_path == NULL) {
            part = *f;
            part_path = *path;
        }
        denied[i] = f->denied;
    }
    return part_path != NULL ? incomplete(name, part_path, &part) : not_found(name, p, denied);
}

fmd_status fmd_locate(fmd_place *out, const char *name, const char *dir)
{
    places p;
    folder f = {.found = 0};
    const char *path = NULL;
    if (is_array_file(name) && !is_folder(name)) {
        if (access(name, F_OK) != 0)
            return FMD_FAIL(errno == EACCES ? FMD_EIO : FMD_ENOINPUT, "cannot open '%s': %s", name,
                            strerror(errno));
        *out = (fmd_place){.files = FMD_FILES_ARRAYS};
        snprintf(out->path, sizeof out->path, "%s", name);
        snprintf(out->file[0], sizeof out->file[0], "%s", name);
        return FMD_OK;
    }
    FMD_TRY(list_locations(&p, name, dir));
    FMD_TRY(search(&p, name, &f, &path));
    const char *slash = strrchr(f.file[0], '/');
    out->emnist = strncmp(slash + 1, emnist, sizeof emnist - 1) == 0;
    out->files = f.files;
    snprintf(out->path, sizeof out->path, "%s", path);
    memcpy(out->file, f.file, sizeof out->file);
    return FMD_OK;
}

/* Adds the folder if it contains a data set that is not listed yet, under another name. `first` has
 * the first file of each. A name without '/' could be mistaken for a data set's
 * name. */
static void list_folder(char paths[][FMD_PATH_BYTES], struct stat *first, size_t *n, size_t most,
                        const char *path)
{
    places p = {.n = 0};
    folder f;
    bool known = false;
    set_prefix(&p, path);
    search_folder(&f, path, "");
    if (f.found == 0 && *p.prefix != '\0')
        search_folder(&f, path, p.prefix);
    if (!is_whole(&f) || *n >= most || stat(f.file[0], &first[*n]) != 0)
        return;
    for (size_t i = 0; i < *n; i++)
        known =
            known || (first[i].st_dev == first[*n].st_dev && first[i].st_ino == first[*n].st_ino);
    if (!known)
        snprintf(paths[(*n)++], FMD_PATH_BYTES, "%s%.1000s", fmd_locate_is_path(path) ? "" : "./",
                 path);
}

size_t fmd_locate_list(char paths[][FMD_PATH_BYTES], size_t most, const char *dir)
{
    places roots = {.n = 0};
    struct stat first[FMD_LOCATE_MOST];
    size_t n = 0;
    most = most < FMD_LOCATE_MOST ? most : FMD_LOCATE_MOST;
    if (*dir == '\0')
        dir = env("FMNIST_DIST_DATA");
    if (*dir != '\0')
        add_place(&roots, "%s", dir);
    else
        add_usual_roots(&roots);
    for (int i = 0; i < roots.n; i++) {
        struct dirent **entries;
        char path[FMD_PATH_BYTES + 2 * NAME_MAX];
        const int found = scandir(roots.path[i], &entries, NULL, alphasort);
        list_folder(paths, first, &n, most, roots.path[i]);
        for (int k = 0; k < found; k++) {
            const char *name = entries[k]->d_name;
            snprintf(path, sizeof path, "%s/%s", roots.path[i], name);
            if (*name != '.')
                list_folder(paths, first, &n, most, path);
            snprintf(path, sizeof path, "%s/%s/raw", roots.path[i], name);
            if (*name != '.')
                list_folder(paths, first, &n, most, path);
            free(entries[k]);
        }
        if (found >= 0)
            free(entries);
    }
    return n;
}
