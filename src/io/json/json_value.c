#include "io/json/json_value.h"

#include "io/atomic_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *array_of_words(const char *words)
{
    json_t *array = json_array();
    while (array != NULL && *words != '\0') {
        size_t n = strcspn(words, ",");
        if (json_array_append_new(array, json_stringn(words, n)) != 0) {
            json_decref(array);
            return NULL;
        }
        words += n + (words[n] == ',');
    }
    return array;
}

static json_t *array_of_dims(fmd_shape s)
{
    json_t *array = json_array();
    for (int i = 0; i < s.rank; i++)
        if (json_array_append_new(array, json_integer(s.dim[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* One number is no list. */
static json_t *number_or_array(const fmd_numbers *v)
{
    if (v->n == 1)
        return json_real(v->at[0]);
    json_t *array = json_array();
    for (int i = 0; i < v->n; i++)
        if (json_array_append_new(array, json_real(v->at[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *fmd_json_of_option(const fmd_option *o, const void *base)
{
    char buffer[FMD_OPTION_TEXT_BYTES];
    const void *from = (const char *)base + o->offset;
    const char *text = fmd_option_text(o, base, buffer);
    switch (o->kind) {
    case FMD_OPTION_BOOL: return json_boolean(*(const bool *)from);
    case FMD_OPTION_INT:
        if (*(const int64_t *)from == FMD_UNSET_INT)
            return json_null();
        return json_integer(*(const int64_t *)from);
    case FMD_OPTION_FLOAT:
        if (isnan(*(const double *)from))
            return json_null();
        return json_real(*(const double *)from);
    case FMD_OPTION_DURATION:
        if (isnan(*(const double *)from))
            return json_null();
        return json_string(text);
    case FMD_OPTION_TEXT: return o->repeats ? array_of_words(text) : json_string(text);
    case FMD_OPTION_CHOICE: return json_string(text);
    case FMD_OPTION_DIMS: return array_of_dims(*(const fmd_shape *)from);
    case FMD_OPTION_NUMBERS: return number_or_array(from);
    }
    return NULL;
}

static void print_real(FILE *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fprintf(out, "%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void print_newline(FILE *out, bool indent, int depth)
{
    if (indent)
        fprintf(out, "\n%*s", 2 * depth, "");
}

/* False if memory ran out. Errors of `out` itself show when it is closed. */
static bool print_value(FILE *out, json_t *value, bool indent, int depth)
{
    const char *space = indent ? " " : "";
    bool ok = true, first = true;
    size_t i;
    const char *name;
    json_t *item;
    switch (json_typeof(value)) {
    case JSON_REAL: print_real(out, json_real_value(value)); return true;
    case JSON_ARRAY:
        fputc('[', out);
        json_array_foreach (value, i, item) {
            if (i > 0)
                fprintf(out, ",%s", space);
            ok = print_value(out, item, indent, depth + 1) && ok;
        }
        fputc(']', out);
        return ok;
    case JSON_OBJECT:
        fputc('{', out);
        json_object_foreach (value, name, item) {
            json_t *key = json_string(name);
            if (!first)
                fputc(',', out);
            first = false;
            print_newline(out, indent, depth + 1);
            ok = json_dumpf(key, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == 0 && ok;
            fprintf(out, ":%s", space);
            ok = print_value(out, item, indent, depth + 1) && ok;
            json_decref(key);
        }
        if (!first)
            print_newline(out, indent, depth);
        fputc('}', out);
        return ok;
    default: return json_dumpf(value, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == 0;
    }
}

char *fmd_json_print(json_t *value, bool indent)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL)
        return NULL;
    bool ok = print_value(out, value, indent, 0);
    if (indent)
        fputc('\n', out);
    ok = ferror(out) == 0 && ok;
    if (fclose(out) != 0 || !ok) {
        free(text);
        return NULL;
    }
    return text;
}

fmd_status fmd_json_write_value(json_t *value, const char *path)
{
    char *text = fmd_json_print(value, true);
    if (text == NULL)
        return FMD_FAIL(FMD_ENOMEM, "out of memory: cannot write '%s'", path);
    fmd_status status = fmd_atomic_file_write(path, text, strlen(text));
    free(text);
    return status;
}
