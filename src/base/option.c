#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next word of "a|b|c" at *at; false after the last word. */
static bool next_choice(const char **at, char text[FMD_OPTION_TEXT_BYTES])
{
    if (**at == '\0')
        return false;
    size_t n = strcspn(*at, "|");
    snprintf(text, FMD_OPTION_TEXT_BYTES, "%.*s", (int)n, *at);
    *at += n + ((*at)[n] == '|');
    return true;
}

const char *fmd_choice_text(const char *choices, int index, char text[FMD_OPTION_TEXT_BYTES])
{
    text[0] = '\0';
    for (int i = 0; i <= index; i++)
        next_choice(&choices, text);
    return text;
}

static int choice_index(const char *choices, const char *word)
{
    char text[FMD_OPTION_TEXT_BYTES];
    for (int i = 0; next_choice(&choices, text); i++)
        if (strcmp(text, word) == 0)
            return i;
    return -1;
}

/* Levenshtein distance of two words of at most 63 characters, in one row. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64];
    size_t na = strlen(a), nb = strlen(b);
    if (na > 63 || nb > 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t other = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = replace < other ? replace : other;
        }
    }
    return row[nb];
}

const char *fmd_choice_nearest(const char *choices, const char *word,
                               char text[FMD_OPTION_TEXT_BYTES])
{
    char one[FMD_OPTION_TEXT_BYTES];
    size_t best = strlen(word) / 2 + 1;
    text[0] = '\0';
    while (next_choice(&choices, one)) {
        size_t d = edit_distance(one, word);
        if (d < best) {
            best = d;
            memcpy(text, one, sizeof one);
        }
    }
    return text;
}

const char *fmd_did_you_mean(const char *choices, const char *word,
                             char text[FMD_OPTION_TEXT_BYTES])
{
    char near[FMD_OPTION_TEXT_BYTES];
    text[0] = '\0';
    if (*fmd_choice_nearest(choices, word, near) != '\0')
        snprintf(text, FMD_OPTION_TEXT_BYTES, " (did you mean '%.100s'?)", near);
    return text;
}

const fmd_option *fmd_option_find(const fmd_option *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        const char *a = table[i].name, *b = name;
        while (*a != '\0' && (*a == *b || (*a == '-' && *b == '_') || (*a == '_' && *b == '-'))) {
            a++;
            b++;
        }
        if (*a == '\0' && *b == '\0')
            return &table[i];
    }
    return NULL;
}

static void *field(const fmd_option *o, void *base)
{
    return (char *)base + o->offset;
}

static bool has_range(const fmd_option *o)
{
    return o->min != 0 || o->max != 0;
}

/* The allowed values of a number, for messages: " from 1 to 1000, or auto". */
static const char *allowed(const fmd_option *o, char text[128])
{
    size_t used = 0;
    text[0] = '\0';
    if (has_range(o) && (isinf(o->max) || (o->kind == FMD_OPTION_INT && o->max >= UINT32_MAX)))
        used += (size_t)snprintf(text, 128, " of at least %.10g", o->min);
    else if (has_range(o))
        used += (size_t)snprintf(
            text, 128, o->kind == FMD_OPTION_INT ? " from %.0f to %.0f" : " from %.10g to %.10g",
            o->min, o->max);
    if (o->unset != NULL)
        snprintf(text + used, 128 - used, ", or %s", o->unset);
    return text;
}

static bool parse_int(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    intmax_t v = strtoimax(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || isspace((unsigned char)*text))
        return false;
    *value = v;
    return true;
}

static bool parse_float(const char *text, double *value)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(v) || isspace((unsigned char)*text))
        return false;
    *value = v;
    return true;
}

/* "90", "90s", "15m", "1h30m", "2d". */
static bool parse_duration(const char *text, double *value)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    if (parse_float(text, value))
        return true;
    double total = 0;
    size_t next = 0;
    while (*text != '\0') {
        char *end;
        double v = strtod(text, &end);
        if (end == text || !isfinite(v))
            return false;
        while (next < 4 && units[next].unit != *end)
            next++;
        if (next == 4)
            return false;
        total += v * units[next++].seconds;
        text = end + 1;
    }
    *value = total;
    return next > 0 && isfinite(total);
}

/* "3x5", or "3" for `size` equal numbers. */
static bool parse_dims(const fmd_option *o, const char *text, fmd_shape *value)
{
    fmd_shape s = {.rank = 0};
    const bool single = strchr(text, 'x') == NULL;
    for (;; text++) {
        char *end;
        errno = 0;
        const long v = strtol(text, &end, 10);
        if (end == text || errno != 0 || isspace((unsigned char)*text) || s.rank == FMD_SHAPE_MAX ||
            (double)v < o->min || (double)v > o->max)
            return false;
        s.dim[s.rank++] = (int)v;
        text = end;
        if (*text == '\0')
            break;
        if (*text != 'x')
            return false;
    }
    while (single && (size_t)s.rank < o->size)
        s.dim[s.rank++] = s.dim[0];
    if (o->size > 0 && (size_t)s.rank != o->size)
        return false;
    *value = s;
    return true;
}

/* "0.5", or "0.1x0.5". A number ends at the next 'x': "0x1" is 0 and 1, not hexadecimal. */
static bool parse_numbers(const fmd_option *o, const char *text, fmd_numbers *value)
{
    fmd_numbers v = {.n = 0};
    char word[64];
    for (bool more = true; more; text++) {
        const size_t length = strcspn(text, "x");
        if (length >= sizeof word || v.n == FMD_NUMBERS_MAX)
            return false;
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        double *d = &v.at[v.n++];
        if (!parse_float(word, d) || (has_range(o) && (*d < o->min || *d > o->max)))
            return false;
        text += length;
        more = *text == 'x';
    }
    if (o->size > 0 && (size_t)v.n != o->size)
        return false;
    *value = v;
    return true;
}

/* The shortest text that parses to the same number. */
static size_t float_text(double value, char *text, size_t size)
{
    int used = 0;
    for (int digits = 6; digits <= 17; digits++) {
        used = snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return (size_t)used;
}

static const char *numbers_text(const fmd_numbers *v, char text[FMD_OPTION_TEXT_BYTES])
{
    size_t used = 0;
    for (int i = 0; i < v->n; i++) {
        if (i > 0)
            text[used++] = 'x';
        used += float_text(v->at[i], text + used, FMD_OPTION_TEXT_BYTES - used);
    }
    return text;
}

static const char *dims_text(const fmd_option *o, fmd_shape s, char text[FMD_OPTION_TEXT_BYTES])
{
    bool equal = o->size > 0;
    for (int i = 1; i < s.rank; i++)
        equal = equal && s.dim[i] == s.dim[0];
    size_t used = (size_t)snprintf(text, FMD_OPTION_TEXT_BYTES, "%d", s.dim[0]);
    for (int i = 1; i < s.rank && !equal; i++)
        used += (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "x%d", s.dim[i]);
    return text;
}

static fmd_status set_number(const fmd_option *o, void *to, const char *label, const char *text)
{
    static const char *const nouns[] = {[FMD_OPTION_INT] = "an integer",
                                        [FMD_OPTION_FLOAT] = "a number",
                                        [FMD_OPTION_DURATION] = "a time such as 90s or 1h30m"};
    char range[128];
    int64_t i = 0;
    double d = 0;
    bool unset = o->unset != NULL && strcmp(text, o->unset) == 0;
    bool good = unset;
    if (unset) {
        i = FMD_UNSET_INT;
        d = (double)NAN;
    } else if (o->kind == FMD_OPTION_INT) {
        good = parse_int(text, &i);
        d = (double)i;
    } else if (o->kind == FMD_OPTION_FLOAT) {
        good = parse_float(text, &d);
    } else {
        good = parse_duration(text, &d);
    }
    if (good && !unset && has_range(o))
        good = d >= o->min && d <= o->max;
    if (!good)
        return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not %s%s", label, text, nouns[o->kind],
                        allowed(o, range));
    if (o->kind == FMD_OPTION_INT)
        *(int64_t *)to = i;
    else
        *(double *)to = d;
    return FMD_OK;
}

fmd_status fmd_option_set(const fmd_option *o, void *base, const char *label, const char *text)
{
    void *to = field(o, base);
    char range[128];
    switch (o->kind) {
    case FMD_OPTION_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0)
            *(bool *)to = true;
        else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
            *(bool *)to = false;
        else
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is neither true nor false", label, text);
        return FMD_OK;
    case FMD_OPTION_CHOICE: {
        int i = choice_index(o->choices, text);
        if (i < 0) {
            char hint[FMD_OPTION_TEXT_BYTES];
            size_t n = strlen(o->choices);
            n -= n > 0 && o->choices[n - 1] == '|';
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not one of %.*s%s", label, text, (int)n,
                            o->choices, fmd_did_you_mean(o->choices, text, hint));
        }
        *(int *)to = i;
        return FMD_OK;
    }
    case FMD_OPTION_TEXT:
        if (strlen(text) >= o->size)
            return FMD_FAIL(FMD_EUSAGE, "%s: longer than %zu characters", label, o->size - 1);
        memcpy(to, text, strlen(text) + 1);
        return FMD_OK;
    case FMD_OPTION_INT:
    case FMD_OPTION_FLOAT:
    case FMD_OPTION_DURATION: return set_number(o, to, label, text);
    case FMD_OPTION_DIMS:
        if (!parse_dims(o, text, to))
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not %s, each%s", label, text,
                            o->size > 0 ? "one number or two such as 3 or 3x5"
                                        : "numbers such as 7x7x16",
                            allowed(o, range));
        return FMD_OK;
    case FMD_OPTION_NUMBERS:
        if (!parse_numbers(o, text, to))
            return FMD_FAIL(FMD_EUSAGE, "%s: '%s' is not %s, each%s", label, text,
                            o->size == 2 ? "two numbers such as 0.1x0.5"
                                         : "one number or several such as 0.1x0.5",
                            has_range(o) ? allowed(o, range) : " finite");
        return FMD_OK;
    }
    return FMD_FAIL(FMD_EINTERNAL, "%s: unknown kind of option", label);
}

const char *fmd_option_text(const fmd_option *o, const void *base, char text[FMD_OPTION_TEXT_BYTES])
{
    const void *from = (const char *)base + o->offset;
    switch (o->kind) {
    case FMD_OPTION_BOOL: return *(const bool *)from ? "true" : "false";
    case FMD_OPTION_CHOICE: return fmd_choice_text(o->choices, *(const int *)from, text);
    case FMD_OPTION_TEXT: return from;
    case FMD_OPTION_INT:
        if (*(const int64_t *)from == FMD_UNSET_INT)
            return o->unset;
        snprintf(text, FMD_OPTION_TEXT_BYTES, "%" PRId64, *(const int64_t *)from);
        return text;
    case FMD_OPTION_FLOAT:
    case FMD_OPTION_DURATION:
        if (isnan(*(const double *)from))
            return o->unset;
        float_text(*(const double *)from, text, FMD_OPTION_TEXT_BYTES);
        return text;
    case FMD_OPTION_DIMS: return dims_text(o, *(const fmd_shape *)from, text);
    case FMD_OPTION_NUMBERS: return numbers_text(from, text);
    }
    return "";
}

fmd_status fmd_options_reset(const fmd_option *table, size_t n, void *base)
{
    for (size_t i = 0; i < n; i++) {
        const char *initial = table[i].initial;
        if (initial == NULL)
            continue;
        if (fmd_option_set(&table[i], base, table[i].name, initial) != FMD_OK)
            return FMD_FAIL(FMD_EINTERNAL, "the default of %s is '%s'", table[i].name, initial);
    }
    return FMD_OK;
}

/* Whether an option accepts a value without its name: only numbers and choices do. */
static bool takes(const fmd_option *o, const char *word)
{
    double d;
    fmd_shape s;
    fmd_numbers v;
    if (o->kind == FMD_OPTION_DIMS) { /* out of range, it is still meant for this option */
        fmd_option any = *o;
        any.min = INT_MIN;
        any.max = INT_MAX;
        return parse_dims(&any, word, &s);
    }
    if (o->kind == FMD_OPTION_NUMBERS)
        return parse_numbers(o, word, &v);
    if (o->kind == FMD_OPTION_CHOICE)
        return choice_index(o->choices, word) >= 0;
    return (o->kind == FMD_OPTION_INT || o->kind == FMD_OPTION_FLOAT) && parse_float(word, &d);
}

/* The option that `word` of a spec sets, and its value in *value; NULL: none. */
static const fmd_option *match_arg(const fmd_option *table, size_t n, uint64_t given, char *word,
                                   const char **value)
{
    char *equals = strchr(word, '=');
    if (equals != NULL) {
        *equals = '\0';
        *value = equals + 1;
        const fmd_option *o = fmd_option_find(table, n, word);
        *equals = '=';
        return o;
    }
    const fmd_option *o = fmd_option_find(table, n, word);
    if (o != NULL && o->kind == FMD_OPTION_BOOL) {
        *value = "true";
        return o;
    }
    if (strncmp(word, "no", 2) == 0) {
        o = fmd_option_find(table, n, word + 2);
        if (o != NULL && o->kind == FMD_OPTION_BOOL) {
            *value = "false";
            return o;
        }
    }
    *value = word;
    for (size_t i = 0; i < n; i++)
        if (!(given >> i & 1) && takes(&table[i], word))
            return &table[i];
    return NULL;
}

/* The names of the arguments, for messages: "UNITS, ACTIVATION, INIT, [no]bias". */
static const char *list_args(const fmd_option *table, size_t n, char text[FMD_OPTION_TEXT_BYTES])
{
    size_t used = 0;
    snprintf(text, FMD_OPTION_TEXT_BYTES, "no arguments");
    for (size_t i = 0; i < n && used < FMD_OPTION_TEXT_BYTES; i++)
        used +=
            (size_t)snprintf(text + used, FMD_OPTION_TEXT_BYTES - used, "%s%s%s", i > 0 ? ", " : "",
                             table[i].kind == FMD_OPTION_BOOL ? "[no]" : "", table[i].name);
    return text;
}

/* As fmd_did_you_mean, over all words that the arguments accept. */
static const char *nearest_arg(const fmd_option *table, size_t n, const char *word,
                               char text[FMD_OPTION_TEXT_BYTES])
{
    char words[FMD_OPTION_TEXT_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof words; i++)
        used += (size_t)snprintf(words + used, sizeof words - used, "%s|%s|", table[i].name,
                                 table[i].kind == FMD_OPTION_CHOICE ? table[i].choices : "");
    return fmd_did_you_mean(words, word, text);
}

fmd_status fmd_options_parse_args(const fmd_option *table, size_t n, void *base, const char *label,
                                  const char *args)
{
    char text[FMD_OPTION_TEXT_BYTES], list[FMD_OPTION_TEXT_BYTES], hint[FMD_OPTION_TEXT_BYTES];
    uint64_t given = 0;
    FMD_TRY(fmd_options_reset(table, n, base));
    if (strlen(args) >= sizeof text)
        return FMD_FAIL(FMD_EUSAGE, "%s: longer than %zu characters", label, sizeof text - 1);
    memcpy(text, args, strlen(args) + 1);
    char *rest = text;
    for (char *word; rest[0] != '\0' && (word = strsep(&rest, ":")) != NULL;) {
        const char *value = "";
        const fmd_option *o = match_arg(table, n, given, word, &value);
        if (o == NULL)
            return FMD_FAIL(FMD_EUSAGE, "%s: does not understand '%s'%s; it takes %s", label, word,
                            nearest_arg(table, n, word, hint), list_args(table, n, list));
        if (given >> (o - table) & 1)
            return FMD_FAIL(FMD_EUSAGE, "%s: %s is given twice", label, o->name);
        given |= UINT64_C(1) << (o - table);
        char option_label[FMD_OPTION_TEXT_BYTES];
        snprintf(option_label, sizeof option_label, "%.900s: %s", label, o->name);
        FMD_TRY(fmd_option_set(o, base, option_label, value));
        if (rest == NULL)
            break;
    }
    for (size_t i = 0; i < n; i++)
        if (table[i].initial == NULL && !(given >> i & 1))
            return FMD_FAIL(FMD_EUSAGE, "%s: needs %s; it takes %s", label, table[i].name,
                            list_args(table, n, list));
    return FMD_OK;
}
