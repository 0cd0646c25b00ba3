#include "io/json/json_object.h"

#include "base/format.h"
#include "io/atomic_file.h"
#include "io/json/json_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fmd_json {
    json_t *root;
    char failed[128]; /* the first key that could not be added; "": none */
};

fmd_status fmd_json_create(fmd_json **out)
{
    fmd_json *j = calloc(1, sizeof *j);
    json_t *root = json_object();
    if (j == NULL || root == NULL) {
        free(j);
        json_decref(root);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: a JSON object");
    }
    j->root = root;
    *out = j;
    return FMD_OK;
}

void fmd_json_destroy(fmd_json *j)
{
    if (j == NULL)
        return;
    json_decref(j->root);
    free(j);
}

/* The member `key` of `object`, created if it is missing; NULL: out of memory. */
static json_t *member(json_t *object, const char *key, json_t *(*create)(void))
{
    json_t *value = json_object_get(object, key);
    if (value == NULL && json_object_set_new(object, key, create()) == 0)
        value = json_object_get(object, key);
    return value;
}

static void note(fmd_json *j, const char *key, bool ok)
{
    if (!ok && j->failed[0] == '\0')
        snprintf(j->failed, sizeof j->failed, "%s", key);
}

/* The member object `group`, or the last row of the array `group`. */
static json_t *group_object(fmd_json *j, const char *group)
{
    if (group == NULL)
        return j->root;
    json_t *value = member(j->root, group, json_object);
    return json_is_array(value) ? json_array_get(value, json_array_size(value) - 1) : value;
}

static void add(fmd_json *j, const char *group, const char *key, json_t *value)
{
    note(j, key, json_object_set_new(group_object(j, group), key, value) == 0);
}

/* A JSON string. File names may be any bytes; text that is not UTF-8 keeps its ASCII characters, as
 * a record must not make a run fail. */
static json_t *string_of(const char *value)
{
    json_t *string = json_string(value);
    char *ascii = string == NULL ? strdup(value) : NULL;
    if (ascii == NULL)
        return string;
    for (char *c = ascii; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

void fmd_json_text(fmd_json *j, const char *group, const char *key, const char *value)
{
    add(j, group, key, string_of(value));
}

void fmd_json_int(fmd_json *j, const char *group, const char *key, long long value)
{
    add(j, group, key, json_integer(value));
}

/* JSON has no word for NaN. */
static json_t *real_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void fmd_json_real(fmd_json *j, const char *group, const char *key, double value)
{
    add(j, group, key, real_of(value));
}

void fmd_json_bool(fmd_json *j, const char *group, const char *key, bool value)
{
    add(j, group, key, json_boolean(value));
}

void fmd_json_append(fmd_json *j, const char *group, const char *key, const char *value)
{
    json_t *array = member(group_object(j, group), key, json_array);
    note(j, key, json_array_append_new(array, string_of(value)) == 0);
}

void fmd_json_append_int(fmd_json *j, const char *group, const char *key, long long value)
{
    json_t *array = member(group_object(j, group), key, json_array);
    note(j, key, json_array_append_new(array, json_integer(value)) == 0);
}

void fmd_json_append_real(fmd_json *j, const char *group, const char *key, double value)
{
    json_t *array = member(group_object(j, group), key, json_array);
    note(j, key, json_array_append_new(array, real_of(value)) == 0);
}

/* NULL: out of memory. */
static json_t *array_of(const float *values, size_t n)
{
    char text[32];
    json_t *array = json_array();
    bool whole = array != NULL;
    for (size_t i = 0; i < n && whole; i++)
        whole = json_array_append_new(
                    array, real_of(strtod(fmd_format_float(values[i], text), NULL))) == 0;
    if (whole)
        return array;
    json_decref(array);
    return NULL;
}

void fmd_json_floats(fmd_json *j, const char *key, const float *values, size_t n)
{
    add(j, NULL, key, array_of(values, n));
}

void fmd_json_append_floats(fmd_json *j, const char *key, const float *values, size_t n)
{
    json_t *array = member(j->root, key, json_array);
    note(j, key, json_array_append_new(array, array_of(values, n)) == 0);
}

void fmd_json_append_object(fmd_json *j, const char *key, const fmd_json *value)
{
    json_t *array = member(j->root, key, json_array);
    note(j, key, value->failed[0] == '\0' && json_array_append(array, value->root) == 0);
}

void fmd_json_row(fmd_json *j, const char *array)
{
    note(j, array, json_array_append_new(member(j->root, array, json_array), json_object()) == 0);
}

void fmd_json_attach(fmd_json *j, const char *key, const fmd_json *value)
{
    note(j, key, value->failed[0] == '\0');
    add(j, NULL, key, json_incref(value->root));
}

fmd_status fmd_json_write(const fmd_json *j, const char *path)
{
    if (j->failed[0] != '\0')
        return FMD_FAIL(FMD_ENOMEM, "cannot write '%s': no memory for '%s'", path, j->failed);
    return fmd_json_write_value(j->root, path);
}

fmd_status fmd_json_print_text(const fmd_json *j, char **out)
{
    char *text = j->failed[0] == '\0' ? fmd_json_print(j->root, true) : NULL;
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "no memory for JSON text%s%s", j->failed[0] == '\0' ? "" : ": ",
                        j->failed);
    *out = text;
    return FMD_OK;
}

fmd_status fmd_json_line(char **out, const fmd_json *j, const char *path)
{
    char *text = j->failed[0] == '\0' ? fmd_json_print(j->root, false) : NULL;
    const size_t n = text != NULL ? strlen(text) : 0;
    char *line = text != NULL ? realloc(text, n + 2) : NULL;
    if (line == NULL) {
        free(text);
        return FMD_FAIL(FMD_ENOMEM, "out of memory: cannot write '%s'", path);
    }
    memcpy(line + n, "\n", 2);
    *out = line;
    return FMD_OK;
}

fmd_status fmd_json_parse(fmd_json **out, const char *text, size_t bytes, const char *path)
{
    json_error_t error;
    fmd_json *j;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        return FMD_FAIL(FMD_EDATA, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return FMD_FAIL(FMD_EDATA, "%s: not a JSON object", path);
    }
    const fmd_status st = fmd_json_create(&j);
    if (st != FMD_OK) {
        json_decref(root);
        return st;
    }
    json_decref(j->root);
    j->root = root;
    *out = j;
    return FMD_OK;
}

fmd_status fmd_json_read(fmd_json **out, const char *path)
{
    void *text = NULL;
    size_t bytes;
    FMD_TRY(fmd_atomic_file_read_text(&text, &bytes, path));
    const fmd_status st = fmd_json_parse(out, text, bytes, path);
    free(text);
    return st;
}

static const json_t *get(const fmd_json *j, const char *group, const char *key)
{
    return json_object_get(group == NULL ? j->root : json_object_get(j->root, group), key);
}

const char *fmd_json_get_text(const fmd_json *j, const char *group, const char *key)
{
    return json_string_value(get(j, group, key));
}

double fmd_json_get_real(const fmd_json *j, const char *group, const char *key)
{
    const json_t *value = get(j, group, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *fmd_json_get_item(const fmd_json *j, const char *group, const char *key, size_t i)
{
    return json_string_value(json_array_get(get(j, group, key), i));
}

static const json_t *row(const fmd_json *j, const char *array, size_t i)
{
    return json_array_get(json_object_get(j->root, array), i);
}

bool fmd_json_has_row(const fmd_json *j, const char *array, size_t i)
{
    return json_is_object(row(j, array, i));
}

const char *fmd_json_row_text(const fmd_json *j, const char *array, size_t i, const char *key)
{
    return json_string_value(json_object_get(row(j, array, i), key));
}

double fmd_json_row_real(const fmd_json *j, const char *array, size_t i, const char *key)
{
    const json_t *value = json_object_get(row(j, array, i), key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

fmd_status fmd_print_json(const fmd_json *j)
{
    char *text;
    FMD_TRY(fmd_json_print_text(j, &text));
    fputs(text, stdout);
    free(text);
    return FMD_OK;
}
