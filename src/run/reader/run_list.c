#include "run/reader/run_list.h"

#include "io/json/json_file.h"
#include "io/json/json_object.h"
#include "io/run_lock.h"
#include "io/run_names.h"
#include "run/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEEPEST = 4 };

const char *const fmd_run_keys =
    "id|model|data|state|started|accuracy|val_accuracy|loss|time|epochs";

static const struct number {
    const char *name;
    size_t offset;
    bool most_first;
} numbers[] = {
    {"accuracy", offsetof(fmd_run_entry, accuracy), true},
    {"val_accuracy", offsetof(fmd_run_entry, val_accuracy), true},
    {"loss", offsetof(fmd_run_entry, loss), false},
    {"time", offsetof(fmd_run_entry, seconds), false},
    {"epochs", offsetof(fmd_run_entry, epochs), false},
};

static const struct text {
    const char *name;
    size_t offset;
} texts[] = {
    {"id", offsetof(fmd_run_entry, id)},           {"model", offsetof(fmd_run_entry, model)},
    {"data", offsetof(fmd_run_entry, data)},       {"state", offsetof(fmd_run_entry, state)},
    {"started", offsetof(fmd_run_entry, started)},
};

static const char *file_of(const char *folder, const char *name, char path[FMD_RUN_PATH_BYTES])
{
    snprintf(path, FMD_RUN_PATH_BYTES, "%s/%s", folder, name);
    return path;
}

/* A JSON file, or NULL. */
static fmd_json *read_json(const char *folder, const char *name)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_json *j;
    return fmd_json_read(&j, file_of(folder, name, path)) == FMD_OK ? j : NULL;
}

/* The options of a run; NULL: unreadable. */
static fmd_config *read_config(const char *folder)
{
    char path[FMD_RUN_PATH_BYTES];
    fmd_config *c = calloc(1, sizeof *c);
    if (c != NULL &&
        (fmd_options_reset(fmd_config_table, fmd_config_table_length, c) != FMD_OK ||
         fmd_options_read_json(file_of(folder, FMD_FILE_CONFIG, path), fmd_config_table,
                               fmd_config_table_length, c, c->given) != FMD_OK)) {
        free(c);
        c = NULL;
    }
    return c;
}

static void copy(char *out, size_t size, const char *text)
{
    const size_t n = text != NULL ? strnlen(text, size - 1) : 0;
    memcpy(out, n > 0 ? text : "", n);
    out[n] = '\0';
}

static void read_record(fmd_run_entry *e)
{
    fmd_json *j = read_json(e->path, FMD_FILE_RECORD);
    const char *layers = e->config != NULL ? e->config->model.layers : "";
    const char *name = e->config != NULL ? e->config->model.name : "";
    char spec[FMD_CONFIG_LAYERS_BYTES];
    if (j != NULL) {
        copy(e->data, sizeof e->data, fmd_json_get_text(j, FMD_KEY_DATA, FMD_KEY_NAME));
        copy(e->started, sizeof e->started, fmd_json_get_text(j, NULL, FMD_KEY_STARTED));
        e->accuracy = fmd_json_get_real(j, FMD_KEY_RESULT, FMD_KEY_TEST_ACCURACY);
        e->val_accuracy = fmd_json_get_real(j, FMD_KEY_RESULT, FMD_KEY_VAL_ACCURACY);
        e->loss = fmd_json_get_real(j, FMD_KEY_RESULT, FMD_KEY_LOSS);
        e->epochs = fmd_json_get_real(j, FMD_KEY_RESULT, FMD_KEY_EPOCHS);
        e->seconds = fmd_json_get_real(j, FMD_KEY_TIME, FMD_KEY_TRAINING_SECONDS);
        const char *known = fmd_json_get_text(j, FMD_KEY_MODEL, FMD_KEY_LAYERS);
        layers = known != NULL ? known : layers;
    }
    if (j == NULL && e->config != NULL) {
        copy(e->data, sizeof e->data, e->config->data.dataset);
        if (fmd_config_layers(e->config, 10, spec) == FMD_OK)
            layers = spec;
    }
    fmd_model_title(name, layers, e->model);
    fmd_json_destroy(j);
}

/* "done", "stopped" and "failed" as in STATUS.json; "running" only while a process holds the
 * folder. */
static void read_state(fmd_run_entry *e)
{
    fmd_json *j = read_json(e->path, FMD_FILE_STATUS);
    const char *state = j != NULL ? fmd_json_get_text(j, NULL, FMD_KEY_STATE) : NULL;
    copy(e->state, sizeof e->state, state != NULL ? state : "unknown");
    if (strcmp(e->state, FMD_RUN_RUNNING) == 0 && !fmd_run_lock_is_held(e->path))
        copy(e->state, sizeof e->state, "interrupted");
    fmd_json_destroy(j);
}

static fmd_status add(fmd_run_list *l, const char *path, const char *folder)
{
    if (l->n == l->room) {
        l->room = l->room == 0 ? 64 : 2 * l->room;
        fmd_run_entry *grown = realloc(l->at, l->room * sizeof *grown);
        if (grown == NULL)
            return FMD_FAIL(FMD_ENOMEM, "out of memory: the list of runs");
        l->at = grown;
    }
    const double none = (double)NAN;
    const size_t n = strlen(folder);
    const bool below = strncmp(path, folder, n) == 0 && path[n] == '/';
    fmd_run_entry *e = &l->at[l->n++];
    memset(e, 0, sizeof *e);
    e->accuracy = e->val_accuracy = e->loss = e->seconds = e->epochs = none;
    copy(e->path, sizeof e->path, path);
    copy(e->id, sizeof e->id, below ? path + n + 1 : path);
    e->config = read_config(path);
    read_record(e);
    read_state(e);
    return FMD_OK;
}

static bool is_run(const char *path)
{
    char file[FMD_RUN_PATH_BYTES];
    return access(file_of(path, FMD_FILE_STATUS, file), F_OK) == 0 ||
           access(file_of(path, FMD_FILE_RECORD, file), F_OK) == 0 ||
           (access(file_of(path, FMD_FILE_CONFIG, file), F_OK) == 0 &&
            access(file_of(path, FMD_FILE_GENERATION, file), F_OK) == 0);
}

static fmd_status search(fmd_run_list *l, const char *path, const char *folder, int depth)
{
    struct dirent **entries;
    fmd_status st = FMD_OK;
    if (is_run(path))
        return add(l, path, folder);
    const int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char below[FMD_PATH_BYTES];
        struct stat s;
        const bool fits =
            snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name) < (int)sizeof below;
        if (st == FMD_OK && fits && entries[i]->d_name[0] != '.' && depth < DEEPEST &&
            lstat(below, &s) == 0 && (S_ISDIR(s.st_mode) || (S_ISLNK(s.st_mode) && is_run(below))))
            st = search(l, below, folder, depth + 1);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return st;
}

fmd_status fmd_run_list_read(fmd_run_list *l, const char *folder)
{
    char path[FMD_PATH_BYTES];
    struct stat s;
    *l = (fmd_run_list){0};
    snprintf(path, sizeof path, "%s", folder);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    if (stat(path, &s) != 0)
        return FMD_FAIL(FMD_ENOINPUT, "cannot open '%s': %s", path, strerror(errno));
    if (!S_ISDIR(s.st_mode))
        return FMD_FAIL(FMD_ENOINPUT, "'%s' is not a folder", path);
    return search(l, path, path, 0);
}

void fmd_run_list_free(fmd_run_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].config);
    free(l->at);
    *l = (fmd_run_list){0};
}

static const struct number *find_number(const char *key)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(numbers[i].name, key) == 0)
            return &numbers[i];
    return NULL;
}

static const fmd_option *find_option(const char *key)
{
    const fmd_option *o = fmd_option_find(fmd_config_table, fmd_config_table_length, key);
    return o != NULL && fmd_config_has(FMD_TRAIN_GROUPS, o) ? o : NULL;
}

/* The whole text as a number, or NAN. */
static double as_number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    return end != text && *end == '\0' ? value : (double)NAN;
}

fmd_status fmd_run_entry_value(const fmd_run_entry *e, const char *key, const char *label,
                               double *number, char text[FMD_OPTION_TEXT_BYTES])
{
    char buffer[FMD_OPTION_TEXT_BYTES], hint[FMD_OPTION_TEXT_BYTES];
    const struct number *n = find_number(key);
    const fmd_option *o = find_option(key);
    text[0] = '\0';
    *number = (double)NAN;
    if (n != NULL) {
        *number = *(const double *)((const char *)e + n->offset);
        return FMD_OK;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].name, key) == 0) {
            copy(text, FMD_OPTION_TEXT_BYTES, (const char *)e + texts[i].offset);
            return FMD_OK;
        }
    if (o == NULL)
        return FMD_FAIL(FMD_EUSAGE, "%s: '%.64s' is neither an option of train nor one of %s%s",
                        label, key, fmd_run_keys, fmd_did_you_mean(fmd_run_keys, key, hint));
    if (e->config != NULL)
        copy(text, FMD_OPTION_TEXT_BYTES, fmd_option_text(o, e->config, buffer));
    *number = as_number(text);
    return FMD_OK;
}

/* "accuracy>0.88" in parts. */
typedef struct condition {
    char key[64], operation[3], value[256];
} condition;

static fmd_status parse(condition *c, const char *text, size_t n)
{
    const size_t key = strcspn(text, "=!<>~");
    const size_t signs = key < n ? strspn(text + key, "=!<>~") : 0;
    if (key == 0 || key >= n || key >= sizeof c->key || signs > 2 || key + signs >= n ||
        n - key - signs >= sizeof c->value)
        return FMD_FAIL(FMD_EUSAGE, "--filter: '%.*s' is not a condition such as accuracy>0.88",
                        (int)n, text);
    snprintf(c->key, sizeof c->key, "%.*s", (int)key, text);
    snprintf(c->operation, sizeof c->operation, "%.*s", (int)signs, text + key);
    snprintf(c->value, sizeof c->value, "%.*s", (int)(n - key - signs), text + key + signs);
    if (!fmd_word_is_among("=|==|!=|<|>|<=|>=|~", c->operation))
        return FMD_FAIL(FMD_EUSAGE, "--filter: '%s' is not one of = != < > <= >= ~", c->operation);
    return FMD_OK;
}

/* Numbers are compared as numbers where both sides are; an unknown number meets no condition. */
static fmd_status holds(const condition *c, const fmd_run_entry *e, bool *out)
{
    char text[FMD_OPTION_TEXT_BYTES];
    double number;
    FMD_TRY(fmd_run_entry_value(e, c->key, "--filter", &number, text));
    const double wanted = as_number(c->value);
    const bool is_number = find_number(c->key) != NULL || (!isnan(number) && !isnan(wanted));
    const char *op = c->operation;
    if (is_number && isnan(wanted))
        return FMD_FAIL(FMD_EUSAGE, "--filter: %s: '%s' is not a number", c->key, c->value);
    if (strcmp(op, "~") == 0) {
        *out = strstr(text, c->value) != NULL;
        return FMD_OK;
    }
    if (is_number && isnan(number)) {
        *out = false;
        return FMD_OK;
    }
    const int order = is_number ? (number > wanted) - (number < wanted) : strcmp(text, c->value);
    *out = (order == 0 && strchr(op, '=') != NULL && op[0] != '!') || (order < 0 && op[0] == '<') ||
           (order > 0 && op[0] == '>') || (order != 0 && op[0] == '!');
    return FMD_OK;
}

fmd_status fmd_run_list_filter(fmd_run_list *l, const char *conditions)
{
    static const fmd_run_entry nothing; /* for the messages of conditions on an empty list */
    for (const char *at = conditions; *at != '\0'; at += *at == ',') {
        at += strspn(at, " ");
        const size_t n = strcspn(at, ",");
        condition c;
        bool kept;
        size_t left = 0;
        FMD_TRY(parse(&c, at, n));
        if (l->n == 0)
            FMD_TRY(holds(&c, &nothing, &kept));
        for (size_t i = 0; i < l->n; i++) {
            FMD_TRY(holds(&c, &l->at[i], &kept));
            const fmd_run_entry e = l->at[i];
            if (!kept)
                continue;
            l->at[i] = l->at[left];
            l->at[left++] = e;
        }
        for (size_t i = left; i < l->n; i++)
            free(l->at[i].config);
        l->n = left;
        at += n;
    }
    return FMD_OK;
}

/* A run with the value that it is sorted by. */
typedef struct sorted {
    fmd_run_entry entry;
    double number;
    char text[FMD_OPTION_TEXT_BYTES];
    bool backwards;
} sorted;

static int compare(const void *a, const void *b)
{
    const sorted *x = a, *y = b;
    const bool no_x = isnan(x->number) && *x->text == '\0';
    const bool no_y = isnan(y->number) && *y->text == '\0';
    if (no_x || no_y)
        return no_x - no_y;
    const int order = !isnan(x->number) && !isnan(y->number)
                          ? (x->number > y->number) - (x->number < y->number)
                          : strcmp(x->text, y->text);
    if (order == 0)
        return strcmp(x->entry.id, y->entry.id);
    return x->backwards ? -order : order;
}

fmd_status fmd_run_list_sort(fmd_run_list *l, const char *key)
{
    const bool reversed = *key == '-';
    key += reversed;
    const struct number *n = find_number(key);
    const bool most_first = (n != NULL && n->most_first) || strcmp(key, "started") == 0;
    sorted *s = calloc(l->n + 1, sizeof *s);
    fmd_status st = FMD_OK;
    if (s == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: the list of runs");
    if (l->n == 0) { /* the key is checked all the same */
        static const fmd_run_entry nothing;
        st = fmd_run_entry_value(&nothing, key, "--sort", &s->number, s->text);
    }
    for (size_t i = 0; i < l->n && st == FMD_OK; i++) {
        s[i].entry = l->at[i];
        s[i].backwards = most_first != reversed;
        st = fmd_run_entry_value(&l->at[i], key, "--sort", &s[i].number, s[i].text);
    }
    if (st == FMD_OK) {
        qsort(s, l->n, sizeof *s, compare);
        for (size_t i = 0; i < l->n; i++)
            l->at[i] = s[i].entry;
    }
    free(s);
    return st;
}
