#include "data/locate.h"

#include "data/known_datasets.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LOCATIONS = 8 };

/* The file's name is stem, '-' or '.', idx<dimensions>-ubyte, and ".gz" where it is packed. Those of
 * EMNIST have the name of the set in front: emnist-letters-train-images-idx3-ubyte.gz. */
static const struct {
    const char *stem, *other; /* EMNIST has test, not t10k */
    const char *dims;         /* each digit is one that may be in the name, the usual one first */
} files[FMD_DATASET_FILES] = {[FMD_TRAIN_IMAGES] = {"train-images", "train-images", "34"},
                              [FMD_TRAIN_LABELS] = {"train-labels", "train-labels", "1"},
                              [FMD_TEST_IMAGES] = {"t10k-images", "test-images", "34"},
                              [FMD_TEST_LABELS] = {"t10k-labels", "test-labels", "1"}};

static const char emnist[] = "emnist-";

/* The folders to look in, in this order. */
typedef struct places {
    char path[MAX_LOCATIONS][FMD_PATH_BYTES];
    bool shared[MAX_LOCATIONS]; /* with other sets: only files with the prefix count */
    int n;
    char prefix[64]; /* "emnist-letters-", or empty */
} places;

/* What one folder has. */
typedef struct folder {
    char file[FMD_DATASET_FILES][FMD_PATH_BYTES];
    int found;
    int present, missing; /* one file that is there and one that is not, or -1 */
    bool denied;
} folder;

/* A path that is too long is left out: nothing can be there. */
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

/* A folder that may hold several data sets, or the files of the one asked for. */
static void add_root(places *p, const char *root, const char *name, const fmd_known_dataset *set)
{
    add_place(p, "%s/%s", root, name);
    const int own = p->n;
    if (set != NULL || *p->prefix != '\0') {
        add_place(p, "%s", root);
        add_place(p, "%s/%s/raw", root, set != NULL ? set->torchvision : "EMNIST");
    }
    for (int i = own; i < p->n; i++)
        p->shared[i] = set == NULL;
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

bool fmd_dataset_is_path(const char *name)
{
    return strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder that the user named must be there. */
static fmd_status require_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return FMD_FAIL(errno == EACCES ? FMD_EIO : FMD_ENOINPUT,
                        "cannot open the data folder '%s': %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return FMD_FAIL(FMD_ENOINPUT, "'%s': found a file, expected a folder with four IDX files",
                        path);
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
    set_prefix(p, name);
    if (*name == '\0')
        return FMD_FAIL(FMD_EUSAGE, "the data set has an empty name: expected fashion-mnist, mnist "
                                    "or a folder");
    if (set != NULL)
        name = set->name;
    if (*dir == '\0')
        dir = env("FMNIST_DIST_DATA");
    if (fmd_dataset_is_path(name) || (set == NULL && *dir == '\0' && access(name, F_OK) == 0)) {
        FMD_TRY(require_folder(name));
        add_place(p, "%s", name);
    } else if (*dir != '\0') {
        FMD_TRY(require_folder(dir));
        add_root(p, dir, name, set);
    } else {
        add_usual_locations(p, name, set);
    }
    return FMD_OK;
}

/* The path of file `i` of the folder, plain rather than packed; false where it has none. */
static bool find_file(folder *f, const char *path, const char *prefix, int i)
{
    static const char *const ends[] = {"", ".gz"};
    const char *const stems[] = {files[i].stem, files[i].other};
    char *out = f->file[i];
    for (int end = 0; end < 2; end++) {
        for (const char *digit = files[i].dims; *digit != '\0'; digit++) {
            for (int form = 0; form < 4; form++) {
                struct stat st;
                int length = snprintf(out, FMD_PATH_BYTES, "%s/%s%s%cidx%c-ubyte%s", path, prefix,
                                      stems[form / 2], "-."[form % 2], *digit, ends[end]);
                if (length >= FMD_PATH_BYTES)
                    continue;
                if (stat(out, &st) == 0)
                    return true;
                f->denied = f->denied || errno == EACCES;
            }
        }
    }
    return false;
}

static void search_folder(folder *f, const char *path, const char *prefix)
{
    *f = (folder){.present = -1, .missing = -1};
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        bool there = find_file(f, path, prefix, i);
        f->found += there;
        if (there && f->present < 0)
            f->present = i;
        if (!there && f->missing < 0)
            f->missing = i;
    }
}

static fmd_status incomplete(const char *name, const char *path, int present, int missing)
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    return FMD_FAIL(FMD_ENOINPUT, "'%s' has %s but no %s-idx%c-ubyte, plain or .gz%s%s", path,
                    files[present].stem, files[missing].stem, files[missing].dims[0],
                    set != NULL ? "; all files come with: scripts/get-data " : "",
                    set != NULL ? set->name : "");
}

/* The first set of EMNIST in a folder; empty: there is none. */
static void find_emnist(const char *path, char set[64])
{
    static const char pattern[] = "%s/emnist-*-train-images*", end[] = "-train-images";
    char text[FMD_PATH_BYTES + sizeof pattern];
    glob_t found;
    set[0] = '\0';
    snprintf(text, sizeof text, pattern, path);
    if (glob(text, 0, NULL, &found) == 0) {
        const char *name = strrchr(found.gl_pathv[0], '/') + 1;
        snprintf(set, 64, "%.*s", (int)(strstr(name, end) - name), name);
    }
    globfree(&found);
}

/* Where the user named the folder itself, that is the only place. */
static fmd_status not_found(const char *name, const places *p, const bool denied[MAX_LOCATIONS])
{
    const fmd_known_dataset *set = fmd_known_dataset_find(name);
    char of_emnist[64] = "";
    if (is_folder(name))
        find_emnist(name, of_emnist);
    if (*of_emnist != '\0')
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find a data set in '%s': found sets of EMNIST, name one as in "
                        "--dataset %s --data-dir %s",
                        name, of_emnist, name);
    char looked[FMD_ERROR_BYTES] = "";
    size_t used = 0;
    for (int i = 0; i < p->n && used < sizeof looked; i++)
        used += (size_t)snprintf(looked + used, sizeof looked - used, "%s%s%s", i > 0 ? ", " : "",
                                 p->path[i], denied[i] ? " (permission denied)" : "");
    if (set != NULL)
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find data set '%s': get it with scripts/get-data %s, or name its "
                        "folder with --data-dir; looked in %s",
                        set->name, set->name, looked);
    if (strcmp(p->path[0], name) == 0)
        return FMD_FAIL(FMD_ENOINPUT,
                        "cannot find a data set in '%s': expected train-images-idx3-ubyte and "
                        "train-labels-idx1-ubyte, and the same with t10k, plain or .gz%s",
                        name, denied[0] ? " (permission denied)" : "");
    return FMD_FAIL(FMD_ENOINPUT,
                    "cannot find data set '%s': expected fashion-mnist, mnist or a folder; looked "
                    "in %s",
                    name, looked);
}

/* Finds the first place that has all files; *f and *path are what it has and its path. */
static fmd_status search(const places *p, const char *name, folder *f, const char **path)
{
    bool denied[MAX_LOCATIONS] = {false};
    int part = -1, present = -1, missing = -1; /* the first place that has some of the files */
    for (int i = 0; i < p->n; i++) {
        *path = p->path[i];
        search_folder(f, *path, p->shared[i] ? p->prefix : "");
        if (f->found == 0 && !p->shared[i] && *p->prefix != '\0')
            search_folder(f, *path, p->prefix);
        if (f->found == FMD_DATASET_FILES)
            return FMD_OK;
        if (f->found > 0 && part < 0) {
            part = i;
            present = f->present;
            missing = f->missing;
        }
        denied[i] = f->denied;
    }
    if (part >= 0)
        return incomplete(name, p->path[part], present, missing);
    return not_found(name, p, denied);
}

fmd_status fmd_place_find(fmd_place *out, const char *name, const char *dir)
{
    places p;
    folder f;
    const char *path = NULL;
    FMD_TRY(list_locations(&p, name, dir));
    FMD_TRY(search(&p, name, &f, &path));
    const char *slash = strrchr(f.file[0], '/');
    out->emnist = strncmp(slash + 1, emnist, sizeof emnist - 1) == 0;
    snprintf(out->path, sizeof out->path, "%s", path);
    memcpy(out->file, f.file, sizeof out->file);
    return FMD_OK;
}

/* Adds the folder if it holds a data set. A name without '/' could be taken for that of a set. */
static void list_folder(char paths[][FMD_PATH_BYTES], size_t *n, size_t most, const char *path)
{
    places p = {.n = 0};
    folder f;
    set_prefix(&p, path);
    search_folder(&f, path, "");
    if (f.found == 0 && *p.prefix != '\0')
        search_folder(&f, path, p.prefix);
    if (f.found == FMD_DATASET_FILES && *n < most)
        snprintf(paths[(*n)++], FMD_PATH_BYTES, "%s%.1000s", fmd_dataset_is_path(path) ? "" : "./",
                 path);
}

size_t fmd_dataset_list(char paths[][FMD_PATH_BYTES], size_t most, const char *dir)
{
    places roots = {.n = 0};
    size_t n = 0;
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
        list_folder(paths, &n, most, roots.path[i]);
        for (int k = 0; k < found; k++) {
            const char *name = entries[k]->d_name;
            snprintf(path, sizeof path, "%s/%s", roots.path[i], name);
            if (*name != '.')
                list_folder(paths, &n, most, path);
            snprintf(path, sizeof path, "%s/%s/raw", roots.path[i], name);
            if (*name != '.')
                list_folder(paths, &n, most, path);
            free(entries[k]);
        }
        if (found >= 0)
            free(entries);
    }
    return n;
}
