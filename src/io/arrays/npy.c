#include "io/arrays/npy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

fmd_status fmd_npy_prefix(size_t *begin, size_t *bytes, const uint8_t *prefix, const char *where)
{
    if (memcmp(prefix, "\x93NUMPY", 6) != 0)
        return FMD_FAIL(FMD_EDATA, "%s: not an array in NumPy's format", where);
    const int version = prefix[6];
    if (version < 1 || version > 3)
        return FMD_FAIL(FMD_EDATA, "%s: found version %d of NumPy's format, expected 1 to 3", where,
                        version);
    const size_t n = prefix[8] | (size_t)prefix[9] << 8;
    *begin = version == 1 ? 10 : 12;
    *bytes = version == 1 ? n : n | (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24;
    if (*bytes > FMD_NPY_HEADER)
        return FMD_FAIL(FMD_EDATA, "%s: found a header of %zu bytes, expected at most %d", where,
                        *bytes, FMD_NPY_HEADER);
    return FMD_OK;
}

/* The rest of a dictionary. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && isspace((unsigned char)*c->at))
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    skip_blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A text in single or double quotes, without escapes. */
static bool take_text(cursor *c, char text[32])
{
    skip_blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return false;
    const char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote && n + 1 < 32)
        text[n++] = *c->at++;
    text[n] = '\0';
    return take(c, quote);
}

static bool take_number(cursor *c, size_t *number)
{
    skip_blanks(c);
    const char *begin = c->at;
    *number = 0;
    for (; c->at < c->end && isdigit((unsigned char)*c->at); c->at++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, *c->at - '0', number))
            return false;
    (void)take(c, 'L'); /* Python 2 */
    return c->at > begin;
}

/* "(60000, 28, 28)", "(5,)", "()" */
static bool take_shape(cursor *c, fmd_npy *out)
{
    out->rank = 0;
    if (!take(c, '('))
        return false;
    while (!take(c, ')')) {
        if (out->rank == FMD_NPY_RANK || !take_number(c, &out->dim[out->rank]))
            return false;
        out->rank++;
        if (!take(c, ',')) {
            return take(c, ')');
        }
    }
    return true;
}

/* "<f4", "|u1" */
static fmd_status parse_type(fmd_npy *out, const char *text, const char *where)
{
    static const char *const types[] = {"b1", "u1", "u2", "u4", "u8", "i1",
                                        "i2", "i4", "i8", "f4", "f8"};
    const char *order = strchr("<>|=", *text);
    for (size_t i = 0; order != NULL && *text != '\0' && i < sizeof types / sizeof *types; i++)
        if (strcmp(text + 1, types[i]) == 0) {
            out->kind = types[i][0];
            out->item = (size_t)(types[i][1] - '0');
            out->big_endian = *text == '>';
            return FMD_OK;
        }
    return FMD_FAIL(FMD_EDATA,
                    "%s: found values of type '%s', expected integers or floats of 8 to 64 bits",
                    where, text);
}

fmd_status fmd_npy_parse(fmd_npy *out, const char *text, size_t bytes, const char *where)
{
    cursor c = {text, text + bytes};
    fmd_npy a = {.kind = 0};
    char key[32], type[32] = "";
    bool good = take(&c, '{'), has_order = false, has_shape = false;
    while (good && !take(&c, '}')) {
        good = take_text(&c, key) && take(&c, ':');
        if (good && strcmp(key, "descr") == 0) {
            if (take(&c, '['))
                return FMD_FAIL(FMD_EDATA, "%s: found records of several fields, expected numbers",
                                where);
            good = take_text(&c, type);
        } else if (good && strcmp(key, "fortran_order") == 0) {
            a.fortran = take_word(&c, "True");
            good = has_order = a.fortran || take_word(&c, "False");
        } else if (good && strcmp(key, "shape") == 0) {
            good = has_shape = take_shape(&c, &a);
        } else {
            good = false;
        }
        if (good && !take(&c, ',')) {
            good = take(&c, '}');
            break;
        }
    }
    if (!good || *type == '\0' || !has_order || !has_shape)
        return FMD_FAIL(FMD_EDATA, "%s: the header of NumPy's format is damaged", where);
    FMD_TRY(parse_type(&a, type, where));
    *out = a;
    return FMD_OK;
}

double fmd_npy_value(const fmd_npy *a, const uint8_t *item)
{
    const size_t above = (64 - 8 * a->item) % 64; /* bits that the item has not */
    uint64_t bits = 0;
    float single;
    double value;
    for (size_t i = 0; i < a->item; i++)
        bits |= (uint64_t)item[i] << 8 * (a->big_endian ? a->item - 1 - i : i);
    if (a->kind == 'u')
        return (double)bits;
    if (a->kind == 'b')
        return bits != 0;
    if (a->kind == 'i')
        return (double)((int64_t)(bits << above) >> above);
    if (a->item == sizeof single) {
        const uint32_t half = (uint32_t)bits;
        memcpy(&single, &half, sizeof single);
        return (double)single;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}
