#include "fmd/dataset.h"

#include "data/idx.h"
#include "fmd/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES = 4, MAX_PLACES = 8, CLASSES = 10 };

/* In the order of fmd_dataset_info.hash and of the bytes in memory. */
enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS };

/* The file's name is stem, '-' or '.', idx<dimensions>-ubyte, and ".gz" where it is packed. */
static const struct {
    const char *stem;
    const char *dims; /* each digit is one that may be in the name, the usual one first */
} files[FILES] = {
    {"train-images", "34"}, {"train-labels", "1"}, {"t10k-images", "34"}, {"t10k-labels", "1"}};

/* A published data set; the hashes are those of its unpacked files. */
typedef struct published {
    const char *name;
    const char *content;
    const char *torchvision; /* its folder in torchvision's root */
    fmd_hash hash[FILES];
    const char *classes[CLASSES];
} published;

static const published known[] = {
    {
        .name = "fashion-mnist",
        .content = "the clothes of Fashion-MNIST",
        .torchvision = "FashionMNIST",
        .hash = {{0xe5a664e2905b9295, 0xca72265d7c26283b},
                 {0x48a2c630b815ef5a, 0x775518db990ebf87},
                 {0x00620a3fbea59460, 0xa60baf710224b311},
                 {0xca8383985fa2cbc6, 0x20515cb4512a5b03}},
        .classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot"},
    },
    {
        .name = "mnist",
        .content = "the digits of MNIST",
        .torchvision = "MNIST",
        .hash = {{0xe12946a8ab9bd743, 0x59bf22c057c52478},
                 {0x81c6f5433a9d3462, 0x8839fd1c4bb36825},
                 {0xa912d49f199ea2d3, 0x6aa8aa9c0102c17c},
                 {0x507d8d921945ef36, 0x63c4bd8be7e7204f}},
    },
};

enum { KNOWN = sizeof known / sizeof known[0] };

struct fmd_source {
    fmd_dataset_info info;
    fmd_idx *file[FILES];
};

/* The folders to look in, in this order. */
typedef struct places {
    char path[MAX_PLACES][FMD_PATH_BYTES];
    int n;
} places;

/* What one folder has. */
typedef struct folder {
    char file[FILES][FMD_PATH_BYTES];
    int found;
    int present, missing; /* one file that is there and one that is not, or -1 */
    bool denied;
} folder;

/* Keras writes fashion_mnist. */
static const published *find_known(const char *name)
{
    for (int i = 0; i < KNOWN; i++) {
        const char *a = known[i].name, *b = name;
        while (*a != '\0' && (*a == *b || (*a == '-' && *b == '_')))
            a++, b++;
        if (*a == *b)
            return &known[i];
    }
    return NULL;
}

/* A path that is too long is left out: nothing can be there. */
__attribute__((format(printf, 2, 3))) static void add_place(places *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(p->path[p->n], FMD_PATH_BYTES, format, args);
    va_end(args);
    if (length < FMD_PATH_BYTES)
        p->n++;
}

/* A folder that may hold several data sets, or the files of the one asked for. */
static void add_root(places *p, const char *root, const char *name, const published *set)
{
    add_place(p, "%s/%s", root, name);
    if (set == NULL)
        return;
    add_place(p, "%s", root);
    add_place(p, "%s/%s/raw", root, set->torchvision);
}

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

static void add_usual_places(places *p, const char *name, const published *set)
{
    const char *home = env("HOME"), *keras = env("KERAS_HOME"), *xdg = env("XDG_DATA_HOME");
    add_root(p, "data", name, set);
    if (*keras != '\0')
        add_place(p, "%s/datasets/%s", keras, name);
    else if (*home != '\0')
        add_place(p, "%s/.keras/datasets/%s", home, name);
    if (*xdg != '\0')
        add_place(p, "%s/fmnist-dist/%s", xdg, name);
    else if (*home != '\0')
        add_place(p, "%s/.local/share/fmnist-dist/%s", home, name);
    add_place(p, "/usr/share/datasets/%s", name);
}

static bool is_path(const char *name)
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
        return FMD_FAIL(FMD_ENOINPUT, "'%s': found a file, expected a folder with a data set",
                        path);
    return FMD_OK;
}

static fmd_status list_places(places *p, const char *name, const char *dir)
{
    const published *set = find_known(name);
    p->n = 0;
    if (*name == '\0')
        return FMD_FAIL(FMD_EUSAGE, "the data set has an empty name: expected fashion-mnist, mnist "
                                    "or a folder");
    if (set != NULL)
        name = set->name;
    if (*dir == '\0')
        dir = env("FMNIST_DIST_DATA");
    if (is_path(name) || (set == NULL && *dir == '\0' && is_folder(name))) {
        FMD_TRY(require_folder(name));
        add_place(p, "%s", name);
    } else if (*dir != '\0') {
        FMD_TRY(require_folder(dir));
        add_root(p, dir, name, set);
    } else {
        add_usual_places(p, name, set);
    }
    return FMD_OK;
}

/* The path of file `i` of the folder, plain rather than packed; false where it has none. */
static bool find_file(folder *f, const char *path, int i)
{
    static const char *const ends[] = {"", ".gz"};
    char *out = f->file[i];
    for (int end = 0; end < 2; end++) {
        for (const char *digit = files[i].dims; *digit != '\0'; digit++) {
            for (const char *dot = "-."; *dot != '\0'; dot++) {
                struct stat st;
                int length = snprintf(out, FMD_PATH_BYTES, "%s/%s%cidx%c-ubyte%s", path,
                                      files[i].stem, *dot, *digit, ends[end]);
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

static void search_folder(folder *f, const char *path)
{
    *f = (folder){.present = -1, .missing = -1};
    for (int i = 0; i < FILES; i++) {
        bool there = find_file(f, path, i);
        f->found += there;
        if (there && f->present < 0)
            f->present = i;
        if (!there && f->missing < 0)
            f->missing = i;
    }
}

static fmd_status incomplete(const char *name, const char *path, int present, int missing)
{
    const published *set = find_known(name);
    return FMD_FAIL(FMD_ENOINPUT, "'%s' has %s but no %s-idx%c-ubyte, plain or .gz%s%s", path,
                    files[present].stem, files[missing].stem, files[missing].dims[0],
                    set != NULL ? "; all files come with: scripts/get-data " : "",
                    set != NULL ? set->name : "");
}

static fmd_status not_found(const char *name, const places *p, const bool denied[MAX_PLACES])
{
    const published *set = find_known(name);
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
    if (is_path(name))
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
    bool denied[MAX_PLACES] = {false};
    int part = -1, present = -1, missing = -1; /* the first place that has some of the files */
    for (int i = 0; i < p->n; i++) {
        *path = p->path[i];
        search_folder(f, *path);
        if (f->found == FILES)
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

/* The name of a known data set as it is, otherwise the last part of the path. */
static void set_name(fmd_dataset_info *info, const char *name)
{
    const published *set = find_known(name);
    char *real = set == NULL ? realpath(info->path, NULL) : NULL;
    const char *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (set != NULL)
        name = set->name;
    else if (slash != NULL && slash[1] != '\0')
        name = slash + 1;
    snprintf(info->name, sizeof info->name, "%s", name);
    free(real);
}

static fmd_status check_counts(const fmd_source *s, int images, size_t *n)
{
    const fmd_idx *x = s->file[images], *y = s->file[images + 1];
    *n = fmd_idx_header_of(x)->n;
    size_t labels = fmd_idx_header_of(y)->n;
    if (labels != *n)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found %zu labels, expected %zu, one for each image of '%s'",
                        fmd_idx_path(y), labels, *n, fmd_idx_path(x));
    return FMD_OK;
}

static fmd_status check_headers(fmd_source *s)
{
    fmd_dataset_info *info = &s->info;
    fmd_shape test = fmd_idx_header_of(s->file[TEST_IMAGES])->image;
    char found[FMD_SHAPE_TEXT], expected[FMD_SHAPE_TEXT];
    info->image = fmd_idx_header_of(s->file[TRAIN_IMAGES])->image;
    FMD_TRY(check_counts(s, TRAIN_IMAGES, &info->n_train));
    FMD_TRY(check_counts(s, TEST_IMAGES, &info->n_test));
    if (memcmp(&info->image, &test, sizeof test) != 0)
        return FMD_FAIL(FMD_EDATA, "'%s': found images of shape %s, expected %s as in '%s'",
                        fmd_idx_path(s->file[TEST_IMAGES]), fmd_shape_text(test, 0, found),
                        fmd_shape_text(info->image, 0, expected),
                        fmd_idx_path(s->file[TRAIN_IMAGES]));
    return FMD_OK;
}

fmd_status fmd_source_open(fmd_source **out, const char *name, const char *dir)
{
    fmd_status status;
    fmd_source *s = NULL;
    places p;
    folder f;
    const char *path = NULL;
    FMD_TRY(list_places(&p, name, dir));
    FMD_TRY(search(&p, name, &f, &path));
    FMD_TRY(fmd_alloc(&s, 1, sizeof *s, "a data set"));
    snprintf(s->info.path, sizeof s->info.path, "%s", path);
    set_name(&s->info, name);
    for (int i = 0; i < FILES; i++) {
        fmd_idx_kind kind = i == TRAIN_IMAGES || i == TEST_IMAGES ? FMD_IDX_IMAGES : FMD_IDX_LABELS;
        status = fmd_idx_open(&s->file[i], f.file[i], kind);
        if (status != FMD_OK)
            goto out;
    }
    status = check_headers(s);
    if (status != FMD_OK)
        goto out;
    *out = s;
    s = NULL;
out:
    fmd_source_close(s);
    return status;
}

void fmd_source_close(fmd_source *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < FILES; i++)
        fmd_idx_close(s->file[i]);
    free(s);
}

/* Where each file's payload begins in memory, aligned, and their total size. The IDX reader's limit
 * on a payload keeps the sum from overflowing. */
static size_t lay_out(const fmd_dataset_info *info, size_t offset[FILES])
{
    size_t image = fmd_shape_count(info->image), total = 0;
    size_t bytes[FILES] = {[TRAIN_IMAGES] = info->n_train * image,
                           [TRAIN_LABELS] = info->n_train,
                           [TEST_IMAGES] = info->n_test * image,
                           [TEST_LABELS] = info->n_test};
    for (int i = 0; i < FILES; i++) {
        offset[i] = total;
        total += (bytes[i] + FMD_ALIGN - 1) / FMD_ALIGN * FMD_ALIGN;
    }
    return total;
}

size_t fmd_source_bytes(const fmd_source *s)
{
    size_t offset[FILES];
    return lay_out(&s->info, offset);
}

/* The published data set that has this file. */
static const published *owner(fmd_hash h, int file)
{
    for (int i = 0; i < KNOWN; i++) {
        if (known[i].hash[file].high == h.high && known[i].hash[file].low == h.low)
            return &known[i];
    }
    return NULL;
}

/* Mirrors are known to serve the digits of MNIST under the name of Fashion-MNIST, and nothing but
 * the hash tells: sizes and counts are equal. Files of both, mixed, are a mistake too. */
static fmd_status identify(const fmd_source *s, fmd_dataset_info *info)
{
    const published *expected = find_known(info->name);
    int same = 0;
    for (int i = 0; i < FILES; i++) {
        const published *found = owner(info->hash[i], i);
        if (found == NULL)
            continue;
        if (expected == NULL)
            expected = found;
        if (found != expected)
            return FMD_FAIL(FMD_EDATA,
                            "'%s': found %s, expected %s: get them with "
                            "scripts/get-data %s",
                            fmd_idx_path(s->file[i]), found->content, expected->content,
                            expected->name);
        same++;
    }
    info->verified = same == FILES;
    if (info->verified)
        snprintf(info->name, sizeof info->name, "%s", expected->name);
    return FMD_OK;
}

static int count_classes(const uint8_t *labels, size_t n)
{
    uint8_t max = 0;
    for (size_t i = 0; i < n; i++)
        max = labels[i] > max ? labels[i] : max;
    return max + 1;
}

fmd_status fmd_source_load(fmd_source *s, void *memory, fmd_dataset_info *info)
{
    fmd_dataset_info result = s->info;
    fmd_dataset set;
    size_t offset[FILES];
    lay_out(&result, offset);
    for (int i = 0; i < FILES; i++)
        FMD_TRY(fmd_idx_read(s->file[i], (uint8_t *)memory + offset[i], &result.hash[i]));
    FMD_TRY(identify(s, &result));
    fmd_dataset_view(&set, &result, memory);
    int train = count_classes(set.train.labels, set.train.n);
    int test = count_classes(set.test.labels, set.test.n);
    result.classes = train > test ? train : test;
    *info = result;
    return FMD_OK;
}

void fmd_dataset_view(fmd_dataset *out, const fmd_dataset_info *info, const void *memory)
{
    const uint8_t *base = memory;
    size_t offset[FILES];
    lay_out(info, offset);
    *out = (fmd_dataset){
        .info = *info,
        .train = {info->n_train, base + offset[TRAIN_IMAGES], base + offset[TRAIN_LABELS]},
        .test = {info->n_test, base + offset[TEST_IMAGES], base + offset[TEST_LABELS]},
    };
}

const char *fmd_class_name(const char *dataset, int label)
{
    const published *set = find_known(dataset);
    const bool named = set != NULL && label >= 0 && label < CLASSES && set->classes[label] != NULL;
    return named ? set->classes[label] : "";
}
