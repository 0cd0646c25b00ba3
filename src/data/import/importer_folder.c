/* Folders of PNG and JPEG files, one for each class, perhaps in folders train and test. Classes have the
 * names of their folders, in the order of bytes, as in Keras and torchvision. Folders within those of
 * classes are not searched. */
#include "base/mem.h"
#include "base/utf8.h"
#include "data/import/importer.h"
#include "data/sampler.h"
#include "io/pictures/picture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A file that may be a picture. */
typedef struct entry {
    char *name; /* of the file, in the folder of its class */
    const char *dropped;
    int class;
    bool test;
} entry;

typedef struct reader {
    char split[2][FMD_PATH_BYTES]; /* folders of training and test images */
    int n_splits;
    char (*classes)[NAME_MAX + 1];
    int n_classes;
    int label[FMD_CLASSES_MAX]; /* of a class; -1: it has no pictures */
    entry *entries;
    size_t n, capacity, at;
    fmd_sampler *order;
    fmd_picture picture;
    size_t channels;
} reader;

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The first of the names that is a folder of the source. */
static bool find_split(const char *source, const char *const *names, char path[FMD_PATH_BYTES])
{
    for (; *names != NULL; names++) {
        snprintf(path, FMD_PATH_BYTES, "%.900s/%s", source, *names);
        if (is_folder(path))
            return true;
    }
    return false;
}

static void find_splits(reader *r, const char *source)
{
    static const char *const train[] = {"train", "training", "Train", "Training", NULL};
    static const char *const test[] = {"test",       "testing", "Test",       "Testing", "val",
                                       "validation", "valid",   "Validation", NULL};
    r->n_splits = 1;
    if (find_split(source, train, r->split[0])) {
        r->n_splits += find_split(source, test, r->split[1]);
        return;
    }
    snprintf(r->split[0], sizeof r->split[0], "%s", source);
}

static bool recognises(const fmd_import_args *args)
{
    return is_folder(args->source);
}

/* Hidden files, such as .DS_Store, are no data. */
static int is_shown(const struct dirent *e)
{
    return *e->d_name != '.';
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The entries of a folder in the order of bytes. */
static fmd_status list_folder(const char *path, struct dirent ***names, int *n)
{
    *n = scandir(path, names, is_shown, compare_names);
    return *n >= 0 ? FMD_OK
                   : FMD_FAIL(FMD_EIO, "cannot read the folder '%s': %s", path, strerror(errno));
}

static void free_list(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static fmd_status add_entry(reader *r, const char *name, const char *dropped, int class, bool test)
{
    if (r->n == r->capacity) {
        const size_t capacity = r->capacity > 0 ? 2 * r->capacity : 1024;
        entry *entries = realloc(r->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the names of %zu files", capacity);
        r->entries = entries;
        r->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the name of a file");
    r->entries[r->n++] = (entry){.name = copy, .dropped = dropped, .class = class, .test = test};
    return FMD_OK;
}

/* classes.txt has one name a line. */
static fmd_status check_class_name(const char *name, const char *path)
{
    uint32_t character;
    if (strlen(name) >= FMD_CLASS_NAME_BYTES)
        return FMD_FAIL(FMD_EDATA, "'%s': the name of a class has %zu bytes, expected at most %d",
                        path, strlen(name), FMD_CLASS_NAME_BYTES - 1);
    for (size_t n; *name != '\0'; name += n)
        if ((n = fmd_utf8_decode(name, &character)) == 0 || !fmd_utf8_is_shown(character))
            return FMD_FAIL(FMD_EDATA,
                            "'%s': found byte 0x%02x in the name of a class, expected UTF-8 "
                            "without control characters: rename the folder",
                            path, (unsigned char)*name);
    return FMD_OK;
}

/* The class with this name, which is inserted in order. */
static fmd_status add_class(reader *r, const char *name, const char *path)
{
    int at = 0;
    while (at < r->n_classes && strcmp(r->classes[at], name) < 0)
        at++;
    if (at < r->n_classes && strcmp(r->classes[at], name) == 0)
        return FMD_OK;
    FMD_TRY(check_class_name(name, path));
    if (r->n_classes == FMD_CLASSES_MAX)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found more than %d folders of classes, but labels are bytes", path,
                        FMD_CLASSES_MAX);
    memmove(r->classes[at + 1], r->classes[at], (size_t)(r->n_classes - at) * sizeof *r->classes);
    snprintf(r->classes[at], sizeof *r->classes, "%s", name);
    r->n_classes++;
    return FMD_OK;
}

/* Folders of classes; files beside them are dropped. */
static fmd_status find_classes(reader *r, int split)
{
    struct dirent **names;
    int n;
    char path[2 * FMD_PATH_BYTES];
    FMD_TRY(list_folder(r->split[split], &names, &n));
    fmd_status st = FMD_OK;
    for (int i = 0; i < n && st == FMD_OK; i++) {
        snprintf(path, sizeof path, "%s/%s", r->split[split], names[i]->d_name);
        st = is_folder(path)
                 ? add_class(r, names[i]->d_name, path)
                 : add_entry(r, names[i]->d_name, "not in the folder of a class", -1, split > 0);
    }
    free_list(names, n);
    return st;
}

/* The path of a picture; a longer one, which is dropped, ends in dots. */
static const char *path_of(const reader *r, const entry *e, char path[FMD_IMPORT_TEXT])
{
    const char *folder = r->split[e->test];
    const int n = e->class < 0 ? snprintf(path, FMD_IMPORT_TEXT, "%s/%s", folder, e->name)
                               : snprintf(path, FMD_IMPORT_TEXT, "%s/%s/%s", folder,
                                          r->classes[e->class], e->name);
    if (n >= FMD_IMPORT_TEXT)
        memcpy(path + FMD_IMPORT_TEXT - sizeof "...", "...", sizeof "...");
    return path;
}

/* Files of a class in one split, which may not have it. */
static fmd_status find_files(reader *r, int split, int class)
{
    struct dirent **names;
    int n;
    char folder[2 * FMD_PATH_BYTES], path[3 * FMD_PATH_BYTES];
    struct stat info;
    snprintf(folder, sizeof folder, "%s/%s", r->split[split], r->classes[class]);
    if (!is_folder(folder))
        return FMD_OK;
    FMD_TRY(list_folder(folder, &names, &n));
    fmd_status st = FMD_OK;
    for (int i = 0; i < n && st == FMD_OK; i++) {
        const char *dropped = NULL;
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (strlen(path) >= FMD_IMPORT_TEXT)
            dropped = "the path is too long";
        else if (stat(path, &info) != 0)
            dropped = "the file cannot be opened";
        else if (!S_ISREG(info.st_mode))
            dropped = S_ISDIR(info.st_mode) ? "a folder in the folder of a class" : "not a file";
        st = add_entry(r, names[i]->d_name, dropped, class, split > 0);
    }
    free_list(names, n);
    return st;
}

/* Looks at the header of each file: sizes, colours, and which files are no pictures. */
static fmd_status look_at_files(reader *r, fmd_import_source *source, size_t *good)
{
    char path[FMD_IMPORT_TEXT];
    fmd_size first = {.width = 0};
    bool same = true;
    r->channels = 1;
    for (size_t i = 0; i < r->n; i++) {
        entry *e = &r->entries[i];
        fmd_picture p;
        if (e->dropped != NULL)
            continue;
        const fmd_status st = fmd_picture_examine(&p, path_of(r, e, path));
        if (st == FMD_ENOMEM)
            return st;
        if (st != FMD_OK) {
            e->dropped = "not a sound PNG or JPEG file";
            continue;
        }
        if ((*good)++ == 0)
            first = (fmd_size){p.width, p.height};
        else if (same && (p.width != first.width || p.height != first.height)) {
            same = false;
            snprintf(source->note, sizeof source->note,
                     "sizes differ, e.g. %zu x %zu and %zu x %zu", first.height, first.width,
                     p.height, p.width);
        }
        r->channels = p.channels > r->channels ? p.channels : r->channels;
        r->label[e->class] = 0;
    }
    source->size = same ? first : (fmd_size){.width = 0};
    return FMD_OK;
}

/* Numbers the classes that have pictures, and names those that have none. */
static void number_classes(reader *r, fmd_import_source *source)
{
    size_t used = strlen(source->note);
    for (int i = 0; i < r->n_classes; i++) {
        if (r->label[i] < 0 && used < sizeof source->note)
            used += (size_t)snprintf(source->note + used, sizeof source->note - used,
                                     "%sno picture in '%s', which is no class then",
                                     used > 0 ? "; " : "", r->classes[i]);
        if (r->label[i] < 0)
            continue;
        r->label[i] = source->n_names;
        snprintf(source->names[source->n_names++], FMD_CLASS_NAME_BYTES, "%.47s", r->classes[i]);
    }
}

static fmd_status find_all(reader *r, const fmd_import_args *args, fmd_import_source *source)
{
    size_t good = 0;
    find_splits(r, args->source);
    FMD_TRY(fmd_alloc(&r->classes, FMD_CLASSES_MAX + 1, sizeof *r->classes, "names of classes"));
    memset(r->label, -1, sizeof r->label);
    for (int i = 0; i < r->n_splits; i++)
        FMD_TRY(find_classes(r, i));
    for (int i = 0; i < r->n_splits; i++)
        for (int k = 0; k < r->n_classes; k++)
            FMD_TRY(find_files(r, i, k));
    FMD_TRY(look_at_files(r, source, &good));
    if (good == 0)
        return FMD_FAIL(FMD_EDATA,
                        "'%s': found no PNG or JPEG file in a folder of a class: expected "
                        "CLASS/PICTURE, or train/CLASS/PICTURE and test/CLASS/PICTURE",
                        args->source);
    return FMD_OK;
}

static fmd_status open_folder(void **out, const fmd_import_args *args, fmd_import_source *source)
{
    reader *r;
    FMD_TRY(fmd_alloc(&r, 1, sizeof *r, "a folder of pictures"));
    *out = r;
    FMD_TRY(find_all(r, args, source));
    number_classes(r, source);
    if (args->channels > 0)
        r->channels = args->channels;
    source->channels = r->channels;
    source->has_test = r->n_splits > 1;
    source->total = (double)r->n;
    /* Mixed, so that the last images of the files have all classes: --validation-split takes them. */
    FMD_TRY(fmd_sampler_create(&r->order, &(fmd_split){.n = r->n}, 0));
    fmd_sampler_shuffle(r->order, 0);
    return FMD_OK;
}

static fmd_status next_sample(void *folder, fmd_import_source *source, fmd_import_sample *s)
{
    reader *r = folder;
    if (r->at == r->n)
        return FMD_OK;
    const entry *e = &r->entries[fmd_sampler_order(r->order)[r->at++]];
    source->done = (double)r->at;
    s->test = e->test;
    s->dropped = e->dropped;
    path_of(r, e, s->name);
    if (e->dropped != NULL && strcmp(e->dropped, "not a sound PNG or JPEG file") != 0)
        return FMD_OK;
    fmd_picture_free(&r->picture);
    char path[FMD_IMPORT_TEXT];
    const fmd_status st = fmd_picture_read(&r->picture, path_of(r, e, path), r->channels, 0);
    if (st == FMD_ENOMEM)
        return st;
    if (st != FMD_OK || e->dropped != NULL) {
        s->dropped = "not a sound PNG or JPEG file";
        if (st != FMD_OK)
            snprintf(s->name, sizeof s->name, "%.500s", fmd_error_message());
        return FMD_OK;
    }
    s->label = r->label[e->class];
    s->pixels = r->picture.pixels;
    s->size = (fmd_size){.width = r->picture.width, .height = r->picture.height};
    s->channels = r->picture.channels;
    return FMD_OK;
}

static void close_folder(void *folder)
{
    reader *r = folder;
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->entries[i].name);
    free(r->entries);
    free(r->classes);
    fmd_sampler_destroy(r->order);
    fmd_picture_free(&r->picture);
    free(r);
}

const fmd_importer fmd_importer_folder = {"folder of pictures", recognises, open_folder,
                                          next_sample, close_folder};
