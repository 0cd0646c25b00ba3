#include "io/json/json_file.h"

#include "io/atomic_file.h"
#include "io/json/json_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value as text for fmd_option_set; NULL if its type does not fit the option. */
static const char *scalar_text(const fmd_option *o, const json_t *value,
                               char text[FMD_OPTION_TEXT_BYTES])
{
    const char *string = json_string_value(value);
    bool number = o->kind == FMD_OPTION_FLOAT || o->kind == FMD_OPTION_DURATION;
    bool words = o->kind == FMD_OPTION_TEXT || o->kind == FMD_OPTION_CHOICE ||
                 o->kind == FMD_OPTION_DURATION;
    switch (json_typeof(value)) {
    case JSON_NULL: return o->unset;
    case JSON_STRING:
        return words || (o->unset != NULL && strcmp(string, o->unset) == 0) ? string : NULL;
    case JSON_INTEGER:
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%lld", (long long)json_integer_value(value));
        return number || o->kind == FMD_OPTION_INT ? text : NULL;
    case JSON_REAL:
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%.17g", json_real_value(value));
        return number ? text : NULL;
    case JSON_TRUE: return o->kind == FMD_OPTION_BOOL ? "true" : NULL;
    case JSON_FALSE: return o->kind == FMD_OPTION_BOOL ? "false" : NULL;
    default: return NULL;
    }
}

/* The strings of an array, joined by commas, released by free(); NULL if a value is not a string or
 * memory ran out. */
static char *joined_text(const json_t *array)
{
    char *text = NULL;
    size_t bytes, i;
    json_t *item;
    bool strings = true;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return NULL;
    json_array_foreach (array, i, item) {
        strings = strings && json_is_string(item);
        fprintf(out, "%s%s", i > 0 ? "," : "", strings ? json_string_value(item) : "");
    }
    if (fclose(out) != 0 || !strings) {
        free(text);
        return NULL;
    }
    return text;
}

static fmd_status type_mismatch(const fmd_option *o, const char *label, json_t *value)
{
    static const char *const nouns[] = {
        [FMD_OPTION_BOOL] = "true or false", [FMD_OPTION_INT] = "an integer",
        [FMD_OPTION_FLOAT] = "a number",     [FMD_OPTION_TEXT] = "a string",
        [FMD_OPTION_CHOICE] = "a string",    [FMD_OPTION_DURATION] = "a number or a string",
        [FMD_OPTION_DIMS] = "a string",      [FMD_OPTION_NUMBERS] = "a string",
    };
    char *found = fmd_json_print(value, false);
    fmd_status status =
        FMD_FAIL(FMD_EUSAGE, "%s: found %.80s, expected %s%s%s%s", label,
                 found != NULL ? found : "another type", nouns[o->kind],
                 o->repeats ? " or an array of strings" : "",
                 o->unset != NULL ? " or null for " : "", o->unset != NULL ? o->unset : "");
    free(found);
    return status;
}

static fmd_status set_option(const fmd_option *o, void *base, const char *label, json_t *value)
{
    char buffer[FMD_OPTION_TEXT_BYTES];
    char *joined = o->repeats && json_is_array(value) ? joined_text(value) : NULL;
    const char *text = joined != NULL ? joined : scalar_text(o, value, buffer);
    fmd_status status =
        text == NULL ? type_mismatch(o, label, value) : fmd_option_set(o, base, label, text);
    free(joined);
    return status;
}

static fmd_status unknown_key(const char *path, const char *key, const fmd_option *table, size_t n)
{
    char near[FMD_OPTION_TEXT_BYTES] = "";
    char *names = NULL;
    size_t bytes;
    FILE *out = open_memstream(&names, &bytes);
    if (out != NULL) {
        for (size_t i = 0; i < n; i++)
            fprintf(out, "%s|", table[i].name);
        if (fclose(out) == 0)
            fmd_choice_nearest(names, key, near);
        free(names);
    }
    if (*near == '\0')
        return FMD_FAIL(FMD_EUSAGE, "%s: there is no option '%.80s'", path, key);
    return FMD_FAIL(FMD_EUSAGE, "%s: there is no option '%.80s' (did you mean '%s'?)", path, key,
                    near);
}

/* Whether an earlier key names the same option, as "batch-size" and "batch_size" do. */
static bool named_before(json_t *root, const char *key, const fmd_option *o,
                         const fmd_option *table, size_t n)
{
    void *at = json_object_iter(root);
    for (; strcmp(json_object_iter_key(at), key) != 0; at = json_object_iter_next(root, at))
        if (fmd_option_find(table, n, json_object_iter_key(at)) == o)
            return true;
    return false;
}

fmd_status fmd_options_read_json(const char *path, const fmd_option *table, size_t n, void *base,
                                 bool *given)
{
    fmd_status status = FMD_OK;
    void *text = NULL;
    size_t bytes;
    json_t *root = NULL, *value;
    json_error_t error;
    const char *key;
    FMD_TRY(fmd_atomic_file_read_text(&text, &bytes, path));

    root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        status = FMD_FAIL(FMD_EUSAGE, "%s:%d:%d: %s", path, error.line, error.column, error.text);
        goto out;
    }
    if (!json_is_object(root)) {
        status = FMD_FAIL(FMD_EUSAGE, "%s: not a JSON object of options, {\"epochs\": 10}", path);
        goto out;
    }
    json_object_foreach (root, key, value) {
        const fmd_option *o = fmd_option_find(table, n, key);
        if (o == NULL) {
            status = unknown_key(path, key, table, n);
            goto out;
        }
        if (named_before(root, key, o, table, n)) {
            status = FMD_FAIL(FMD_EUSAGE, "%s: %s is given twice", path, o->name);
            goto out;
        }
        char label[FMD_ERROR_BYTES];
        snprintf(label, sizeof label, "%.800s: %s", path, o->name);
        status = set_option(o, base, label, value);
        if (status != FMD_OK)
            goto out;
        given[o - table] = true;
    }
out:
    json_decref(root);
    free(text);
    return status;
}

fmd_status fmd_options_write_json(const char *path, const fmd_option *table, size_t n,
                                  const void *base)
{
    fmd_status status = FMD_OK;
    json_t *root = json_object();
    for (size_t i = 0; i < n; i++) {
        if (json_object_set_new(root, table[i].name, fmd_json_of_option(&table[i], base)) != 0) {
            status =
                FMD_FAIL(FMD_EIO, "cannot write '%s': %s is not UTF-8 text", path, table[i].name);
            goto out;
        }
    }
    status = fmd_json_write_value(root, path);
out:
    json_decref(root);
    return status;
}
